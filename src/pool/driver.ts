/** Why the pool closes a resource. */
export type DestroyReason =
  | 'surplus' // idle, and more than the size that an adaptive pool has chosen
  | 'overflow' // returned while the pool already keeps `size` of them
  | 'recycled' // older than `recycleMs`
  | 'max-idle' // unused for longer than `maxIdleMs`
  | 'invalidated' // by a borrower, or with the whole pool
  | 'ping-failed'
  | 'reset-failed'
  | 'broken' // the driver said so, through onBroken
  | 'hook-failed' // a connect or acquire hook threw
  | 'collected' // its lease was garbage-collected without a release
  | 'detached' // the lease of a detached resource was released
  | 'unwanted' // arrived after the pool had closed or its create had timed out
  | 'disposed'
  | 'closed';

/**
 * How a resource is brought back to a clean state when it returns. `rollback` and `commit` end an open transaction.
 * `full` also discards everything else that the borrower may have left: settings, temporary tables, locks, listeners.
 * `changed` does the same, but only after something that may have left such state.
 */
export type ResetMode = 'rollback' | 'commit' | 'full' | 'changed';

/**
 * The maker of one kind of resource: the only part of a pool that knows what it lends. Every method is looked up
 * at each call, so a driver may be patched while its pool is running.
 */
export interface Driver<R> {
  readonly name: string;
  /**
   * Opens one resource. The signal aborts when the pool closes or `createTimeoutMs` passes, never because a waiter
   * gave up: the next waiter takes the resource. What resolves after an abort is destroyed.
   */
  create(signal: AbortSignal, slot: SlotInfo): Promise<R>;
  /** Closes a resource. An error is reported as an event and otherwise ignored. */
  destroy(resource: R, reason: DestroyReason): Promise<void> | void;
  /** Answers whether an idle resource still works (pre-ping, keepalive). A rejection means no. */
  ping?(resource: R): Promise<boolean>;
  /**
   * Brings a returned resource back to a clean state. Returning nothing says that nothing had to be awaited, and
   * the resource goes to the next waiter in the same turn. A throw or a rejection invalidates the resource.
   */
  reset?(resource: R, mode: ResetMode): Promise<void> | void;
  /** Calls back once if the resource breaks by itself, idle or in use; returns the way to stop listening. */
  onBroken?(resource: R, listener: (cause: Error) => void): () => void;
  /** Whether an error means that the connection is gone; without it no error does. */
  isDisconnect?(error: unknown): boolean;
  /**
   * Whether an error other than a disconnect makes the resource unfit to be lent again, for example because its server
   * has become read-only. The borrower keeps the resource, which is closed when it comes back.
   */
  isUnfit?(error: unknown, resource: R): boolean;
  /** Whether a create failed because the server takes no more. An adaptive pool is then content with what it has. */
  isFull?(error: unknown): boolean;
  /**
   * How many of them the server allows at most, by its own statement; null if it does not say. An adaptive pool asks the
   * first resource, before it is lent.
   */
  capacity?(resource: R): Promise<number | null>;
}

/** Notes on the slot of a resource; they outlive the resource when that is replaced in place. */
export interface SlotInfo {
  readonly slotId: number;
  /** For the user's own notes; kept over reconnects. */
  readonly info: Record<string, unknown>;
}
