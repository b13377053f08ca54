import { formatSite, isSameCall } from '../base/call-site.js';
import { isHeld } from './flow-watch.js';
import type { Waiter } from './waiter.js';

/** A flow waits for a resource of a pool whose last free place it holds itself. The sites are `file:line:column`, null where not sampled. */
export interface NestedReport {
  readonly pool: string;
  readonly outerSite: string | null;
  readonly innerSite: string | null;
  readonly waitedMs: number;
}

/** A flow that waits for itself is reported after this long, or half of its timeout if that is less. */
const NESTED_REPORT_MS = 1000;
/** So many suspects are looked at more closely at a time, since that means to format stacks. */
const NESTED_PORTION = 20;

/**
 * Finds waiters that hold up themselves: their own flow has a lease of the same full pool. Where leases still come
 * back it is a queue and no deadlock, and who only shares a starter with a holder does not hold its lease (see
 * isSameCall).
 */
export class NestedWatch<R> {
  readonly #pool: string;
  #suspects: Waiter<R>[] = [];
  /** No lease has come back since then, as far as was looked: leases counted by then, and when. */
  #standstill = { released: 0, since: Number.NEGATIVE_INFINITY };

  constructor(pool: string) {
    this.#pool = pool;
  }

  /** A waiter whose flow seems to hold a lease begins to wait. `released` is the pool's count of releases. */
  add(waiter: Waiter<R>, released: number, now: number): void {
    this.#suspects.push(waiter);
    this.#lookForReleases(released, now);
  }

  /** Looks at the suspects, and tells of those that have turned out to wait for themselves, each once. */
  sweep(released: number, isFull: boolean, now: number): NestedReport[] {
    this.#lookForReleases(released, now);
    if (this.#suspects.length === 0) return [];
    this.#suspects = this.#suspects.filter(({ settled, watched }) => !settled && isHeld(watched!.nestedIn!));
    // A resource that is being opened, for example, will come without a release.
    if (!isFull) return [];
    const due = this.#suspects.filter(({ since, timeoutMs, watched }) => {
      const stoodStillMs = now - Math.max(since, this.#standstill.since);
      return !watched!.nestedReported && stoodStillMs >= Math.min(NESTED_REPORT_MS, timeoutMs / 2);
    });
    return due.slice(0, NESTED_PORTION).flatMap((waiter) => this.#reportOf(waiter, now) ?? []);
  }

  #reportOf({ since, watched }: Waiter<R>, now: number): NestedReport | null {
    const { nestedIn, site } = watched!;
    if (isSameCall(nestedIn!.site, site)) {
      watched!.nestedIn = null;
      this.#suspects = this.#suspects.filter((waiter) => waiter.watched !== watched);
      return null;
    }
    watched!.nestedReported = true;
    return {
      pool: this.#pool,
      outerSite: formatSite(nestedIn!.site),
      innerSite: formatSite(site),
      waitedMs: now - since,
    };
  }

  #lookForReleases(released: number, now: number): void {
    if (released !== this.#standstill.released) this.#standstill = { released, since: now };
  }
}
