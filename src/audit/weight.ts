import type { Finding, Surroundings } from './types.js';

/** Leaks that traffic repeats come first, then those of ordinary code, then what runs once. */
export function byWeight(a: Finding, b: Finding): number {
  return weightOf(a) - weightOf(b);
}

function weightOf({ severity, where }: Finding): number {
  const weight = where === undefined ? 1 : WEIGHTS[where];
  return severity === 'error' ? weight : weight + 10;
}

const WEIGHTS: Readonly<Record<Surroundings, number>> = { request: 0, loop: 0, startup: 2, test: 3 };
