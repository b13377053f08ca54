import { printable } from '../../report/text.js';
import type { PoolFact } from '../facts.js';
import { isOfDatabase, isPressed, poolSubject } from '../look.js';
import { END_TRANSACTION, LIVE_SHORTER_THAN_THE_CUT } from '../repairs.js';
import type { Cause, Found, Look } from '../types.js';
import { counted } from '../words.js';

/** Connections that broke within the last minute count as now. */
const NOW_MS = 60_000;
/** A single one is no pattern. */
const LEAST = 2;

/** By connections that ended without a word: an error that says why is a cause of its own, and tried before. */
export const idleConnectionsCut: Cause = {
  id: 'idle-connections-cut',
  title: 'The server, or something on the path, ends connections that lie idle in the pool',
  repair: LIVE_SHORTER_THAN_THE_CUT,
  avoid: ['a bigger pool: more of them lie idle', 'retries as the repair'],
  find: (look) =>
    lostNow(look).flatMap(({ fact, lostIdle }): Found[] => {
      if (lostIdle < LEAST) return [];
      return [
        {
          severity: 'warn',
          subject: poolSubject(fact),
          explains: [`lost ${fact.key}`, `churn ${fact.key}`],
          weight: lostIdle,
          words: `${printable(fact.pool.name)}: ${counted(lostIdle, 'connection')} broke while idle in the pool, the last one less than a minute ago`,
          evidence: [`connections that broke: ${lostIdle} idle, ${fact.pool.observed?.lostLent ?? 0} lent`],
          ruledOut: ['a restart of the server: it would end connections in use as well'],
          confidence: 'likely',
          missing:
            'what ends them: wait_timeout or idle_session_timeout of the server, or a proxy or firewall',
        },
      ];
    }),
};

/** MariaDB ends the connection without a word, where PostgreSQL says 25P03. */
export const openTransactionsCut: Cause = {
  id: 'idle-transaction-killed',
  title: 'The server ends connections whose transaction is idle for too long',
  repair: END_TRANSACTION,
  avoid: ['the limit to 0 as the repair'],
  find: (look) =>
    lostNow(look).flatMap(({ fact, lostOpen }): Found[] => {
      const { observed, driver } = fact.pool;
      const lent = observed?.lostLent ?? 0;
      if (lostOpen < LEAST || lostOpen * 2 < lent || !/mysql|mariadb/i.test(driver)) return [];
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [`lost ${fact.key}`, `errors ${fact.key}`],
          weight: lostOpen,
          words: `${printable(fact.pool.name)}: ${counted(lostOpen, 'connection')} broke inside an open transaction, the last one less than a minute ago, as where the server ends transactions that are idle for too long (idle_transaction_timeout)`,
          evidence: [
            `connections that broke: ${observed?.lostIdle ?? 0} idle, ${lent} lent, ${lostOpen} of them in a transaction`,
          ],
          ruledOut: ['idle cuts: these were lent', 'a restart of the server: idle connections stay'],
          confidence: 'likely',
          missing:
            "idle_transaction_timeout and wait_timeout of the server: SHOW GLOBAL VARIABLES LIKE '%timeout'",
        },
      ];
    }),
};

interface Lost {
  readonly fact: PoolFact;
  readonly lostIdle: number;
  readonly lostOpen: number;
}

/** Pools that lose connections now, unless the server itself went away. */
function lostNow(look: Look): readonly Lost[] {
  return look.facts.pools.flatMap((fact): Lost[] => {
    const { observed, closed } = fact.pool;
    if (!isOfDatabase(fact) || closed || observed?.lostMs == null || observed.lostMs > NOW_MS) return [];
    if (look.isExplained(fact.key) || look.isExplained(`errors ${fact.key}`)) return [];
    const failedMs = observed.createErrorMs;
    const isDown = (failedMs !== null && failedMs < NOW_MS) || isPressed(fact);
    const isNew = look.facts.servers.some(({ server }) => (server.uptimeMs ?? NOW_MS * 5) < NOW_MS * 5);
    if (isDown || isNew) return [];
    return [{ fact, lostIdle: observed.lostIdle ?? 0, lostOpen: observed.lostOpen ?? 0 }];
  });
}
