import type { poolAddress } from '../../snapshot/observed.js';
import type { PoolSetup } from '../../snapshot/pool.js';
import type { Made } from '../../snapshot/schema.js';
import type { Asked, LeaseBook } from '../lease-book.js';

export type PoolAddress = Made<typeof poolAddress>;

/** A kind of pool, as data and three functions: how to recognize it, what it reports, and where to hook it. */
export interface PoolKind<P extends object> {
  /** As the snapshots have it. */
  readonly driver: string;
  /** Recognises its prototype as well as one pool: by structure, since there may be several copies of a library. */
  isOne(value: object): value is P;
  /** A property that its constructor assigns: each pool of a class is met there. */
  readonly madeBy?: string;
  /**
   * Puts our methods in the place of its own, in one pool or in the prototype of all. They find the book of a pool
   * (null: not watched) when they are called.
   */
  hook(target: P, bookOf: (pool: P) => LeaseBook | null): void;
  /** Default name of the pool; never contains a password. */
  nameOf(pool: P): string;
  /** The resources that are out now, also those that were taken before the watch began. Left out where the pool does not tell. */
  lent?(pool: P): Iterable<object>;
  /** Read now, and not counted: what events tell misses waiters, and mixes pools up. */
  read(pool: P, book: LeaseBook): PoolFacts;
}

/** The pool's own figures. null: it does not report them. */
export interface PoolFacts {
  readonly size: number | null;
  readonly live: number;
  readonly idle: number;
  readonly inUse: number;
  readonly waiting: number;
  readonly creating: number | null;
  /** Since when its longest waiter waits, by the book's clock; null if nobody does, or that is not known. */
  readonly waitingSince: number | null;
  readonly closed: boolean;
  /** Any lent resource. */
  readonly resources: Iterable<object>;
  /** How it is set up, as far as it is known; what is left out is not. */
  readonly setup?: Partial<PoolSetup>;
  /** Callers that wait, as far as they were seen to ask. Left out where they cannot be told. */
  readonly waiters?: Iterable<Asked>;
  /** The server that it connects to; left out where it is not known. */
  readonly address?: PoolAddress;
  /** Acquires without an outcome yet; the rest has timed out. null: the pool reports its timeouts itself. */
  readonly pending: number | null;
}
