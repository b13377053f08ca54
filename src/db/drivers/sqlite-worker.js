// One connection's thread. See sqlite-engine.js for why this is JavaScript.
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf, openEngine } from './sqlite-engine.js';

/**
 * `[]` closes the database and opens it anew; `null` closes it, and with it the thread.
 * @typedef {[sql: string, params: import('./sqlite-engine.js').Params] | [script: string] | [] | null} Request
 */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);

try {
  const engine = await openEngine(workerData);
  port.on('message', (/** @type {Request} */ request) => {
    if (request === null) {
      engine.close();
      port.close();
      return;
    }
    const reply = answerTo(request);
    // Buffers are moved, not copied. SQLite gave each of them memory of its own.
    if (reply.length === 2 || reply[5] === null) port.postMessage(reply);
    else port.postMessage(reply, reply[5].splice(0));
  });
  /** @param {NonNullable<Request>} request */
  const answerTo = (request) => {
    if (request.length === 0) return engine.reopen();
    return request.length === 1 ? engine.exec(request[0]) : engine.query(request[0], request[1]);
  };
  port.postMessage([false, engine.library]);
} catch (error) {
  port.postMessage([false, failureOf(error, 0)]);
  port.close();
}
