import { captureSite } from '../base/call-site.js';
import type { Clock } from '../base/clock.js';
import { Histogram } from '../base/histogram.js';
import { asError } from '../base/promises.js';
import { SiteSampler } from '../base/site-sampler.js';
import type { PoolCounters, WatchedHolder } from '../snapshot/pool.js';
import { type Blame, BlameBook } from './blame.js';
import { askedTogether, type Burst, Bursts } from './bursts.js';
import { siteOnBehalf, withCarried } from './call-site.js';
import { type Frame, framesOf, stackText } from './frames.js';
import { nestedWaiters } from './nested.js';
import { type ConnectionBook, Note, newNote, noteOn } from './note.js';
import { Observations } from './observations.js';
import type { OpenLease, PoolTape } from './record/recorder.js';
import { type ResourceState, watchConnection } from './resources.js';
import { Ring } from './ring.js';
import { isCursor, SessionNote, sessionOf } from './session-note.js';
import { sessionEffect } from './statements.js';

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
  /** Whether it is that of one statement, which gives the lease back by itself. */
  readonly releasesItself: boolean;
  /** The acquires that began together with it. */
  readonly burst: Burst;
}

/** Callers of the pool that have no lease yet, as they are now. */
export interface WaiterSight {
  readonly sites: readonly { readonly site: string; readonly count: number }[];
  readonly nested: number | null;
  /** The most of them that asked at the same time. */
  readonly together: number;
}

/** With the frames of object mappers and drivers in between, the user's own are further off than in our own pool. */
const STACK_FRAMES = 30;
/** Length in characters of the reported last SQL. */
export const MOST_SQL = 1000;
/** Stacks that are remembered between two readings, to learn which functions work with their leases. */
const REMEMBERED = 32;
/** Statements a second whose stack is recorded. */
const STATEMENT_SITES = 20;

/** Keeps account of the acquires and leases of one foreign pool. */
export class LeaseBook implements ConnectionBook {
  readonly clock: Clock;
  readonly waits = new Histogram();
  readonly holds = new Histogram();
  /** Durations of connects, where they can be seen. */
  readonly creates = new Histogram();
  readonly leakAfterMs: number;
  readonly observed: Observations;
  /** Records each lease; null while nobody wants it. */
  tape: PoolTape | null = null;
  readonly #sampler: SiteSampler;
  readonly #ofQueries: SiteSampler;
  readonly #ofStatements = new SiteSampler(STATEMENT_SITES);
  readonly #blame = new BlameBook();
  readonly #returned = new Ring<Error>(REMEMBERED);
  readonly #used = new Ring<readonly [acquire: Error, statement: Error]>(REMEMBERED);
  readonly #bursts = new Bursts();
  #asked = 0;
  #acquired = 0;
  #released = 0;
  #created = 0;
  /** Resources that were lent for the first time. Most libraries do not report that they made one. */
  #met = 0;
  #createFailed = 0;
  #timedOut = 0;
  /** Leases that were held too long and have ended. */
  #leaked = 0;
  #peakInUse = 0;
  #createError: string | null = null;
  /** Callers that began to wait before anybody watched, and that have no outcome yet. */
  #olderWaiters = 0;

  constructor(clock: Clock, { leakAfterMs, sitesPerSecond }: LeaseBookOptions = {}) {
    this.clock = clock;
    this.observed = new Observations(clock);
    this.leakAfterMs = leakAfterMs ?? 60_000;
    const perSecond = sitesPerSecond ?? 1000;
    this.#sampler = new SiteSampler(perSecond);
    this.#ofQueries = new SiteSampler(Math.ceil(perSecond / 10));
  }

  get peakInUse(): number {
    return this.#peakInUse;
  }

