import type { SizingReading } from '../snapshot/sizing.js';

const SENTENCES: Readonly<Record<string, string>> = {
  start: 'nothing measured yet',
  demand: 'nobody waits',
  gain: 'the last step up gained throughput or shortened waits',
  'no-gain': 'a larger size gained nothing',
  'no-loss': 'a smaller size lost nothing',
  'trying-larger': 'trying a larger size',
  'trying-smaller': 'trying a smaller size',
  'server-limit': 'the server allows no more',
  overload: 'the server was overloaded',
};

/** The chosen size and its reason, for people: `8 of 1 to 50: a larger size gained nothing`. */
export function sizingText({ size, min, max, reason }: SizingReading): string {
  return `${size} of ${min} to ${max}: ${SENTENCES[reason] ?? reason}`;
}
