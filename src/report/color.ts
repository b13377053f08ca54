import { Chalk } from 'chalk';

type Paint = (text: string) => string;

/** Colours by what they mean, so that two reports never differ in what red is. */
export interface Palette {
  readonly good: Paint;
  readonly warn: Paint;
  readonly bad: Paint;
  /** A heading, or the figure that counts. */
  readonly strong: Paint;
  /** What is there to be found, not to be read first. */
  readonly faint: Paint;
  /** Names: of pools, files, options. */
  readonly name: Paint;
}

/** Plain text unless `color`; whether colour is wanted is decided by the caller, never by this process's terminal. */
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
