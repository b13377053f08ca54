import { PoolError } from './errors.js';
import type { Slot } from './slot.js';

/** The part of a pool that a lease uses. */
export interface LeaseOwner<R> {
  releaseLease(slot: Slot<R>, leaseId: number, options: ReleaseOptions): void;
  invalidateLease(slot: Slot<R>, leaseId: number, options: InvalidateOptions): void;
  detachLease(slot: Slot<R>, leaseId: number): Detached<R> | null;
  failLease(slot: Slot<R>, leaseId: number, error: unknown): ErrorVerdict;
  destroyDetached(detached: Detached<R>): void;
  doubleRelease(leaseId: number): void;
}

export interface ReleaseOptions {
  /** The layer above has reset the resource itself: the pool must not do it again. */
  readonly alreadyReset?: boolean;
}

export interface InvalidateOptions {
  readonly cause?: Error;
  /** Soft: still usable by this borrower, replaced when it comes back. Default: closed at once. */
  readonly soft?: boolean;
}

/** The meaning of a borrower's error for the pool. */
export type ErrorVerdict = 'disconnect' | 'cancelled' | 'ordinary';

export interface Detached<R> {
  readonly resource: R;
  readonly info: Record<string, unknown>;
  closed: boolean;
}

const NO_OPTIONS = {};

/**
 * One borrowing of a resource. It is a handle of its own, not the resource: a lease dropped without a release can
 * be garbage-collected, and so be noticed. Keep the lease, not just its resource, for as long as you use it.
 */
export class Lease<R> implements Disposable {
  /** Counts up from 1 within its pool. */
  readonly id: number;
  readonly #owner: LeaseOwner<R>;
  readonly #slot: Slot<R>;
  /** The reason of its end, as far as this handle knows; the pool may have ended the lease by itself before. */
  #end: 'released' | 'invalidated' | Detached<R> | null = null;

  /** Made by the pool only. */
  constructor(owner: LeaseOwner<R>, slot: Slot<R>, id: number) {
    this.id = id;
    this.#owner = owner;
    this.#slot = slot;
  }

  /** Whether the resource is still lent through this lease. */
  get active(): boolean {
    const detached = this.#detached;
    return detached === null ? this.#slot.leaseId === this.id : !detached.closed;
  }

  /** The borrowed resource. Throws ERR_LEASE_RELEASED after release or invalidate: somebody else may have it now. */
  get resource(): R {
    if (this.#slot.leaseId === this.id) return this.#slot.resource as R;
    const detached = this.#detached;
    if (detached !== null && !detached.closed) return detached.resource;
    throw new PoolError('ERR_LEASE_RELEASED', `lease ${this.id} was used after it had been released`, {
      hint: 'keep using a resource only between acquire and release',
    });
  }

  /** The user's notes on this resource; empty again when it is replaced. A detached resource keeps a copy. */
  get info(): Record<string, unknown> {
    if (this.#detached !== null) return this.#detached.info;
    this.#mustBeActive();
    return this.#slot.info;
  }

  /** The user's notes on the slot; kept when its resource is replaced. null once detached. */
  get slotInfo(): Record<string, unknown> | null {
    if (this.#detached !== null) return null;
    this.#mustBeActive();
    return this.#slot.slotInfo.info;
  }

  /**
   * Gives the resource back. Synchronous and never throws: the reset goes on by itself, and the next borrower
   * waits for it. After an invalidate it does nothing, so it can stand in a `finally`; a second release changes
   * nothing and is counted. On a detached lease: closes the resource.
   */
  release(options: ReleaseOptions = NO_OPTIONS): void {
    if (this.#end === null) {
      this.#end = 'released';
      this.#owner.releaseLease(this.#slot, this.id, options);
    } else if (this.#end === 'released') this.#owner.doubleRelease(this.id);
    else if (this.#end !== 'invalidated') this.#owner.destroyDetached(this.#end);
  }

  /** Says that the resource must not be reused. The lease is over, unless `soft` is given. */
  invalidate(cause?: Error, options: { soft?: boolean } = NO_OPTIONS): void {
    if (this.#detached !== null) this.#owner.destroyDetached(this.#detached);
    else if (this.#end !== null) this.#owner.doubleRelease(this.id);
    else {
      if (!options.soft) this.#end = 'invalidated';
      this.#owner.invalidateLease(this.#slot, this.id, cause ? { ...options, cause } : options);
    }
  }

  /**
   * Takes the resource out of the pool for good; its place is free at once. Releasing the lease then closes the
   * resource. Throws ERR_LEASE_RELEASED if the lease is over.
   */
  detach(): R {
    const { resource } = this;
    if (this.#end === null) this.#end = this.#owner.detachLease(this.#slot, this.id);
    return resource;
  }

  /**
   * Tells the pool of an error met with this resource, and learns what it means. A disconnect replaces every
   * resource as old as this one and ends the lease; a cancellation ends the lease with its resource, whose state
   * is unknown. After an error that makes the resource unfit (see Driver.isUnfit) the lease goes on, and the resource is
   * closed when it comes back. Anything else changes nothing.
   */
  fail(error: unknown): ErrorVerdict {
    return this.#owner.failLease(this.#slot, this.id, error);
  }

  /** Calls back once when the lease is released (not when it is invalidated). */
  onRelease(callback: () => void): void {
    this.#mustBeActive();
    this.#slot.finalizers ??= [];
    this.#slot.finalizers.push(callback);
  }

  [Symbol.dispose](): void {
    if (this.active) this.release();
  }

  get #detached(): Detached<R> | null {
    return typeof this.#end === 'string' ? null : this.#end;
  }

  #mustBeActive(): void {
    void this.resource;
  }
}
