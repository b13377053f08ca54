import type { Thing } from '../../helpers/fake-driver.js';
import type { Player } from './player.js';

/**
 * Watches by the pool's events who has what at every moment, also between two turns of the loop: nobody may be lent
 * what another has, nor what is closed, known to be broken, or older than the last invalidation of all.
 */
export class Witness {
  readonly #lent = new Map<Thing, number>();
  readonly #bad = new Set<Thing>();
  #staleUpTo = 0;
  #expired = false;

  constructor({ pool, problems }: Pick<Player, 'pool' | 'problems'>) {
    pool.on('acquire', ({ leaseId, resource }) => {
      const what = `lease ${leaseId} is of thing ${resource.id}, which`;
      const before = this.#lent.get(resource);
      if (before !== undefined) problems.push(`${what} lease ${before} has as well`);
      if (resource.closedAs !== null) problems.push(`${what} is closed (${resource.closedAs})`);
      if (this.#bad.has(resource)) problems.push(`${what} is known to be bad`);
      if (resource.nthCreate <= this.#staleUpTo) problems.push(`${what} is of an invalidated generation`);
      this.#lent.set(resource, leaseId);
    });
    pool.on('invalidateAll', () => {
      this.#expired = true;
    });
    pool.on('release', ({ leaseId }) => {
      const [thing] = [...this.#lent].find(([, lease]) => lease === leaseId) ?? [];
      if (thing === undefined) problems.push(`lease ${leaseId} was released, but nobody had it`);
      else this.#lent.delete(thing);
    });
  }

  /** Some that are idle may have to be replaced before anything is lent. */
  get anyStale(): boolean {
    return this.#expired || this.#bad.size > 0;
  }

  /** The pool has been told that this one is not to be lent again. */
  known(bad: Thing): void {
    this.#bad.add(bad);
  }

  /** The pool has been told so of all that come of the creates up to now. */
  staleFrom(creates: number): void {
    this.#staleUpTo = creates;
  }
}
