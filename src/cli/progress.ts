import type { Clock } from '../base/clock.js';
import { drawBar } from '../report/bar.js';
import { truncate } from '../report/text.js';
import type { Output } from './io.js';

/** One line at the foot of the terminal that tells how far a long piece of work is. */
export interface Progress {
  /** Shows the state; redraws at most ten times a second, so it may be called as often as one likes. */
  update(state: ProgressState): void;
  /** Takes the line away. A later update brings it back. */
  clear(): void;
}

export interface ProgressState {
  /** The current work: `loadtest`, `warming up`. */
  readonly label: string;
  /** How much of the work is done, from 0 to 1; null where its end is not known. */
  readonly share: number | null;
  /** Figures to show behind the bar: `420/1,000  p99 12.3 ms`. */
  readonly note: string;
}

const REDRAW_MS = 100;
const BAR_CELLS = 24;
const ERASE_LINE = '\r\u001b[K';

/** Draws on a terminal only; elsewhere every call does nothing. */
export function createProgress(output: Output, clock: Clock, wanted: boolean): Progress {
  if (!wanted || !output.isTty) return { update() {}, clear() {} };
  let shown = false;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  return {
    update(state) {
      const now = clock.now();
      if (now - drawnAtMs < REDRAW_MS) return;
      drawnAtMs = now;
      shown = true;
      output.tell(ERASE_LINE + progressLine(state, output));
    },
    clear() {
      if (!shown) return;
      shown = false;
      drawnAtMs = Number.NEGATIVE_INFINITY;
      output.tell(ERASE_LINE);
    },
  };
}

/** The line, within the columns of the terminal less one, since a full line would wrap. */
export function progressLine(
  { label, share, note }: ProgressState,
  place: { columns: number; unicode: boolean },
): string {
  const percent =
    share === null ? '' : `${String(Math.floor(Math.min(1, Math.max(0, share)) * 100)).padStart(3)} %`;
  const bar = share === null ? '' : drawBar(share, BAR_CELLS, place);
  const parts = [label, bar, percent, note].filter((part) => part !== '');
  const line = parts.join(' ');
  // On a narrow terminal the bar is what can be spared.
  const short = parts.filter((part) => part !== bar || bar === '').join(' ');
  const width = Math.max(1, place.columns - 1);
  return truncate(line.length <= width ? line : short, width, place);
}
