import type { Clock } from '../base/clock.js';
import { asError } from '../base/promises.js';
import type { QueuePool } from '../pool/queue-pool.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import { isObject, plainValue } from './hooking.js';
import { LeaseBook, type LeaseBookOptions } from './lease-book.js';
import { type Making, Makings, makingOf, noteMaking } from './making.js';
import {
  isKnexClient,
  watchKnexClass,
  watchKnexClient,
  watchMssql,
  watchObjection,
  watchSequelize,
} from './mappers.js';
import type { OpenedConnections } from './opened.js';
import { isOwnPool, ownPool } from './own-pool.js';
import type { PoolKind } from './pools/kind.js';
import { ASKED_KINDS, POOL_KINDS } from './pools/registry.js';
import type { PublishedPools } from './protocol.js';
import type { Published } from './publish.js';
import type { LeaseRecorder } from './record/recorder.js';
import { isSpeakingPool, type SpeakingPool, speakingPool } from './speaking-pool.js';
import { mark } from './undo.js';
import { poolsWithin } from './unwrap.js';
import { type WatchedPool, watchedPool } from './watched-pool.js';

/** The mark of a watched pool; the same for all copies of poolctl in a process. */
interface Watch {
  /** null for our own pools, which keep their own. */
  readonly book: LeaseBook | null;
  readonly pool: WatchedPool;
  /** null until somebody asks for it. */
  name: string | null;
}

const WATCH = Symbol.for('poolctl.watch');

/** The watched pools, and the gaps. The owner of a pool may forget it: the watcher does not hold it. */
export class Watcher {
  /** The place of publication, if any. */
  published: Promise<Published> | null = null;
  /** How pools are watched that nobody has said anything else of. */
  defaults: LeaseBookOptions = {};
  readonly #clock: Clock;
  /** Whether pools may have worked for a while before they are met: what is out then counts as held. */
  readonly #isLate: boolean;
  #isClosed = false;
  #watches: WeakRef<Watch>[] = [];
  readonly #gaps = new Set<string>();
  readonly #known = new Set<string>();
  readonly #onFirst: (() => void)[] = [];
  readonly #makings = new Makings();
  #recorder: LeaseRecorder | null = null;

  constructor(clock: Clock, { isLate = false } = {}) {
    this.#clock = clock;
    this.#isLate = isLate;
  }

  /** From now on a method of ours that the program still has in hand does what the program's own would. */
  close(): void {
    this.#isClosed = true;
    this.#watches = [];
  }

  /**
   * Watches one pool, or those within a DataSource, a knex or the like, from now on. One that is watched already only
   * gets the name. Answers none where nothing in it is known.
   */
  add(value: object, name: string | null = null, options: LeaseBookOptions = {}): readonly WatchedPool[] {
    const client = 'client' in value ? value.client : null;
    if (isKnexClient(client)) watchKnexClient(client);
    return poolsWithin(value).flatMap((pool) => this.#addOne(pool, name, options) ?? []);
  }

  #addOne(pool: object, name: string | null, options: LeaseBookOptions): WatchedPool | null {
    const before = watchOn(pool);
    if (before !== null) {
      if (name !== null) before.name = this.#freeName(name);
      return before.pool;
    }
    if (isOwnPool(pool)) return this.#addOwn(pool, name);
    const kind = this.#kindOf(pool);
    if (kind === null) return isSpeakingPool(pool) ? this.#addSpeaking(pool, name) : null;
    const watched = this.#begin(pool, kind, name, options);
    kind.hook(pool, bookOn);
    return watched;
  }

