import { printable } from '../../report/text.js';
import type { BackendFact, HolderFact, PoolFact } from '../facts.js';
import { holdersOf, isOfDatabase, isPressed, isSubscription, poolSubject, SLOW_MS } from '../look.js';
import { heldWords, ofPool, quote, siteEvidence, sitesOf } from '../phrases.js';
import { BOUND_STATEMENTS, GIVE_BACK, LIVE_SHORTER_THAN_THE_CUT, OWN_SESSION } from '../repairs.js';
import type { Cause, Found, Look, Step } from '../types.js';
import { counted, shortTime } from '../words.js';

/** A share of the places from which on a subscription is felt. */
const FELT = 0.2;

export const listenTakesAPlace: Cause = {
  id: 'listen-takes-a-place',
  title: 'A connection is lent for good to a subscription, so the usable pool is smaller; it is no leak',
  repair: {
    ...OWN_SESSION,
    pgbouncer: 'LISTEN needs a session: past the pooler, or a database with pool_mode=session',
  },
  avoid: ['releasing it in a finally: it has to stay', 'terminating its backend'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      if (!isOfDatabase(fact) || fact.pool.closed || look.isExplained(fact.key)) return [];
      const kept = holdersOf(look.facts, fact).filter(
        (one) => isSubscription(one) && (one.holder.ageMs ?? 0) > SLOW_MS,
      );
      if (kept.length === 0) return [];
      const share = fact.capacity === null || fact.capacity === 0 ? 0 : kept.length / fact.capacity;
      if (share < FELT) return [];
      const [first] = kept;
      const sql =
        first?.holder.session?.listens[0] === undefined
          ? (first?.holder.lastSql ?? '')
          : `LISTEN ${first.holder.session.listens[0]}`;
      const left =
        fact.capacity === null
          ? ''
          : `, so ${Math.max(0, fact.capacity - kept.length)} of ${fact.capacity} are left for others`;
      const starves = isPressed(fact) && share >= 0.5;
      return [
        {
          severity: starves ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: starves ? [fact.key] : [`subscriptions ${fact.key}`],
          weight: (fact.pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${counted(kept.length, 'connection')} kept for a subscription (${quote(sql, 40) || 'LISTEN'})${sitesOf(kept, look)}${left}`,
          ),
          evidence: [...siteEvidence(kept, look), `last statement: ${quote(sql)}`],
          ruledOut: ['a leak: it is kept on purpose, and their number does not grow'],
        },
      ];
    });
  },
};

export const halfOpen: Cause = {
  id: 'half-open-connection',
  title:
    'The path dropped the connection without a word: the application waits for an answer that nobody will send',
  repair: LIVE_SHORTER_THAN_THE_CUT,
  avoid: ['tuning indexes', 'statement_timeout: the server never got the statement'],
  find(look) {
    const { facts } = look;
    return facts.pools.flatMap((fact): Found[] => {
      if (!isOfDatabase(fact) || fact.pool.closed || look.isExplained(fact.key) || facts.servers.length === 0)
        return [];
      const busy = holdersOf(facts, fact).filter(
        ({ holder, doing }) => holder.busy === true && doing !== 'queued' && (holder.ageMs ?? 0) > SLOW_MS,
      );
      if (busy.length === 0) return [];
      const dead = busy.filter((one) => isDeaf(one, fact, look));
      if (dead.length === 0 || dead.length * 2 < busy.length) return [];
      const longest = Math.max(...dead.map(({ holder }) => holder.ageMs ?? 0));
      const joined = dead.filter(({ backend }) => backend !== null).length;
      return [
        {
          severity: isPressed(fact) || longest > 10_000 ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (fact.pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${dead.length} of ${counted(busy.length, 'busy lease')} wait for up to ${shortTime(longest)} for statements that the server does not run: half-open connections`,
          ),
          evidence: [
            `${joined} of their backends idle since before the statement, ${dead.length - joined} without any backend`,
            ...siteEvidence(dead, look),
          ],
          ruledOut: ['a slow query: the server runs none of them', 'a leak: the holders are busy'],
          confidence: joined > 0 ? 'certain' : 'likely',
        },
      ];
    });
  },
};

