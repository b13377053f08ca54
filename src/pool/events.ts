import { type Channel, channel } from 'node:diagnostics_channel';
import type { DestroyReason } from './driver.js';
import type { PoolTimeoutError } from './errors.js';
import type { LeakReport } from './leak-watch.js';
import type { NestedReport } from './nested-watch.js';

/** What a pool tells its listeners. Durations are in milliseconds. */
export interface PoolEvents<R> {
  create: { resource: R; slotId: number; tookMs: number };
  createFailed: { error: Error; failures: number; retryInMs: number };
  wait: { waiting: number };
  acquire: { leaseId: number; slotId: number; resource: R; waitedMs: number | null };
  acquireTimeout: { error: PoolTimeoutError };
  acquireAborted: { waitedMs: number };
  release: { leaseId: number; slotId: number; heldMs: number | null };
  /** A reset, or a hook around it, failed; the resource is closed. */
  resetFailed: { resource: R; slotId: number; error: Error };
  invalidate: { resource: R; slotId: number; soft: boolean; cause: Error | null };
  invalidateAll: { cause: Error };
  detach: { resource: R; slotId: number };
  /** A detached resource was closed. */
  closeDetached: { resource: R };
  destroy: { resource: R; slotId: number; reason: DestroyReason };
  /** The driver's destroy failed or hung; the resource is gone from the pool all the same. */
  destroyFailed: { error: Error; reason: DestroyReason };
  leak: LeakReport;
  /** A lease reported as leaked was released after all. */
  leakReturned: LeakReport;
  /** A lease was garbage-collected unreleased, and its resource reclaimed. */
  collected: { leaseId: number; site: string | null; stack: string | null };
  nested: NestedReport;
  doubleRelease: { leaseId: number; site: string | null };
  /** A listener threw; it does not stop the pool. */
  listenerFailed: { event: string; error: unknown };
  /** `leasesLeft` were still out when their grace was over. */
  close: { leasesLeft: number };
}

export type PoolEventName = keyof PoolEvents<unknown>;

/** One event of one pool: its listeners, and the diagnostics channel that it shares with all pools. */
export class Signal<P> {
  readonly #pool: string;
  readonly #event: PoolEventName;
  readonly #channel: Channel;
  readonly #failed: ((event: string, error: unknown) => void) | null;
  #listeners: readonly ((payload: P) => void)[] | null = null;

  constructor(pool: string, event: PoolEventName, failed: ((event: string, error: unknown) => void) | null) {
    this.#pool = pool;
    this.#event = event;
    this.#channel = channel(`poolctl:pool:${event}`);
    this.#failed = failed;
  }

  /** Whether anybody listens: asked first, so that an event nobody wants costs no payload. */
  get active(): boolean {
    return this.#listeners !== null || this.#channel.hasSubscribers;
  }

  add(listener: (payload: P) => void, options: { first?: boolean }): () => void {
    const before = this.#listeners ?? [];
    this.#listeners = options.first ? [listener, ...before] : [...before, listener];
    return () => {
      const left = (this.#listeners ?? []).filter((each) => each !== listener);
      this.#listeners = left.length > 0 ? left : null;
    };
  }

  /** Tells everybody. Listeners watch and have no say: one that throws must not stop a release half way. */
  emit(payload: P): void {
    for (const listener of this.#listeners ?? []) {
      try {
        listener(payload);
      } catch (error) {
        this.#failed?.(this.#event, error);
      }
    }
    if (this.#channel.hasSubscribers) this.#channel.publish({ pool: this.#pool, ...payload });
  }

  copyTo(other: Signal<P>): void {
    for (const listener of this.#listeners ?? []) other.add(listener, {});
  }
}

export type Events<R> = { readonly [E in PoolEventName]: Signal<PoolEvents<R>[E]> };

/** The events of a pool; on `node:diagnostics_channel` each is `poolctl:pool:<event>`, with the pool's name. */
export function newEvents<R>(pool: string): Events<R> {
  const listenerFailed = new Signal<PoolEvents<R>['listenerFailed']>(pool, 'listenerFailed', null);
  const failed = (event: string, error: unknown): void => listenerFailed.emit({ event, error });
  const signal = <E extends PoolEventName>(event: E): Signal<PoolEvents<R>[E]> =>
    new Signal(pool, event, failed);
  return {
    create: signal('create'),
    createFailed: signal('createFailed'),
    wait: signal('wait'),
    acquire: signal('acquire'),
    acquireTimeout: signal('acquireTimeout'),
    acquireAborted: signal('acquireAborted'),
    release: signal('release'),
    resetFailed: signal('resetFailed'),
    invalidate: signal('invalidate'),
    invalidateAll: signal('invalidateAll'),
    detach: signal('detach'),
    closeDetached: signal('closeDetached'),
    destroy: signal('destroy'),
    destroyFailed: signal('destroyFailed'),
    leak: signal('leak'),
    leakReturned: signal('leakReturned'),
    collected: signal('collected'),
    nested: signal('nested'),
    doubleRelease: signal('doubleRelease'),
    listenerFailed,
    close: signal('close'),
  };
}

export function copyListeners<R>(from: Events<R>, to: Events<R>): void {
  for (const event of Object.keys(from) as PoolEventName[]) {
    (from[event] as Signal<unknown>).copyTo(to[event] as Signal<unknown>);
  }
}
