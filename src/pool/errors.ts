import { CodedError, type CodedErrorOptions, type ErrorKind } from '../base/coded-error.js';
import type { Holder } from '../snapshot/pool.js';

/** The stable codes of what can go wrong with a pool. */
export type PoolErrorCode =
  | 'ERR_POOL_TIMEOUT'
  | 'ERR_POOL_CREATE'
  | 'ERR_POOL_CLOSED'
  | 'ERR_POOL_QUEUE_FULL'
  | 'ERR_POOL_ABORTED'
  | 'ERR_POOL_OPTION'
  | 'ERR_LEASE_RELEASED';

const KINDS: { readonly [Code in PoolErrorCode]?: ErrorKind } = {
  ERR_POOL_OPTION: 'usage',
  ERR_POOL_ABORTED: 'aborted',
};

/** An error of the pool itself; what the driver threw is its `cause`. */
export class PoolError extends CodedError<PoolErrorCode> {
  constructor(code: PoolErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, {
      kind: KINDS[code] ?? 'unavailable',
      multiline: code === 'ERR_POOL_TIMEOUT',
      ...options,
    });
    this.name = 'PoolError';
  }
}

/** The state of a place that is taken but not lent. */
export type BusyState = 'creating' | 'checking' | 'resetting' | 'closing';

/** Why an acquire was not served in time. */
export type TimeoutReason =
  | 'all-in-use'
  /** Most places held up are being opened. */
  | 'creating'
  | 'create-failing'
  /** Most are being pinged, or an acquire hook runs on them. */
  | 'checking'
  /** Most came back, and their reset has not ended. */
  | 'resetting'
  /** Most are being closed, or belong to creates that were given up and have not ended. */
  | 'closing'
  | 'loop-blocked'
  | 'nested';

export interface TimeoutFacts {
  readonly pool: string;
  /** In whole milliseconds. */
  readonly waitedMs: number;
  readonly reason: TimeoutReason;
  readonly size: number;
  readonly maxOverflow: number;
  readonly inUse: number;
  readonly overflow: number;
  readonly creating: number;
  readonly checking: number;
  readonly resetting: number;
  readonly closing: number;
  /** In whole milliseconds, how long the oldest in each state has been in it; null where none is. */
  readonly oldestMs: { readonly [State in BusyState]: number | null };
  /** How many waited when the first of those that timed out together was rejected, itself included. */
  readonly waiting: number;
  /** The longest the event loop stood still while this acquire waited. */
  readonly loopBlockedMs: number;
  /** Oldest first; at most ten. */
  readonly holders: readonly Holder[];
  /** Call site of the acquire that timed out; null where it was not sampled. */
  readonly site: string | null;
  /** The site of the lease that this very flow holds, if it waits for itself. */
  readonly nestedIn: string | null;
}

/** An acquire was not served in time; the message says why, who holds what, and what to do. */
export class PoolTimeoutError extends PoolError {
  readonly facts: TimeoutFacts;

  /** Made by the pool, in timeout.ts. */
  constructor(message: string, hint: string, facts: TimeoutFacts, cause: Error | null) {
    super('ERR_POOL_TIMEOUT', message, cause === null ? { hint } : { cause, hint });
    this.name = 'PoolTimeoutError';
    this.facts = facts;
  }
}
