import type { Random } from '../base/random.js';

const MARGIN_MS = 120_000;
const SPREAD_MS = 30 * 60_000;
/** Share of the age: short-lived sockets have a smaller margin. */
const SHARE = 0.1;

/**
 * When a socket that may live for `ageMs` is replaced: two minutes to half an hour before, at random, so that the sockets
 * that were opened together are not replaced together.
 */
export function rotateAfterMs(ageMs: number, random: Random): number {
  const marginMs = Math.min(MARGIN_MS, ageMs * SHARE);
  const spreadMs = Math.min(SPREAD_MS, ageMs * SHARE);
  return Math.max(0, ageMs - marginMs - random() * spreadMs);
}