/** Busy in the application, while the server has no such statement. */
function isDeaf({ backend, chain, holder }: HolderFact, { app }: PoolFact, { facts }: Look): boolean {
  if (backend !== null) {
    const { state, stateMs } = backend.backend;
    // Both ends are read one after the other: a statement may have begun or ended in between.
    return state === 'idle' && (stateMs ?? 0) > SLOW_MS && !hasAnswered(holder, backend);
  }
  const last = chain.hops.at(-1);
  const isLost =
    last?.kind === 'broken' &&
    last.to === 'client' &&
    holder.localPort !== null &&
    facts.poolers.length === 0;
  if (!isLost) return false;
  // Through a proxy the ports differ: then no session of the application may be active at all.
  const own = facts.backends.filter(
    ({ backend: one }) => one.application === app || one.application === null,
  );
  return facts.backends.length > 0 && own.every(({ backend: one }) => one.state !== 'active');
}

/** The server became idle after the lease began, and its last statement is that of the lease: it has sent its answer. */
export function hasAnswered({ ageMs, lastSql }: HolderFact['holder'], { backend }: BackendFact): boolean {
  const { stateMs, query } = backend;
  if (stateMs === null || ageMs === null || stateMs + 100 >= ageMs) return false;
  return query === null || lastSql === null || query.trim().startsWith(lastSql.trim().slice(0, 200));
}

export const leftRunning: Cause = {
  id: 'query-left-by-client-timeout',
  title: 'A timeout of the client gave statements up, and the server still runs them',
  repair: BOUND_STATEMENTS,
  avoid: ['a bigger pool: it starts more of them', 'a shorter client timeout'],
  find(look) {
    const { facts } = look;
    const isPooled = facts.poolers.length > 0 || facts.failures.some(({ kind }) => kind === 'pgbouncer');
    if (facts.pools.length === 0 || isPooled) return [];
    return facts.pools.flatMap((fact): Found[] => {
      const own = holdersOf(facts, fact);
      const { address } = fact.pool.observed ?? {};
      const names = new Set(own.flatMap(({ backend }) => backend?.backend.application ?? []));
      if (own.some(({ backend }) => backend === null) || (names.size === 0 && address == null)) return [];
      const held = new Set(facts.holders.flatMap(({ backend }) => backend?.key ?? []));
      const oldest = Math.max(0, ...own.map(({ holder }) => holder.ageMs ?? 0));
      const gaveUp = givenUp(fact, own);
      const left = facts.backends.filter(
        ({ key, backend }) =>
          backend.state === 'active' &&
          !held.has(key) &&
          (backend.queryMs ?? 0) > Math.max(SLOW_MS, oldest) &&
          (names.size === 0 || names.has(backend.application ?? '')) &&
          (address?.user == null || backend.user === address.user) &&
          (address?.database == null || backend.database === address.database),
      );
      const timedOut = (fact.pool.observed?.queryErrors ?? []).some(
        ({ message, lastMs }) => /query read timeout|timeout/i.test(message ?? '') && (lastMs ?? 0) < 300_000,
      );
      if (gaveUp.length > 0) return [stillLent(fact, gaveUp, look)];
      if (left.length === 0 || (!timedOut && left.length + own.length <= (fact.pool.live ?? 0))) return [];
      const longest = Math.max(...left.map(({ backend }) => backend.queryMs ?? 0));
      const query = left[0]?.backend.query ?? '';
      return [
        {
          severity: isPressed(fact) || left.length > 1 ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key, ...left.map(({ key }) => key)],
          weight: left.length,
          words: `${printable(fact.pool.name)}: ${counted(left.length, 'statement')} that no lease waits for any more still run on the server, for up to ${shortTime(longest)}: ${quote(query)}`,
          evidence: left
            .slice(0, 5)
            .map(
              ({ backend }) =>
                `pid ${backend.pid}: active for ${shortTime(backend.queryMs)}, no lease on it; the oldest lease is ${shortTime(oldest)} old`,
            ),
          ruledOut: ['slow queries of today’s leases: these are older than all of them'],
          steps: cancelSteps(left, look),
        },
      ];
    });
  },
};

/** mysql2 keeps a connection lent until the statement ends that its timeout gave up. */
function givenUp({ pool }: PoolFact, own: readonly HolderFact[]): readonly HolderFact[] {
  const timedOut = (pool.observed?.queryErrors ?? []).some(
    ({ code, lastMs }) => code === 'PROTOCOL_SEQUENCE_TIMEOUT' && (lastMs ?? 0) < 300_000,
  );
  if (!timedOut) return [];
  return own.filter(({ doing, backend }) => doing === 'query' && (backend?.backend.queryMs ?? 0) > SLOW_MS);
}

