import type { Clock } from '../base/clock.js';

export interface ClockOffset {
  /** By how much the other clock is ahead of the wall clock here. The error is at most half of the round trip. */
  readonly offsetMs: number;
  /** The same against the monotonic clock here, so that a wall clock that is set later does no harm. */
  readonly monotonicMs: number;
  readonly roundTripMs: number;
}

const PROBES = 15;

/** Compares the clocks by the probe with the shortest round trip, as NTP does. */
export async function measureOffset(otherTime: () => Promise<number>, clock: Clock): Promise<ClockOffset> {
  let best: ClockOffset | null = null;
  for (let probe = 0; probe < PROBES; probe++) {
    const sentAt = clock.now();
    const other = await otherTime();
    const now = clock.now();
    const roundTripMs = now - sentAt;
    if (best !== null && best.roundTripMs <= roundTripMs) continue;
    const otherNow = other + roundTripMs / 2;
    best = { offsetMs: otherNow - clock.wallTime(), monotonicMs: otherNow - now, roundTripMs };
  }
  if (best === null) throw new RangeError('no probe was sent');
  return best;
}
