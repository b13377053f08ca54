import { captureSite, formatSite, formatStack } from '../base/call-site.js';
import type { Clock } from '../base/clock.js';
import { Histogram } from '../base/histogram.js';
import { asError } from '../base/promises.js';
import { SiteSampler } from '../base/site-sampler.js';
import type { PoolCounters, WatchedHolder } from '../snapshot/pool.js';
import { siteOnBehalf } from './call-site.js';
import { Note, newNote, noteOn } from './note.js';
import { type ResourceState, watchQueries } from './resources.js';

export interface LeaseBookOptions {
  /** A lease out for longer is a leak, in milliseconds. Default 60,000. */
  readonly leakAfterMs?: number;
  /** How many acquires a second have their stack kept. Default 1,000, about 1 % of a core. */
  readonly sitesPerSecond?: number;
}

/** An acquire that has begun. */
export interface Asked {
  readonly since: number;
  /** Holds the stack of the call, unformatted; null where it was not sampled. */
  readonly site: Error | null;
}

/** With the frames of query builders and drivers in between, the user's own are further off than in our own pool. */
const STACK_FRAMES = 12;
/** Of the last SQL so many characters are told. */
export const MOST_SQL = 1000;

/** Keeps account of the acquires and leases of one foreign pool. */
export class LeaseBook {
  readonly clock: Clock;
  readonly waits = new Histogram();
  readonly holds = new Histogram();
  readonly leakAfterMs: number;
  readonly #sampler: SiteSampler;
  readonly #ofQueries: SiteSampler;
  #asked = 0;
  #acquired = 0;
  #released = 0;
  #created = 0;
  #createFailed = 0;
  #timedOut = 0;
  /** Of leases that have ended. */
  #leaked = 0;
  #peakInUse = 0;
  #createError: string | null = null;

  constructor(clock: Clock, { leakAfterMs, sitesPerSecond }: LeaseBookOptions = {}) {
    this.clock = clock;
    this.leakAfterMs = leakAfterMs ?? 60_000;
    const perSecond = sitesPerSecond ?? 1000;
    this.#sampler = new SiteSampler(perSecond);
    this.#ofQueries = new SiteSampler(Math.ceil(perSecond / 10));
  }

  get peakInUse(): number {
    return this.#peakInUse;
  }

  /** Of the last create that failed, until one succeeds. */
  get createError(): string | null {
    return this.#createError;
  }

  /**
   * An acquire begins; to be called from `acquire` itself, whose caller is the site. One of a query that releases by
   * itself cannot leak, and is looked at less often: such acquires are the many, and a stack is what costs most.
   */
  ask(acquire: (...args: never[]) => unknown, releasesItself = false): Asked {
    const since = this.clock.now();
    this.#asked++;
    const site =
      siteOnBehalf() ??
      ((releasesItself ? this.#ofQueries : this.#sampler).turn(since)
        ? captureSite(acquire, STACK_FRAMES)
        : null);
    return { since, site };
  }

  lend(resource: object, asked: Asked | null): void {
    const now = this.clock.now();
    const note = noteOn(resource) ?? noteFor(resource);
    // Its release went past us: the lease before is over all the same.
    if (note.leaseId !== 0) this.#released++;
    this.#acquired++;
    note.leaseId = this.#acquired;
    note.acquiredAt = now;
    note.site = asked?.site ?? null;
    note.sql = null;
    if (asked !== null) this.waits.recordMs(now - asked.since);
    this.#peakInUse = Math.max(this.#peakInUse, this.#acquired - this.#released);
  }

  /** Does nothing where no lease of it is known. */
  release(resource: object): void {
    const note = noteOn(resource);
    if (note === null || note.leaseId === 0) return;
    const heldMs = this.clock.now() - note.acquiredAt;
    this.#released++;
    if (heldMs >= this.leakAfterMs) this.#leaked++;
    this.holds.recordMs(heldMs);
    note.leaseId = 0;
    note.site = null;
    note.sql = null;
  }

  created(): void {
    this.#created++;
    this.#createError = null;
  }

  /** An acquire got no resource, since none could be made. */
  createFailed(error: unknown): void {
    this.#createFailed++;
    this.#createError = asError(error).message;
  }

  /** Of these resources those that are lent, oldest lease first. */
  holders(resources: Iterable<object>, stateOf: (resource: object) => ResourceState): WatchedHolder[] {
    const now = this.clock.now();
    this.#sampler.rested(now);
    this.#ofQueries.rested(now);
    const holders: WatchedHolder[] = [];
    for (const resource of resources) {
      const note = noteOn(resource);
      if (note === null || note.leaseId === 0) continue;
      const ageMs = now - note.acquiredAt;
      holders.push({
        leaseId: note.leaseId,
        ageMs,
        site: formatSite(note.site, { skipPackages: true }),
        stack: formatStack(note.site, { skipPackages: true }),
        leaked: ageMs >= this.leakAfterMs,
        lastSql: note.sql?.slice(0, MOST_SQL) ?? null,
        ...stateOf(resource),
      });
    }
    return holders.sort((a, b) => a.leaseId - b.leaseId);
  }

  timedOut(): void {
    this.#timedOut++;
  }

  /** What is counted of a foreign pool. Of its acquires `pending` have no outcome yet; null: time-outs are told. */
  counters(holders: readonly WatchedHolder[], pending: number | null): Partial<PoolCounters> {
    const unanswered = this.#asked - this.#acquired - this.#createFailed;
    return {
      acquired: this.#acquired,
      released: this.#released,
      created: this.#created,
      createFailed: this.#createFailed,
      // Who has got neither a resource nor an error that was seen, and waits no more, has timed out.
      timedOut: pending === null ? this.#timedOut : Math.max(0, unanswered - pending),
      leaked: this.#leaked + holders.filter(({ leaked }) => leaked).length,
    };
  }
}

function noteFor(resource: object): Note {
  try {
    watchQueries(resource);
    return newNote(resource);
  } catch {
    // One that is frozen, say: its lease is counted, and not seen.
    return new Note();
  }
}
