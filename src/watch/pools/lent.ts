const LENT = Symbol('poolctl.lent');

/** What a pool has lent, where the pool itself keeps that to itself. */
export function lentBy(pool: object): Set<object> {
  const carrier = pool as { [LENT]?: Set<object> };
  let lent = carrier[LENT];
  if (lent === undefined) {
    lent = new Set();
    Object.defineProperty(pool, LENT, { value: lent });
  }
  return lent;
}
