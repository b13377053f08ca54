import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import { captureSite } from '../base/call-site.js';
import { SiteSampler } from '../base/site-sampler.js';

let behalf: Error | null = null;

/** While `work` runs, until it returns, acquires are those of the call at `site`. */
export function onBehalfOf<T>(site: Error, work: () => T): T {
  const outer = behalf;
  behalf = site;
  try {
    return work();
  } finally {
    behalf = outer;
  }
}

/** The caller for whom a lease is acquired now, if given; else null. */
export function siteOnBehalf(): Error | null {
  return behalf;
}

/** A call whose stack was not recorded. */
const UNSAMPLED = Symbol('poolctl.unsampled');
/** Calls whose work goes on in later turns. None is made before a library is met that needs it: it slows promises down. */
let carried: AsyncLocalStorage<Error | typeof UNSAMPLED> | null = null;
const CARRIED = Symbol('poolctl.carried');
/** Stacks of calls into a mapper. */
const mapped = new WeakSet<Error>();

/** Whether a stack begins in a mapper, so that its first calls are the mapper's own. */
export function isOfMapper(site: Error): boolean {
  return mapped.has(site);
}

/**
 * Everything that `work` begins is done for the call at `site`, also in later turns, as far as its own stacks lead to no
 * code of the user's. An outer call comes first: its stack is nearer to the user. null: the call was not recorded. Then
 * what it acquires has no site, since its own stack would name a line of the library.
 */
export function carry<T>(site: Error | null, work: () => T): T {
  carried ??= new AsyncLocalStorage();
  if (site !== null) mapped.add(site);
  return carried.getStore() === undefined ? carried.run(site ?? UNSAMPLED, work) : work();
}

/** Adds to a stack the call for which it was made, if one is known. `own` may be null, where it was not sampled. */
export function withCarried(own: Error | null): Error | null {
  const site = carried?.getStore();
  if (site === undefined) return own;
  if (site === UNSAMPLED) return null;
  if (own === null) return site;
  if (own !== site) Object.defineProperty(own, CARRIED, { value: site });
  return own;
}

/** The call for which a stack was made; null if none is known. */
export function carriedBy(site: Error): Error | null {
  return (site as { readonly [CARRIED]?: Error })[CARRIED] ?? null;
}

/** Frames of query builders and object mappers lie between. */
const STACK_FRAMES = 30;
/** Stacks a second of calls that only build or send a query: as many as leases of queries have. */
const SITES_PER_SECOND = 100;
const sampler = new SiteSampler(SITES_PER_SECOND);

/** The call site of `above`; null if its turn to be recorded has not come. */
export function sampledSite(above: (...args: never[]) => unknown): Error | null {
  return sampler.turn(performance.now()) ? captureSite(above, STACK_FRAMES) : null;
}
