import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../base/clock.js';
import type { RecordedSource, SizedPool } from './sized-pools.js';

/** The answer of the thread. `problem`: why a recording cannot be read. */
export interface SizeReply {
  readonly pools: readonly SizedPool[];
  readonly problem: string | null;
}

/** The sizes that pools need, again and again while their leases are recorded. */
export interface Sizes extends AsyncDisposable {
  start(onSizes: (sizes: SizeReply) => void): void;
}

const WORKER = new URL('./size-worker.js', import.meta.url);
const LEAST_MS = 2000;
/** The thread rests for so many times as long as it took. */
const REST_TIMES = 9;

/** Sizes pools on a thread of its own: a replay of thousands of leases would keep the screen waiting. */
export function threadedSizes(recorded: () => readonly RecordedSource[], clock: Clock): Sizes {
  let worker: Worker | null = null;
  let timer: Timer | null = null;
  let isOver = false;
  return {
    start(onSizes) {
      const wait = (ms: number): void => {
        if (!isOver) timer = clock.setTimer(look, ms, { background: true });
      };
      let askedMs = 0;
      const told = (reply: SizeReply): void => {
        if (isOver) return;
        onSizes(reply);
        wait(Math.max(LEAST_MS, REST_TIMES * (clock.now() - askedMs)));
      };
      const open = (): Worker => {
        const opened = new Worker(WORKER, { execArgv: [] });
        opened.on('message', told);
        opened.on('error', (error) => {
          worker = null;
          told({ pools: [], problem: error.message });
        });
        opened.unref();
        return opened;
      };
      const look = (): void => {
        const sources = recorded();
        if (sources.length === 0) {
          wait(LEAST_MS);
          return;
        }
        worker ??= open();
        askedMs = clock.now();
        worker.postMessage(sources);
      };
      wait(LEAST_MS);
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      timer?.cancel();
      await worker?.terminate();
    },
  };
}
