import type { RecordedPool } from '../leases/recording.js';

/** A pool whose first connect began so long after its first acquire was there before the recording. */
const AT_ONCE_MS = 50;
/** Connects in this first part of the recording are its start, unless it is longer than a minute. */
const MOST_SHARE = 0.1;
const MOST_MS = 60_000;

/**
 * When a new pool had opened its first connections, and nobody waited any more. Waits before that are those of a cold start,
 * which no size avoids. -Infinity where the recording does not begin with one.
 */
export function startupEnd({ leases, connects }: RecordedPool, durationMs: number): number {
  const first = connects[0];
  const firstAsked = leases.askedMs[0];
  if (first === undefined || firstAsked === undefined) return Number.NEGATIVE_INFINITY;
  if (first.atMs - (first.tookMs ?? 0) > firstAsked + AT_ONCE_MS) return Number.NEGATIVE_INFINITY;
  const limit = Math.min(MOST_MS, MOST_SHARE * durationMs);
  const opened = connects.reduce((last, { atMs }) => (atMs <= limit ? Math.max(last, atMs) : last), 0);
  const served = leases.askedMs.map((asked, at) => asked + (leases.waitedMs[at] ?? 0)).sort();
  for (let at = 0; at < served.length; at++) {
    const end = served[at] ?? 0;
    if (end > 2 * limit) break;
    const nextAsked = leases.askedMs[at + 1] ?? Number.POSITIVE_INFINITY;
    if (end >= opened && nextAsked > end) return end;
  }
  return Number.NEGATIVE_INFINITY;
}
