import { parentPort, workerData } from 'node:worker_threads';
import { LiveAudit } from './live.js';
import type { WatchOrder, WatchReply, WatchRequest } from './watched.js';

// The thread of a watched audit: it keeps the audit, looks at the disk when it is asked to, and gives the result.

const { paths, options }: WatchOrder = workerData;
const tell = (reply: WatchReply) => parentPort?.postMessage(reply);
const onProgress = (done: number, total: number) => tell({ kind: 'progress', done, total });
const live = new LiveAudit(paths, { ...options, onProgress });

parentPort?.on('message', (request: WatchRequest) => {
  if (request === 'look') {
    const begun = performance.now();
    const hasChanged = live.refresh();
    tell({ kind: 'looked', hasChanged, tookMs: performance.now() - begun });
  } else {
    const { result, files, readsOf } = live.result();
    tell({ kind: 'result', result, files, reads: result.findings.map(readsOf) });
  }
});
