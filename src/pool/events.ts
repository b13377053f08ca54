import { Emitter, type EmitterEvents, type Signal } from '../base/emitter.js';
import type { DestroyReason } from './driver.js';
import type { PoolTimeoutError } from './errors.js';
import type { LeakReport } from './leak-watch.js';
import type { NestedReport } from './nested-watch.js';

/** The events of a pool, with what listeners receive. Durations are in milliseconds. */
export interface PoolEvents<R> extends EmitterEvents {
  create: { resource: R; slotId: number; tookMs: number };
  createFailed: { error: Error; failures: number; retryInMs: number };
  wait: { waiting: number };
  acquire: { leaseId: number; slotId: number; resource: R; waitedMs: number };
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
  /** `leasesLeft` were still out when their grace was over. */
  close: { leasesLeft: number };
}

export type PoolEventName = keyof PoolEvents<unknown>;

export type Events<R> = { readonly [E in PoolEventName]: Signal<PoolEvents<R>[E]> };

/** The events of a pool; on `node:diagnostics_channel` each is `poolctl:pool:<event>`, with the pool's name. */
export function newEvents<R>(pool: string): Events<R> {
  const emitter = new Emitter<PoolEvents<R>>({ channels: { prefix: 'poolctl:pool', sender: { pool } } });
  return {
    create: emitter.signal('create'),
    createFailed: emitter.signal('createFailed'),
    wait: emitter.signal('wait'),
    acquire: emitter.signal('acquire'),
    acquireTimeout: emitter.signal('acquireTimeout'),
    acquireAborted: emitter.signal('acquireAborted'),
    release: emitter.signal('release'),
    resetFailed: emitter.signal('resetFailed'),
    invalidate: emitter.signal('invalidate'),
    invalidateAll: emitter.signal('invalidateAll'),
    detach: emitter.signal('detach'),
    closeDetached: emitter.signal('closeDetached'),
    destroy: emitter.signal('destroy'),
    destroyFailed: emitter.signal('destroyFailed'),
    leak: emitter.signal('leak'),
    leakReturned: emitter.signal('leakReturned'),
    collected: emitter.signal('collected'),
    nested: emitter.signal('nested'),
    doubleRelease: emitter.signal('doubleRelease'),
    listenerFailed: emitter.signal('listenerFailed'),
    close: emitter.signal('close'),
  };
}

export function copyListeners<R>(from: Events<R>, to: Events<R>): void {
  for (const event of Object.keys(from) as PoolEventName[]) {
    (from[event] as Signal<unknown>).copyTo(to[event] as Signal<unknown>);
  }
}
