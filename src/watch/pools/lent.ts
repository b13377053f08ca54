import { mark } from '../undo.js';

const LENT = Symbol('poolctl.lent');

/** The lent resources of a pool that does not list them. */
export function lentBy(pool: object): Set<object> {
  const carrier = pool as { [LENT]?: Set<object> };
  let lent = carrier[LENT];
  if (lent === undefined) {
    lent = new Set();
    mark(pool, LENT, lent);
  }
  return lent;
}
