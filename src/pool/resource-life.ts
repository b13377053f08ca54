import { onAbort } from '../base/abort.js';
import { asError, ignore, invoke, isPromise, untilAborted } from '../base/promises.js';
import type { DestroyReason } from './driver.js';
import type { Events } from './events.js';
import { type ErrorJudgment, type HookContext, type Hooks, runHooks } from './hooks.js';
import type { PoolSettings } from './options.js';
import type { Slot } from './slot.js';

/**
 * How the resource of a slot is opened, pinged, reset and closed: the driver's part, with the users' hooks around
 * it and a bound on the time each step takes. It knows nothing of waiters and limits; those are the pool's.
 */
export class ResourceLife<R> {
  readonly #settings: PoolSettings<R>;
  readonly #driverResets: boolean;
  readonly #hooks: Hooks<R>;
  readonly #events: Events<R>;
  /** A step of the pool itself before the first-connect hooks. */
  beforeFirst: ((resource: R) => Promise<void>) | null = null;
  /** Whether the first-connect hooks went well, as soon as that is known; null while nobody has run them. */
  #firstConnect: Promise<boolean> | null = null;

  constructor(settings: PoolSettings<R>, hooks: Hooks<R>, events: Events<R>) {
    this.#settings = settings;
    this.#driverResets = settings.driver.reset !== undefined && settings.reset !== 'none';
    this.#hooks = hooks;
    this.#events = events;
  }

  /**
   * Opens a resource in the slot and runs the connect hooks. Rejects if that fails, takes too long or is aborted;
   * `slot.resource` is then null, unless the resource was there already. What arrives too late is closed, and
   * `slot.opening` settles when that has happened.
   */
  async open(slot: Slot<R>, aborted: AbortSignal, onBroken: (cause: Error) => void): Promise<void> {
    const { clock, driver, createTimeoutMs } = this.#settings;
    const controller = new AbortController();
    const { signal } = controller;
    const abort = (): void => controller.abort(aborted.reason);
    const tooSlow = (): void => controller.abort(new Error(`connect took longer than ${createTimeoutMs} ms`));
    const stopWatching = onAbort(aborted, abort);
    const opening: Promise<void> = invoke(() => driver.create(signal, slot.slotInfo))
      .then((resource) =>
        signal.aborted ? this.close(resource, 'unwanted') : this.#setUp(slot, resource, signal, onBroken),
      )
      .finally(() => {
        // The slot may be in use again by now.
        if (slot.opening === opening) slot.opening = null;
      });
    slot.opening = opening;
    try {
      await untilAborted(opening, signal, clock, createTimeoutMs, tooSlow);
    } finally {
      stopWatching();
    }
  }