  /** The error of the last failed create, until one succeeds. */
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
      withCarried(
        (releasesItself ? this.#ofQueries : this.#sampler).turn(since)
          ? captureSite(acquire, STACK_FRAMES)
          : null,
      );
    return { since, site, releasesItself, burst: this.#bursts.add(since, site) };
  }

  /** The same for an acquire whose stack is known, or cannot be. */
  askedAt(site: Error | null, releasesItself = false): Asked {
    this.#asked++;
    const since = this.clock.now();
    const at = siteOnBehalf() ?? withCarried(site);
    return { since, site: at, releasesItself, burst: this.#bursts.add(since, at) };
  }

  /** The largest burst of acquires of the last seconds, and the line that made it. */
  burst(): { count: number; agoMs: number; site: string | null } | null {
    const { largest } = this.#bursts;
    if (largest === null) return null;
    const { count, at, site } = largest;
    const [blame] = this.blamesOf([framesOf(site)]);
    return { count, agoMs: this.clock.now() - at, site: blame?.site ?? null };
  }

  /** `words` say what it is lent for, where no statement will. */
  lend(resource: object, asked: Asked | null, words: string | null = null): void {
    const now = this.clock.now();
    const note = noteOn(resource) ?? this.#noteFor(resource);
    // Its release went past us: the lease before is over all the same.
    if (note.leaseId !== 0) this.#released++;
    this.#acquired++;
    note.book = this;
    note.leaseId = this.#acquired;
    note.acquiredAt = now;
    note.isOlder = false;
    note.site = asked?.site ?? null;
    note.releasesItself = asked?.releasesItself === true;
    note.sql = words;
    note.waitedMs = asked === null ? 0 : now - asked.since;
    if (asked !== null) this.waits.recordMs(note.waitedMs);
    this.#peakInUse = Math.max(this.#peakInUse, this.#acquired - this.#released);
  }

  /**
   * The watch begins in the middle of the pool's life. `lent` are the resources that are out already. Nothing tells
   * since when, or who has them. `pending` acquires have no outcome yet.
   */
  beginLate(lent: Iterable<object>, pending: number): void {
    this.#olderWaiters = pending;
    for (const resource of lent) this.#meet(resource);
  }

  /** Meets the resources that went to a caller who waited before the watch began. Does nothing once there are none left. */
  meetLent(lent: () => Iterable<object>): void {
    if (this.#olderWaiters === 0) return;
    for (const resource of lent()) this.lendOlder(resource);
  }

  /** Lends a resource to a caller who waited before the watch began. Does nothing where there is none left. */
  lendOlder(resource: object): void {
    // From now on it counts among those that were seen to ask.
    if (this.#olderWaiters > 0 && this.#meet(resource)) this.#olderWaiters--;
  }

  /** Whether it was new. Counts its acquire among those that were asked for. */
  #meet(resource: object): boolean {
    const note = noteOn(resource) ?? this.#noteFor(resource, true);
    if (note.leaseId !== 0) return false;
    this.#asked++;
    this.#acquired++;
    note.book = this;
    note.leaseId = this.#acquired;
    note.acquiredAt = this.clock.now();
    note.isOlder = true;
    note.site = null;
    note.releasesItself = false;
    note.sql = null;
    note.waitedMs = 0;
    this.#peakInUse = Math.max(this.#peakInUse, this.#acquired - this.#released);
    return true;
  }

  /** Does nothing where no lease of it is known, unless it went to a caller who waited before the watch began. */
  release(resource: object): void {
    this.lendOlder(resource);
    const note = noteOn(resource);
    if (note === null || note.leaseId === 0) return;
    const now = this.clock.now();
    const heldMs = now - note.acquiredAt;
    this.#released++;
    if (this.tape !== null && !note.isOlder) this.#record(this.tape, note, now, heldMs);
    if (heldMs >= this.leakAfterMs && note.session?.isPurpose !== true) this.#leaked++;
    if (!note.isOlder) this.holds.recordMs(heldMs);
    if (note.site !== null && !note.releasesItself) this.#returned.push(note.site);
    note.leaseId = 0;
    note.site = null;
    note.sql = null;
    note.session?.released();
  }

  seesStatements(): void {
    this.observed.begin();
  }

  sent(note: Note, query: unknown, send: (...args: never[]) => unknown): void {
    const { observed } = this;
    const sql = typeof query === 'string' ? query : sqlIn(query);
    observed.begin();
    observed.queries = (observed.queries ?? 0) + 1;
    if (note.leaseId !== 0) note.sql = sql;
    if (typeof query === 'object' && query !== null) this.#sentObject(note, query);
    const effect = sql === null ? null : sessionEffect(sql);
    if (effect !== null) {
      note.session ??= new SessionNote();
      note.session.apply(effect);
      observed.changed(effect, note.site);
    }
    if (note.site === null || note.releasesItself || !this.#ofStatements.turn(note.acquiredAt)) return;
    this.#used.push([note.site, captureSite(send, STACK_FRAMES)]);
  }

  /** An acquire is refused since the pool was closed; to be called from `acquire` itself. */
  refused(code: string, acquire: (...args: never[]) => unknown): void {
    this.observed.refused(code, captureSite(acquire, STACK_FRAMES));
  }

  statementFailed(note: Note, code: string, message: string): void {
    this.observed.failed(code, message, note.site);
  }

  lost({ leaseId, status }: Note): void {
    this.observed.lost(leaseId !== 0, status === null ? null : status !== 'I');
  }

  /** A resource was made, in this time where it was seen to begin. */
  created(ms: number | null = null): void {
    this.#created++;
    this.#createError = null;
    this.tape?.connected(this.clock.now(), ms);
    this.observed.createErrorCode = null;
    if (ms === null) return;
    this.creates.recordMs(ms);
    this.observed.connected(ms);
  }

  /** An acquire got no resource, since none could be made. */
  createFailed(error: unknown): void {
    this.#createFailed++;
    this.#createError = asError(error).message;
    this.observed.connectFailed(error);
  }

  /** The lent ones among these resources, oldest lease first. */
  holders(resources: Iterable<object>, stateOf: (resource: object) => ResourceState): WatchedHolder[] {
    const now = this.clock.now();
    this.#sampler.rested(now);
    this.#ofQueries.rested(now);
    this.#ofStatements.rested(now);
    this.#learn();
    const lent = [...resources].flatMap((resource) => {
      const note = noteOn(resource);
      return note === null || note.leaseId === 0 ? [] : [{ note, resource, frames: framesOf(note.site) }];
    });
    lent.sort((a, b) => a.note.leaseId - b.note.leaseId);
    const blames = this.#blame.of(lent.map(({ frames }) => frames));
    return lent.map(({ note, resource, frames }, i) => {
      const ageMs = now - note.acquiredAt;
      const state = stateOf(resource);
      return {
        leaseId: note.leaseId,
        ageMs: note.isOlder ? null : ageMs,
        site: blames[i]?.site ?? null,
        helper: blames[i]?.helper ?? null,
        stack: stackText(frames),
        // An older lease has been out for at least that long.
        leaked: ageMs >= this.leakAfterMs && note.session?.isPurpose !== true,
        lastSql: note.sql?.slice(0, MOST_SQL) ?? null,
        ...state,
        ...(note.readyAt === null
          ? {}
          : { idleMs: state.busy === false ? now - Math.max(note.readyAt, note.acquiredAt) : null }),
        ...(note.status === null && note.session === null
          ? {}
          : { session: sessionOf(note.session, note.status) }),
      };
    });
  }

  /** The lines that are responsible for what came along these stacks. */
  blamesOf(stacks: readonly (readonly Frame[])[]): readonly Blame[] {
    this.#learn();
    return this.#blame.peek(stacks);
  }

  /** The call sites of these waiters, and how many of them wait for a lease of their own flow. */
  waiters(waiting: Iterable<Asked>, resources: Iterable<object>): WaiterSight {
    const asked = [...waiting].map(({ since, site, burst }) => ({ since, burst, frames: framesOf(site) }));
    const counts = new Map<string, number>();
    const blames = this.#blame.peek(asked.map(({ frames }) => frames));
    for (const { site } of blames) if (site !== null) counts.set(site, (counts.get(site) ?? 0) + 1);
    const idle = [...resources].flatMap((resource) => {
      const note = noteOn(resource);
      // A statement's own lease comes back by itself: nobody waits with it in hand.
      if (note === null || note.leaseId === 0 || note.readyAt === null || note.releasesItself) return [];
      // A subscription is kept for good, and its flow goes on without it.
      if (note.session?.isPurpose === true) return [];
      return [{ idleSince: Math.max(note.readyAt, note.acquiredAt), frames: framesOf(note.site) }];
    });
    const held = this.#blame.peek(idle.map(({ frames }) => frames));
    const leases = idle.map(({ idleSince }, i) => ({ idleSince, frames: held[i]?.calls ?? [] }));
    return {
      sites: [...counts].map(([site, count]) => ({ site, count })).sort((a, b) => b.count - a.count),
      together: askedTogether(asked),
      nested: asked.some(({ frames }) => frames.length > 0) ? nestedWaiters(asked, leases) : null,
    };
  }

  /** Connections that lie in the pool with an open transaction; null where the library does not tell of transactions. */
  openIdle(resources: Iterable<object>): number | null {
    let count: number | null = null;
    for (const resource of resources) {
      const { status = null, leaseId = 0 } = noteOn(resource) ?? {};
      if (status === null) continue;
      count ??= 0;
      if (leaseId === 0 && status !== 'I') count++;
    }
    return count;
  }

  /** Connections can be opened again, though none was yet. */
  recovered(): void {
    this.#createError = null;
    this.observed.createErrorCode = null;
  }

  timedOut(): void {
    this.#timedOut++;
  }

  /** Counts the acquires that gave up. `pending` ones have no outcome yet; null: the pool reports its timeouts. */
  gaveUp(pending: number | null): number {
    if (pending === null) return this.#timedOut;
    // A caller without a resource or a known error that no longer waits has timed out.
    const known = this.#asked + this.#olderWaiters;
    return Math.max(0, known - this.#acquired - this.#createFailed - pending);
  }

  /** The leases that are out now, for a recording. */
  *open(resources: Iterable<object>): Generator<OpenLease> {
    const now = this.clock.now();
    for (const resource of resources) {
      const note = noteOn(resource);
      if (note === null || note.leaseId === 0 || note.isOlder) continue;
      yield {
        ageMs: now - note.acquiredAt,
        waitedMs: note.waitedMs,
        site: () => this.#siteOf(note.site),
        isPurpose: note.session?.isPurpose === true,
      };
    }
  }

  /** The counters of a foreign pool. `pending` acquires have no outcome yet; null: the pool reports its timeouts. */
  counters(holders: readonly WatchedHolder[], pending: number | null): Partial<PoolCounters> {
    return {
      acquired: this.#acquired,
      released: this.#released,
      created: Math.max(this.#created, this.#met),
      createFailed: this.#createFailed,
      timedOut: this.gaveUp(pending),
      leaked: this.#leaked + holders.filter(({ leaked }) => leaked).length,
    };
  }

  #sentObject(note: Note, query: object): void {
    if ('name' in query && typeof query.name === 'string' && query.name !== '') {
      this.observed.named = (this.observed.named ?? 0) + 1;
    }
    if (isCursor(query)) {
      note.session ??= new SessionNote();
      note.session.reads(query);
    }
  }

  #record(tape: PoolTape, { site, waitedMs }: Note, now: number, heldMs: number): void {
    const isLooked = site !== null && tape.wantsSite(now);
    tape.lease(now, heldMs, waitedMs, isLooked ? this.#siteOf(site) : null);
  }

  #siteOf(site: Error | null): string | null {
    return this.#blame.peek([framesOf(site)])[0]?.site ?? null;
  }

  /** Stacks are formatted now that somebody reads, and not while the application works. */
  #learn(): void {
    for (const site of this.#returned.drain()) this.#blame.returned(framesOf(site));
    for (const [acquire, statement] of this.#used.drain()) {
      this.#blame.used(framesOf(acquire), framesOf(statement));
    }
  }

  #noteFor(resource: object, isOlder = false): Note {
    try {
      const note = newNote(resource);
      note.isOlder = isOlder;
      this.#met++;
      note.book = this;
      watchConnection(resource, note);
      return note;
    } catch {
      // One that is frozen, say: its lease is counted, and not seen.
      return new Note();
    }
  }
}

/** The text in a query's configuration, or in the query itself. */
function sqlIn(query: unknown): string | null {
  try {
    if (typeof query !== 'object' || query === null) return null;
    if ('text' in query && typeof query.text === 'string') return query.text;
    return 'sql' in query && typeof query.sql === 'string' ? query.sql : null;
  } catch {
    // A getter of the application's own.
    return null;
  }
}
