import type { SourceState } from '../sources/poller.js';

/** All sources at one moment: what the screen is given, a recording holds, and `--json` prints. */
export interface Tick {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly sources: readonly SourceState[];
}