  async #setUp(
    slot: Slot<R>,
    resource: R,
    signal: AbortSignal,
    onBroken: (cause: Error) => void,
  ): Promise<void> {
    const { clock, driver, random, recycleMs, recycleJitter } = this.#settings;
    slot.resource = resource;
    slot.createdAt = clock.now();
    slot.recycleAfterMs =
      recycleMs === null ? Number.POSITIVE_INFINITY : recycleMs * (1 - recycleJitter * random());
    let ready = false;
    let brokenBy: Error | null = null;
    const broken = (cause: Error): void => {
      if (!ready) brokenBy ??= cause;
      // A resource that has left the slot speaks for itself only.
      else if (slot.resource === resource) onBroken(cause);
    };
    slot.stopListening = driver.onBroken?.(resource, broken) ?? null;
    if (this.beforeFirst !== null || this.#hooks.firstConnect.length > 0)
      await this.#runFirstConnect(slot, resource, signal);
    signal.throwIfAborted();
    if (this.#hooks.connect.length > 0) await runHooks(this.#hooks.connect, resource, contextOf(slot));
    // Broken before anybody had it: a failed create, so that the next is put off and not tried in a hot loop.
    if (brokenBy !== null) throw brokenBy;
    ready = true;
  }

  /** Once per pool; those who come meanwhile wait for it, and try it with their own resource if it fails. */
  async #runFirstConnect(slot: Slot<R>, resource: R, signal: AbortSignal): Promise<void> {
    while (this.#firstConnect !== null) if (await this.#firstConnect) return;
    signal.throwIfAborted();
    const hooks = (this.beforeFirst?.(resource) ?? Promise.resolve()).then(() =>
      runHooks(this.#hooks.firstConnect, resource, contextOf(slot)),
    );
    const run = untilAborted(hooks, signal, this.#settings.clock, null, ignore);
    this.#firstConnect = run.then(
      () => true,
      () => false,
    );
    try {
      await run;
    } catch (error) {
      this.#firstConnect = null;
      throw error;
    }
  }

  /** Whether the resource still works. A rejection means no, unless an error hook says otherwise. */
  async ping(slot: Slot<R>): Promise<boolean> {
    const { driver } = this.#settings;
    if (driver.ping === undefined) return true;
    try {
      return await this.#within(driver.ping(slot.resource as R), 'ping');
    } catch (error) {
      return !this.isDisconnect(error, true);
    }
  }

  runAcquireHooks(slot: Slot<R>): Promise<void> {
    const hooks = runHooks(this.#hooks.acquire, slot.resource as R, contextOf(slot));
    return this.#within(hooks, 'acquire hook');
  }

  /** Whether anything at all is done to a resource that comes back. */
  get resets(): boolean {
    return this.#driverResets || this.#hooks.reset.length > 0 || this.#hooks.release.length > 0;
  }

  /** Brings the resource back to a clean state. Answers nothing if there is nothing to wait for; may throw. */
  reset(slot: Slot<R>, alreadyReset: boolean, asyncSafe: boolean): Promise<void> | undefined {
    const { driver, reset } = this.#settings;
    if (this.#hooks.reset.length > 0) return this.#resetWithHooks(slot, alreadyReset, asyncSafe);
    if (reset === 'none' || alreadyReset) return undefined;
    const pending = driver.reset?.(slot.resource as R, reset);
    return isPromise(pending) ? this.#within(pending, 'reset') : undefined;
  }

  #resetWithHooks(slot: Slot<R>, alreadyReset: boolean, asyncSafe: boolean): Promise<void> {
    const { driver, reset } = this.#settings;
    const resource = slot.resource as R;
    const work = async (): Promise<void> => {
      await runHooks(this.#hooks.reset, resource, { alreadyReset, terminateOnly: false, asyncSafe });
      if (reset !== 'none' && !alreadyReset) await driver.reset?.(resource, reset);
    };
    return this.#within(work(), 'reset');
  }

  runReleaseHooks(slot: Slot<R>): void {
    for (const hook of this.#hooks.release) hook(slot.resource as R, contextOf(slot));
  }

  /** Closes a resource, which can neither throw nor hang here. Answers nothing if there is nothing to wait for. */
  close(resource: R, reason: DestroyReason): Promise<void> | undefined {
    const failed = (error: unknown): void =>
      this.#events.destroyFailed.emit({ error: asError(error), reason });
    try {
      const pending = this.#settings.driver.destroy(resource, reason);
      return isPromise(pending) ? this.#within(pending, 'destroy').catch(failed) : undefined;
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  /**
   * Resolves when a create that was given up has ended. Nobody waits for it any more if `createTimeoutMs` passes once
   * more, or the pool closes.
   */
  ended(opening: Promise<void>, closed: AbortSignal): Promise<void> {
    const { clock, createTimeoutMs } = this.#settings;
    const limit = new AbortController();
    const giveUp = (): void => limit.abort();
    const stopWatching = onAbort(closed, giveUp);
    return untilAborted(opening, limit.signal, clock, createTimeoutMs, giveUp).then(
      stopWatching,
      stopWatching,
    );
  }

  /** Closes a resource that has left the pool; its reset hooks are told that it will not be used again. */
  async closeDetached(resource: R): Promise<void> {
    const state = { alreadyReset: false, terminateOnly: true, asyncSafe: true };
    await this.#within(runHooks(this.#hooks.reset, resource, state), 'reset').catch(ignore);
    await this.close(resource, 'detached');
    this.#events.closeDetached.emit({ resource });
  }

  /** Whether an error means that the connection is gone: see `judge`. */
  isDisconnect(error: unknown, beyondDoubt = false): boolean {
    return this.judge(error, null, beyondDoubt).disconnect;
  }

  /**
   * The meaning of an error for the resource that met it, if that is still lent: the driver's word, unless it is beyond
   * doubt, then that of the error hooks. One that throws has no say.
   */
  judge(error: unknown, resource: R | null, beyondDoubt = false): ErrorJudgment {
    const { driver } = this.#settings;
    let judged: ErrorJudgment = { disconnect: beyondDoubt, unfit: false };
    const ask = (judge: () => Partial<ErrorJudgment>): void => {
      try {
        judged = { ...judged, ...judge() };
      } catch (failure) {
        this.#events.listenerFailed.emit({ event: 'error', error: failure });
      }
    };
    if (!beyondDoubt) ask(() => ({ disconnect: driver.isDisconnect?.(error) ?? false }));
    if (!judged.disconnect && resource !== null) {
      ask(() => ({ unfit: driver.isUnfit?.(error, resource) ?? false }));
    }
    for (const hook of this.#hooks.error) {
      ask(() => {
        const disconnect = hook(error, judged);
        return disconnect === undefined ? {} : { disconnect, unfit: false };
      });
    }
    return judged;
  }

  /** Whether a create failed because the server takes no more resources. */
  isFull(error: unknown): boolean {
    try {
      return this.#settings.driver.isFull?.(error) ?? false;
    } catch (failure) {
      this.#events.listenerFailed.emit({ event: 'error', error: failure });
      return false;
    }
  }

  /** How many resources the server allows; null if it does not say, in time. */
  async capacity(resource: R): Promise<number | null> {
    const { driver } = this.#settings;
    if (driver.capacity === undefined) return null;
    return this.#within(
      invoke(() => driver.capacity?.(resource) ?? Promise.resolve(null)),
      'asking for the capacity',
    ).catch(() => null);
  }

  /** Bounds an operation of the driver. One that is too slow goes on by itself; nobody waits for it any more. */
  #within<T>(operation: Promise<T>, what: string): Promise<T> {
    const { clock, driver, operationTimeoutMs } = this.#settings;
    return new Promise<T>((resolve, reject) => {
      const tooSlow = (): void =>
        reject(new Error(`${driver.name}: ${what} took longer than ${operationTimeoutMs} ms`));
      const timer = clock.setTimer(tooSlow, operationTimeoutMs);
      void Promise.resolve(operation)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }
}

function contextOf<R>(slot: Slot<R>): HookContext {
  return { info: slot.info, slotInfo: slot.slotInfo.info };
}
