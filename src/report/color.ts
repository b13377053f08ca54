import { Chalk } from 'chalk';

type Paint = (text: string) => string;

/** Colors by their meaning, so that two reports never differ in what red is. */
export interface Palette {
  readonly good: Paint;
  readonly warn: Paint;
  readonly bad: Paint;
  /** A heading, or the figure that counts. */
  readonly strong: Paint;
  /** Details that are not read first. */
  readonly faint: Paint;
  /** Names: of pools, files, options. */
  readonly name: Paint;
}

/** Plain text unless `color`; whether color is wanted is decided by the caller, never by this process's terminal. */
export function palette({ color }: { readonly color: boolean }): Palette {
  const chalk = new Chalk({ level: color ? 1 : 0 });
  return {
    good: chalk.green,
    warn: chalk.yellow,
    bad: chalk.red,
    strong: chalk.bold,
    faint: chalk.dim,
    name: chalk.cyan,
  };
}
