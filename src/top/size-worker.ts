import { parentPort } from 'node:worker_threads';
import { asError } from '../base/promises.js';
import type { SizeReply } from './size-thread.js';
import { type RecordedSource, sizedPools } from './sized-pools.js';

parentPort?.on('message', (sources: readonly RecordedSource[]) => {
  void sizedPools(sources)
    .then(
      (pools): SizeReply => ({ pools, problem: null }),
      (error: unknown): SizeReply => ({ pools: [], problem: asError(error).message }),
    )
    .then((reply) => parentPort?.postMessage(reply));
});