function stillLent(fact: PoolFact, gaveUp: readonly HolderFact[], look: Look): Found {
  const backends = gaveUp.flatMap(({ backend }) => backend ?? []);
  const longest = Math.max(...backends.map(({ backend }) => backend.queryMs ?? 0));
  return {
    severity: isPressed(fact) ? 'bad' : 'warn',
    subject: poolSubject(fact),
    explains: [fact.key, ...backends.map(({ key }) => key)],
    weight: (fact.pool.waiting ?? 0) + 1,
    words: ofPool(
      fact,
      `${counted(gaveUp.length, 'statement')} that a timeout of the client gave up still run on the server, for up to ${shortTime(longest)}, and keep their connections: ${quote(backends[0]?.backend.query ?? '')}`,
    ),
    evidence: ['PROTOCOL_SEQUENCE_TIMEOUT: the client gave statements up', ...siteEvidence(gaveUp, look)],
    ruledOut: ['a leak: the connections come back when the statements end'],
    steps: cancelSteps(backends, look),
    driver: fact.pool.driver,
  };
}

function cancelSteps(backends: readonly BackendFact[], { facts }: Look): Step[] {
  return backends.map(({ source, backend: { pid } }): Step => {
    const isMysql = facts.servers.some((one) => one.source === source && one.kind === 'mysql');
    return {
      kind: 'sql',
      at: source,
      text: isMysql ? `KILL QUERY ${pid}` : `SELECT pg_cancel_backend(${pid})`,
    };
  });
}

export const leak: Cause = {
  id: 'leak-missing-release',
  title: 'Leases acquired at one place are never released; the pool lost them for good',
  repair: GIVE_BACK,
  avoid: [
    'a bigger pool: the same leak drains it later',
    'pg_terminate_backend as the repair: the lease stays out',
    'idle_in_transaction_session_timeout: no transaction is open',
  ],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      if (fact.pool.closed || look.isExplained(fact.key)) return [];
      const all = holdersOf(look.facts, fact);
      const lost = all.filter((one) => one.suspect && !isSubscription(one));
      if (lost.length === 0) return [];
      const blocked = lost.reduce((sum, { backend }) => sum + (backend?.blocks ?? 0), 0);
      const also =
        blocked === 0 ? '' : `; they block ${counted(blocked, 'backend')}, where a bigger pool gains nothing`;
      const idle = lost.filter(({ backend }) => backend?.backend.state === 'idle').length;
      const isSeen = lost.some(
        ({ backend, holder }) => backend !== null || holder.session?.inTransaction != null,
      );
      return [
        {
          severity: isPressed(fact) ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (fact.pool.waiting ?? 0) + lost.length,
          words: `${ofPool(fact, heldWords(lost, fact.pool.inUse ?? all.length, look))}${also}`,
          evidence: [
            ...siteEvidence(lost, look),
            ...(idle > 0 ? [`${idle} of their backends idle without a transaction`] : []),
          ],
          ruledOut: ['a subscription: none of them listens', 'a slow query: none of them runs one'],
          confidence: isSeen || !isOfDatabase(fact) ? 'certain' : 'likely',
          missing:
            isSeen || !isOfDatabase(fact)
              ? null
              : 'whether they have a transaction open: add the address of the server',
        },
      ];
    });
  },
};

export const heldThroughOtherWork: Cause = {
  id: 'connection-held-through-other-work',
  title: 'Connections are held while the application does something else',
  repair: {
    ...GIVE_BACK,
    app: 'acquire after the other work (HTTP, mail, computing), or release before it',
    pg: 'acquire after the other work, or release before it; pool.query() for single statements',
  },
  avoid: ['a bigger pool first', 'tuning queries'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      if (!isOfDatabase(fact) || !isPressed(fact) || look.isExplained(fact.key)) return [];
      const all = holdersOf(look.facts, fact).filter((one) => !one.suspect && !isSubscription(one));
      const idle = all.filter(
        ({ doing, holder }) => doing === 'idle' && (holder.idleMs ?? holder.ageMs ?? 0) > 100,
      );
      if (idle.length === 0 || idle.length * 2 < all.length) return [];
      const longest = Math.max(...idle.map(({ holder }) => holder.ageMs ?? 0));
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (fact.pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${idle.length} of ${counted(all.length, 'lease')} idle while they are held, for up to ${shortTime(longest)}${sitesOf(idle, look)}`,
          ),
          evidence: siteEvidence(idle, look),
          ruledOut: [
            'a leak: none is old enough',
            'a pool that is too small: the database has nothing to do for them',
          ],
          confidence: 'likely',
          missing: 'whether they come back: another look in half a minute',
        },
      ];
    });
  },
};