  #addOwn(pool: QueuePool<object>, name: string | null): WatchedPool {
    const watch: Watch = {
      book: null,
      name: this.#freeName(name ?? pool.name),
      pool: ownPool(pool, () => watch.name ?? pool.name),
    };
    return this.#keep(pool, watch);
  }

  #addSpeaking(pool: SpeakingPool, name: string | null): WatchedPool {
    const own = this.#freeName(name ?? pool.snapshot().name);
    const watch: Watch = { book: null, name: own, pool: speakingPool(pool, () => watch.name ?? own) };
    return this.#keep(pool, watch);
  }

  /** Whether it is a pool of a library, or the prototype of one. */
  isKind(value: object): boolean {
    return this.#kindOf(value) !== null;
  }

  /** Watches a pool that was found in a running program, and each other one of its class. Whether it is a pool. */
  meet(pool: object): boolean {
    if (isKnexClient(pool)) watchKnexClient(pool);
    if (this.#kindOf(pool) !== null) this.addPrototype(Object.getPrototypeOf(pool) as object);
    return this.#addOne(pool, null, {}) !== null;
  }

  /** Watches all pools of a class as they are first used, if it is a class of pools. */
  addClass(value: unknown): boolean {
    const prototype = typeof value === 'function' ? plainValue(value, 'prototype') : undefined;
    if (!isObject(prototype)) return false;
    watchObjection(value as object);
    watchSequelize(prototype);
    return this.addPrototype(prototype);
  }

  /** The same, by the prototype of the class. */
  addPrototype(value: object): boolean {
    watchMssql(value, (pool) => this.add(pool));
    // The class that has the methods: those derived from it share them.
    const prototype = baseOf(value, (one) => this.#kindOf(one) !== null || isKnexClient(one));
    if (prototype === null) return false;
    if (isKnexClient(prototype)) {
      // Clients that are there already have made their pool, and use the methods of their dialect.
      if (this.#isLate) watchKnexClient(value);
      watchKnexClass(prototype, (pool) => this.add(pool));
      return false;
    }
    const kind = this.#kindOf(prototype);
    if (kind === null) return false;
    this.#known.add(kind.driver);
    if (kind.madeBy !== undefined) noteMaking(prototype, kind.madeBy, () => this.#clock.now());
    kind.hook(prototype, (pool) => {
      if (this.#isClosed) return null;
      const watch = watchOn(pool);
      return watch === null ? this.#adopt(pool, kind) : watch.book;
    });
    return true;
  }

  /** Whether a class of pools of that kind has been met. */
  knows(driver: string): boolean {
    return this.#known.has(driver);
  }

  /** Takes in a pool that is used for the first time; one whose insides are others than expected is left alone. */
  #adopt(pool: object, kind: PoolKind<object>): LeaseBook | null {
    try {
      kind.read(pool, new LeaseBook(this.#clock));
      this.#begin(pool, kind, null, {});
      return bookOn(pool);
    } catch (error) {
      this.gap(`a pool of ${kind.driver} cannot be watched: ${asError(error).message}`);
      mark(pool, WATCH, NOT_WATCHED);
      return null;
    }
  }

  /** Watches a pool that is no object of its own, by what it consists of. */
  addInsides<P extends object>(insides: P, kind: PoolKind<P>, making: Making): LeaseBook | null {
    const known = kind as unknown as PoolKind<object>;
    this.#known.add(kind.driver);
    this.#begin(insides, known, null, {}, making);
    known.hook(insides, bookOn);
    return bookOn(insides);
  }

  #begin(
    pool: object,
    kind: PoolKind<object>,
    name: string | null,
    options: LeaseBookOptions,
    made: Making | null = makingOf(pool),
  ): WatchedPool {
    const clock = this.#clock;
    const book = new LeaseBook(clock, { ...this.defaults, ...options });
    const watch: Watch = {
      book,
      name: name === null ? null : this.#freeName(name),
      pool: watchedPool({
        // By the first time it is asked it has a connection, which knows better than its options where it leads.
        name: () => {
          watch.name ??= this.#freeName(kind.nameOf(pool));
          return watch.name;
        },
        driver: kind.driver,
        read: () => {
          if (this.#isLate && kind.lent !== undefined) book.meetLent(() => kind.lent?.(pool) ?? []);
          return kind.read(pool, book);
        },
        book,
        clock,
        made,
        madeAt: () => this.#makings.siteOf(made),
      }),
    };
    if (this.#isLate) book.beginLate(kind.lent?.(pool) ?? [], kind.read(pool, book).pending ?? 0);
    this.#makings.add(made);
    return this.#keep(pool, watch);
  }

  #keep(pool: object, watch: Watch): WatchedPool {
    // The pool holds it, and it the pool: they go together.
    mark(pool, WATCH, watch);
    this.#watches.push(new WeakRef(watch));
    if (this.#recorder !== null) watch.pool.record?.(this.#recorder);
    for (const tell of this.#onFirst.splice(0)) tell();
    return watch.pool;
  }

  /** Calls back as soon as there is a pool, in that very turn. */
  whenAny(callback: () => void): void {
    if (this.#watches.length > 0) callback();
    else this.#onFirst.push(callback);
  }

  /** Records the leases of all pools that there are, and will be. */
  record(recorder: LeaseRecorder): void {
    this.#recorder = recorder;
    for (const { pool } of this.#current()) pool.record?.(recorder);
  }

  /** Ends what `record` has begun, for the pools to come. The recorder itself has ended. */
  stopRecording(recorder: LeaseRecorder): void {
    if (this.#recorder === recorder) this.#recorder = null;
  }

  /** Whether a recording begins with the first pool. */
  willRecord = false;

  get isRecording(): boolean {
    return this.#recorder !== null || this.willRecord;
  }

  /** Notes what cannot be watched, and why. */
  gap(text: string): void {
    this.#gaps.add(text);
  }

  get gaps(): readonly string[] {
    return [...this.#gaps];
  }

  /** Tells of connections of other code; null where nobody looks at them. */
  opened: OpenedConnections | null = null;

  /** All pools that are in use, as they are now. One that cannot be read is a gap. */
  read(): PublishedPools {
    const pools: WatchedSnapshot[] = [];
    for (const { pool } of this.#current()) {
      try {
        pools.push(pool.snapshot());
      } catch (error) {
        this.gap(`${pool.name} cannot be read: ${asError(error).message}`);
      }
    }
    const gaps = [...this.gaps, ...(this.opened?.gaps(pools) ?? [])];
    if (this.opened !== null && pools.length === 0 && gaps.length === 0) gaps.push(NO_POOL);
    return { takenAtMs: this.#clock.wallTime(), pools, gaps };
  }

  /** Forgets the pools that are gone, or closed and empty. */
  #current(): Watch[] {
    const current: Watch[] = [];
    this.#watches = this.#watches.filter((reference) => {
      const watch = reference.deref();
      if (watch === undefined || isOver(watch)) return false;
      current.push(watch);
      return true;
    });
    return current;
  }

  #kindOf(value: object): PoolKind<object> | null {
    return (this.#isLate ? ASKED_KINDS : POOL_KINDS).find((kind) => kind.isOne(value)) ?? null;
  }

  #freeName(wanted: string): string {
    const taken = new Set(this.#current().map((watch) => watch.name));
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted} #${n}`;
    return name;
  }
}

function isOver({ pool }: Watch): boolean {
  try {
    return pool.over;
  } catch {
    return false;
  }
}

/** Settings of a process that is watched from its start. */
const NO_POOL =
  'no pool was found in this process: it has made none yet, or one of a library that poolctl does not know; such a pool can be named with watch() of poolctl/watch';

/** The mark of a pool that cannot be watched: it is not read again. */
const NOT_WATCHED: Watch = {
  book: null,
  name: null,
  pool: {
    name: '',
    over: true,
    snapshot() {
      throw new Error('it cannot be watched');
    },
  },
};

function watchOn(pool: object): Watch | null {
  return (pool as { readonly [WATCH]?: Watch })[WATCH] ?? null;
}

function bookOn(pool: object): LeaseBook | null {
  return watchOn(pool)?.book ?? null;
}

/** The furthest of an object and its prototypes that is such a one; null where it is none itself. */
function baseOf(value: object, isOne: (value: object) => boolean): object | null {
  let base: object | null = null;
  for (
    let at: object | null = value;
    at !== null && isOne(at);
    at = Object.getPrototypeOf(at) as object | null
  ) {
    base = at;
  }
  return base;
}
