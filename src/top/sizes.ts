import type { Size } from './state.js';

/** How the rows of the terminal are shared out. */
export interface Shares {
  /** One less than the terminal has, so that no terminal scrolls. */
  readonly frame: number;
  readonly diagnosis: number;
  /** Whether there is room to name the sources and the place. */
  readonly sources: boolean;
  readonly title: boolean;
  readonly body: number;
}

/** A terminal that is smaller gets a frame of this size, cut off by it. */
const LEAST: Size = { columns: 20, rows: 8 };
const TABS = 1;
const HEAD = 1;
const HIDDEN = 1;
const HINTS = 1;

export function sharesOf({ rows, columns }: Size): Shares {
  const frame = Math.max(LEAST.rows, rows) - 1;
  const tall = frame >= 19;
  // With who holds the lock, and that a bigger pool gains nothing, it has some 200 letters.
  const diagnosis = columns < 60 || (tall && columns < 120) ? 3 : 2;
  const fixed = TABS + diagnosis + (tall ? 2 : 0) + HEAD + HIDDEN + HINTS;
  return {
    frame: Math.max(1, rows - 1),
    diagnosis,
    sources: tall,
    title: tall,
    body: Math.max(1, frame - fixed),
  };
}

/** The rows that a table or a text has, without its head. */
export function bodyRows(size: Size): number {
  return sharesOf(size).body;
}
