import { formatCount, formatDuration } from '../src/base/units.js';
import type { LoadProgress } from '../src/loadtest/api.js';
import type { LoadContext } from './loadtest-options.js';

/** A run that waits for this long says so. */
const QUIET_MS = 5000;

/** Writes a line to stderr, once for each wait, when the target does not answer or the end takes long. */
export function tellWaits({ io, warn }: Pick<LoadContext, 'io' | 'warn'>): {
  see(progress: LoadProgress): void;
  end(): void;
} {
  let drainingSince: number | null = null;
  let isTold = false;
  const opening = io.clock.setTimer(
    () => warn('waiting for the target: it takes more than 5 s to connect and try the statements once'),
    QUIET_MS,
    { background: true },
  );
  return {
    see({ phase, elapsedMs, underWay = 0, quietMs = 0, givesUpInMs = null }) {
      opening.cancel();
      if (phase === 'drain') drainingSince ??= elapsedMs;
      const isQuiet = quietMs >= QUIET_MS;
      const isLongDrain = drainingSince !== null && elapsedMs - drainingSince >= QUIET_MS && underWay > 0;
      // Each silence is reported once, and so is the end.
      if (!isQuiet && !isLongDrain) isTold = false;
      else if (!isTold) {
        isTold = true;
        const count = `${formatCount(underWay)} ${underWay === 1 ? 'iteration' : 'iterations'}`;
        const why = isQuiet ? `; the target has not answered for ${formatDuration(QUIET_MS)}` : '';
        const limit =
          givesUpInMs === null
            ? ''
            : `. poolctl abandons them in ${Math.max(0, Math.ceil(givesUpInMs / 1000))} s (--drain-timeout)`;
        warn(`waiting for ${count}${why}${limit}`);
      }
    },
    end: () => opening.cancel(),
  };
}
