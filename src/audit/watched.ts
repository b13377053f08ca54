import { Worker } from 'node:worker_threads';
import { onAbort, pause } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { detailedOf, type Reply } from './thread.js';
import type { AuditOptions, DetailedAudit } from './types.js';

/** The order for the thread. */
export interface WatchOrder {
  readonly paths: readonly string[];
  readonly options: Omit<AuditOptions, 'onProgress'>;
}

export type WatchRequest = 'look' | 'audit';

export type WatchReply =
  | Reply
  | { readonly kind: 'looked'; readonly hasChanged: boolean; readonly tookMs: number };

/** An audit that is repeated as its files change. */
export interface WatchedAudit extends AsyncDisposable {
  /** The result for the files as they are; only what changed is judged anew. Rejects when the signal aborts. */
  result(signal: AbortSignal): Promise<DetailedAudit>;
  /** Resolves when files have changed and rest again, or when the signal aborts. */
  change(signal: AbortSignal): Promise<void>;
}

const WORKER = new URL('./watch-worker.js', import.meta.url);

/** The time between two looks at the disk, unless a look takes long: then so many times as long. */
const LEAST_MS = 200;
const TIMES = 50;
const MOST_MS = 3000;
/** Files that changed may change again at once: an editor saves all, a branch is checked out. */
const REST_MS = 100;
const LONGEST_UNREST_MS = 3000;

/** Starts an audit on a thread of its own, which looks at the disk by itself and needs no events of the system. */
export function watchedAudit(
  paths: readonly string[],
  { onProgress, ...options }: AuditOptions,
  clock: Clock,
): WatchedAudit {
  const worker = new Worker(WORKER, { workerData: { paths, options } satisfies WatchOrder, execArgv: [] });
  let waitMs = LEAST_MS;

  const ask = (
    request: WatchRequest,
    signal: AbortSignal,
  ): Promise<Exclude<WatchReply, { kind: 'progress' }>> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        forget();
        worker.off('message', onMessage);
        worker.off('error', onError);
      };
      const onError = (error: Error): void => {
        end();
        reject(error);
      };
      const onMessage = (reply: WatchReply): void => {
        if (reply.kind === 'progress') onProgress?.(reply.done, reply.total);
        else {
          end();
          resolve(reply);
        }
      };
      const forget = onAbort(signal, () => {
        end();
        reject(signal.reason);
      });
      worker.on('message', onMessage);
      worker.on('error', onError);
      worker.postMessage(request);
    });

  const hasChanged = async (signal: AbortSignal): Promise<boolean> => {
    const reply = await ask('look', signal);
    if (reply.kind !== 'looked') return false;
    waitMs = Math.min(MOST_MS, Math.max(LEAST_MS, reply.tookMs * TIMES));
    return reply.hasChanged;
  };

  return {
    async result(signal) {
      signal.throwIfAborted();
      const reply = await ask('audit', signal);
      if (reply.kind !== 'result') throw new Error('the thread of the audit gave no result');
      return detailedOf(reply);
    },
    async change(signal) {
      do {
        await pause(clock, waitMs, signal);
        if (signal.aborted) return;
      } while (!(await hasChanged(signal)));
      const begun = clock.now();
      do {
        await pause(clock, REST_MS, signal);
      } while (!signal.aborted && (await hasChanged(signal)) && clock.now() - begun < LONGEST_UNREST_MS);
    },
    async [Symbol.asyncDispose]() {
      await worker.terminate();
    },
  };
}
