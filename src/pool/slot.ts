import type { SlotInfo } from './driver.js';

/**
 * The state of a slot. `vacant` slots hold no resource and take up no place; all others count as live.
 *
 * ```
 * vacant ---occupy--> creating --#created--> (offered) --#grant, #lend--> leased
 *   ^                    |                    |   ^  |                     |
 *   |              #createFailed        #keep |   |  | #check       #endLease, #reset
 *   |                    |                    v   |  v                     v
 *   |                    |                  idle  +-- checking          resetting
 *   |                    |                    |          |                 |
 *   +----- vacate -------+----- closing <-----+----------+-----------------+
 *                                  #retire: surplus, stale, broken, too old, closed
 * ```
 *
 * A create that was given up at its time limit goes on in the driver, so its slot is `closing` until that has ended.
 */
export type SlotState = 'vacant' | 'creating' | 'checking' | 'idle' | 'leased' | 'resetting' | 'closing';

/**
 * A place in the pool. It outlives the resource in it: after an invalidation the same slot reconnects
 * (SQLAlchemy's connection record). It also carries the current lease, so that lending allocates only the handle.
 */
export class Slot<R> {
  state: SlotState = 'vacant';
  /** When it began to be opened, checked, reset or closed. */
  stateSince = 0;
  resource: R | null = null;
  info: Record<string, unknown> = {};
  readonly slotInfo: SlotInfo;
  /** The pool's generation when the connect began; an older one is stale. */
  generation = 0;
  /** Opened while `size` places were taken. */
  beyondSize = false;
  /** Invalidated softly: to be replaced when it comes back. */
  soft = false;
  /** Connected, and not lent yet: needs no ping. */
  fresh = true;
  createdAt = 0;
  /** This resource's own age limit, jitter included. */
  recycleAfterMs = Number.POSITIVE_INFINITY;
  /** When it was last known to work: created, returned or pinged. */
  usedAt = 0;
  stopListening: (() => void) | null = null;
  /** Settles when the last resource of this slot was closed. */
  closing: Promise<void> | null = null;
  /** Settles when the driver has really ended its create; null where none is under way. */
  opening: Promise<void> | null = null;

  /** The lease that is out, or 0. */
  leaseId = 0;
  acquiredAt = 0;
  /** An error object that holds the acquisition stack, unformatted; null where not sampled. */
  site: Error | null = null;
  /** The leak has been reported. */
  reported = false;
  finalizers: (() => void)[] | null = null;
  constructor(id: number) {
    this.slotInfo = { slotId: id, info: {} };
  }
}
