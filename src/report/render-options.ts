/** Where a report is drawn. Handed in, so that every report is a function of its data and these. */
export interface RenderOptions {
  readonly color: boolean;
  /** Whether more than ASCII can be shown. */
  readonly unicode: boolean;
  /** Columns to draw within. */
  readonly width: number;
  /** What paths in the report are shown relative to. */
  readonly cwd: string;
}
