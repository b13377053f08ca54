import type { App } from '../snapshot/reading.js';
import type { Found } from '../watch/attach/find-pools.js';
import type { SocketOwner } from '../watch/directory.js';
import type { Entered, EnterOrder } from './enter.js';
import { AttachError } from './errors.js';
import { openLeash } from './leash.js';

export interface AttachOptions {
  readonly pid: number;
  /** The user of poolctl. */
  readonly owner: SocketOwner;
  /** The process id of poolctl itself, which names the file of the leash. */
  readonly ownPid: number;
  /** The file of the watch, which the build makes. */
  readonly script: string;
  readonly name: string | null;
  readonly leakAfterMs: number;
  /** Opens the inspector and loads the watch, in a process that outlives poolctl. */
  readonly enter: (order: EnterOrder) => Promise<Entered>;
  readonly abort: AbortSignal;
}

/** A process whose pools are watched from now on. */
export interface Attached {
  /** The address of its pools, as a source. */
  readonly source: string;
  readonly app: App;
  /** How long the inspector was open, in milliseconds; null where it was open before, and stays so. */
  readonly inspectorMs: number | null;
  /** The outcome of the search for pools; null where it failed, or the process has ended before. */
  readonly found: Promise<Found | null>;
  /** Resolves when the process has ended, or nothing of the watch is left in it. */
  readonly over: Promise<void>;
  /** Takes everything back. Resolves when that is done. */
  detach(): Promise<void>;
}

/** Attaches a process. Throws an AttachError where that is not possible; then nothing is left in the process. */
export async function attach(options: AttachOptions): Promise<Attached> {
  const { pid, owner, ownPid, script, name, leakAfterMs, abort } = options;
  const leash = await openLeash(owner, ownPid, abort);
  try {
    const order = { pid, uid: owner.uid, script, leash: leash.path, name, leakAfterMs };
    const { answer, wasOpen, openMs } = await options.enter(order);
    if (!wasOpen) await leash.closeInspector();
    switch (answer.kind) {
      case 'watched':
        throw new AttachError('ERR_ATTACH_WATCHED', `poolctl watches process ${pid} already`, {
          hint:
            answer.address === null
              ? 'it does not publish its pools; call publish() of poolctl/watch in it'
              : `look at it with: poolctl top pool:${answer.address}`,
        });
      case 'failed':
        throw new AttachError(
          'ERR_ATTACH_FAILED',
          `the pools of process ${pid} cannot be watched: ${answer.why}`,
        );
      case 'attached':
        return {
          source: `pool:${answer.address}`,
          app: answer.app,
          inspectorMs: wasOpen ? null : openMs,
          found: leash.news('found').then((news) => news?.found ?? null),
          over: leash.over,
          detach: leash.close,
        };
    }
  } catch (error) {
    await leash.close();
    throw error;
  }
}
