import { formatMs } from '../base/units.js';
import type { HttpPool } from './http-pool.js';

/** Writes a line for each step in the life of a pool's connections, and for each retry. Returns the way to stop. */
export function logHttpLifeCycle(pool: HttpPool, write: (line: string) => void): () => void {
  const say = (text: string): void => write(`pool '${pool.name}': ${text}`);
  const stops = [
    pool.on('open', ({ connectionId, origin, protocol, tookMs }) =>
      say(`#${connectionId} to ${origin} opened in ${formatMs(tookMs)} (${protocol})`),
    ),
    pool.on('connectFailed', ({ error }) => say(`opening failed: ${error.message}`)),
    pool.on('close', ({ connectionId, origin, reason, requests }) =>
      say(`#${connectionId} to ${origin} closed (${reason}) after ${requests} requests`),
    ),
    pool.on('retry', ({ origin, method, cause, attempt, waitMs }) =>
      say(`${method} to ${origin} failed (${cause}, attempt ${attempt}), next in ${formatMs(waitMs)}`),
    ),
    pool.on('retryDenied', ({ origin, method, cause }) =>
      say(`${method} to ${origin} failed (${cause}), and the budget for retries is used up`),
    ),
    pool.on('poolTimeout', ({ error: { facts } }) => {
      const what = facts.lacking === 'rate' ? 'place in the rate limit' : 'connection';
      say(`no ${what} for ${facts.origin} within ${facts.waitedMs} ms, ${facts.queued} waiting`);
    }),
    pool.on('timeout', ({ error }) => say(error.message)),
    pool.on('breaker', ({ origin, from, to }) => say(`circuit of ${origin}: ${from} to ${to}`)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
