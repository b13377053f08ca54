// A thread with a connection of its own. See api-engine.js for why this is JavaScript.
import { parentPort } from 'node:worker_threads';
import { loadLibrary, openApi } from './api-engine.js';

/**
 * `open` closes the link before it; `call` answers with `done`; `turn` answers when all that has arrived by now was passed on.
 * @typedef {{ kind: 'open', link: number, target: import('./api-engine.js').Target }
 *   | { kind: 'call', link: number, id: number, method: string, args: readonly unknown[] }
 *   | { kind: 'close', link: number }
 *   | { kind: 'turn', id: number }
 *   | { kind: 'end' }} Order
 */

/**
 * @typedef {{ kind: 'loaded' } | { kind: 'missing', text: string }
 *   | { kind: 'events', link: number, events: [event: string, args: readonly unknown[]][] }
 *   | { kind: 'done', link: number, id: number }
 *   | { kind: 'turn', id: number }} Report
 */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const say = (/** @type {Report} */ report) => port.postMessage(report);

/** @type {{ link: number, api: import('./api-engine.js').Api } | null} */
let current = null;
/** The events of one piece of data, which are sent together. @type {[string, readonly unknown[]][]} */
let events = [];

try {
  const library = await loadLibrary();
  const flush = (/** @type {number} */ link) => {
    const batch = events;
    events = [];
    if (batch.length > 0) say({ kind: 'events', link, events: batch });
  };
  const close = (/** @type {number | null} */ link) => {
    if (current === null || (link !== null && current.link !== link)) return;
    current.api.close();
    current = null;
    events = [];
  };
  port.on('message', (/** @type {Order} */ order) => {
    switch (order.kind) {
      case 'open': {
        close(null);
        const { link } = order;
        const api = openApi(library, order.target, (event, args) => {
          if (events.length === 0) queueMicrotask(() => flush(link));
          events.push([event, args]);
        });
        current = { link, api };
        return;
      }
      case 'call':
        if (current?.link === order.link) current.api.call(order.method, order.args);
        say({ kind: 'done', link: order.link, id: order.id });
        return;
      case 'close':
        close(order.link);
        return;
      case 'turn':
        // Two, so that the sockets have been looked at in between.
        setImmediate(() => setImmediate(() => say({ kind: 'turn', id: order.id })));
        return;
      case 'end':
        close(null);
        port.close();
        return;
    }
  });
  say({ kind: 'loaded' });
} catch (error) {
  say({ kind: 'missing', text: String(error) });
  port.close();
}
