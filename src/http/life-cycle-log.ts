import { logEvents } from '../base/life-cycle-log.js';
import { formatMs } from '../base/units.js';
import type { HttpEvents } from './events.js';
import type { HttpPool } from './http-pool.js';

/** Writes a line for each step in the life of a pool's connections, and for each retry. Returns the way to stop. */
export function logHttpLifeCycle(pool: HttpPool, write: (line: string) => void): () => void {
  return logEvents<HttpEvents>(
    pool,
    {
      open: ({ connectionId, origin, protocol, tookMs }) =>
        `#${connectionId} to ${origin} opened in ${formatMs(tookMs)} (${protocol})`,
      connectFailed: ({ error }) => `opening failed: ${error.message}`,
      close: ({ connectionId, origin, reason, requests }) =>
        `#${connectionId} to ${origin} closed (${reason}) after ${requests} requests`,
      closesIdle: ({ origin, afterMs }) =>
        `${origin} closes kept connections ${formatMs(afterMs)} after an answer without saying so`,
      healthCheck: ({ connectionId, origin, isAlive, tookMs }) =>
        `#${connectionId} to ${origin} ${isAlive ? 'answered' : 'failed'} a health check in ${formatMs(tookMs)}`,
      retry: ({ origin, method, cause, attempt, waitMs }) =>
        `${method} to ${origin} failed (${cause}, attempt ${attempt}), next in ${formatMs(waitMs)}`,
      retryDenied: ({ origin, method, cause }) =>
        `${method} to ${origin} failed (${cause}), and the budget for retries is used up`,
      poolTimeout: ({ error: { facts } }) => {
        const what = facts.lacking === 'rate' ? 'place in the rate limit' : 'connection';
        return `no ${what} for ${facts.origin} within ${facts.waitedMs} ms, ${facts.queued} waiting`;
      },
      timeout: ({ error }) => error.message,
      breaker: ({ origin, from, to }) => `circuit of ${origin}: ${from} to ${to}`,
    },
    write,
  );
}
