/** The place where a report is drawn. Handed in, so that every report is a function of its data and these. */
export interface RenderOptions {
  readonly color: boolean;
  /** Whether more than ASCII can be shown. */
  readonly unicode: boolean;
  /** Columns to draw within. */
  readonly width: number;
  /** The folder that paths in the report are relative to. */
  readonly cwd: string;
}
