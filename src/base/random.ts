/** A source of numbers in [0, 1), as Math.random is one. */
export type Random = () => number;

/**
 * A small seeded generator, so that a run can be repeated from its seed.
 * Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough for jitter and test data.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
