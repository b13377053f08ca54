import { parentPort, workerData } from 'node:worker_threads';
import { auditInDetail } from './audit.js';
import type { Order, Reply } from './thread.js';

// The thread of an audit: takes its order from where it was started, tells how far it is, and gives the result.

const { paths, options }: Order = workerData;
const tell = (reply: Reply) => parentPort?.postMessage(reply);
const { result, files, readsOf } = auditInDetail(paths, {
  ...options,
  onProgress: (done, total) => tell({ kind: 'progress', done, total }),
});
tell({ kind: 'result', result, files, reads: result.findings.map(readsOf) });
