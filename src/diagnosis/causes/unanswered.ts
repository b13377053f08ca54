import { poolSubject } from '../look.js';
import { poolHead, waitingWords } from '../phrases.js';
import type { Cause, Found } from '../types.js';
import { counted, shortTime } from '../words.js';

/** A connect takes milliseconds, and a second while hundreds log in at once. */
const LONG_MS = 5000;

/** Connects that neither succeed nor fail, which no error tells of. */
export const connectsUnanswered: Cause = {
  id: 'connects-unanswered',
  title: 'Connects neither succeed nor fail, and the pool has no limit for them',
  repair: {
    pg: 'connectionTimeoutMillis: 5000 turns the silence into an error; pg before 8.0.3 never connects on Node 14 and later: npm install pg@latest',
    typeorm: 'extra: { connectionTimeoutMillis: 5000 }',
    app: 'set a connect timeout of seconds; correct what the path to the server drops, or restart the server that does not answer',
  },
  avoid: ['pool sizes', 'retries, which hang as well'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const { pool, key } = fact;
      const ageMs = pool.observed?.connectingMs ?? null;
      const creating = pool.creating ?? 0;
      if (pool.closed || ageMs === null || ageMs < LONG_MS || creating === 0 || look.isExplained(key))
        return [];
      const none = (pool.live ?? creating) - creating <= 0;
      const waits = (pool.waiting ?? 0) > 0;
      const { address } = pool.observed ?? {};
      const place = address?.host == null ? 'the server' : `${address.host} ${address.port ?? ''}`.trim();
      return [
        {
          severity: none || waits ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [key],
          weight: creating + (pool.waiting ?? 0),
          words: `${poolHead(fact, true)}${counted(creating, 'connect')} without an answer for ${shortTime(ageMs)}${waits ? `; ${waitingWords(fact)}` : ''}`,
          evidence: [
            `creating ${creating}, oldest connect ${shortTime(ageMs)}`,
            none
              ? 'no connection of the pool is open'
              : `${(pool.live ?? 0) - creating} connections are open`,
          ],
          ruledOut: ['a server that is down or full, and a wrong password: each answers with an error'],
          confidence: 'likely',
          missing: `whether the server's port accepts at all: nc -vz ${place} on the machine of the application; if it does, the driver or the login hangs`,
        },
      ];
    });
  },
};
