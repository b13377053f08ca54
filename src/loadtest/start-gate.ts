import type { Clock } from '../base/clock.js';
import { CodedError } from '../base/coded-error.js';
import { formatDuration } from '../base/units.js';
import type { StartGate } from './api.js';

/** A segment was not ready when the others started. It does not run, because a late part is another load. */
export class LateStartError extends CodedError<'ERR_LATE_START'> {
  /** `byMs`: how much too late it was, in milliseconds. */
  constructor(byMs: number) {
    super(
      'ERR_LATE_START',
      `the segment was ready ${formatDuration(Math.ceil(byMs))} after the start, so it does not run`,
      {
        hint: 'Set a later start: each segment needs time to connect and to warm up.',
      },
    );
    this.name = 'LateStartError';
  }
}

/** A gate that opens at a time of the wall clock, in ms since the epoch. Later changes of that clock have no effect. */
export function timedGate(startAtMs: number, clock: Clock): StartGate {
  const startsAt = clock.now() + startAtMs - clock.wallTime();
  return {
    startsAt,
    ready() {
      const now = clock.now();
      if (now > startsAt) throw new LateStartError(now - startsAt);
    },
    onKnown: (callback) => callback(),
  };
}
