import { parentPort, workerData } from 'node:worker_threads';
import { readAuditSettings } from './audit.js';
import type { SettingsOrder } from './audit-sync.js';

// The thread that reads a config file for a caller that cannot wait for a promise.

const { place, port, done }: SettingsOrder = workerData;
try {
  port.postMessage(await readAuditSettings(place));
} catch (error) {
  port.postMessage({ failure: error instanceof Error ? error.message : String(error) });
} finally {
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
  port.close();
  parentPort?.unref();
}
