import { printable } from '../../report/text.js';
import { type HolderFact, LEAK_MS } from '../facts.js';
import {
  activityOf,
  behind,
  holdersOf,
  isFull,
  isOfDatabase,
  isPressed,
  isQueueLong,
  poolerSubject,
  poolSubject,
  ranked,
  SLOW_MS,
} from '../look.js';
import { ofPool, poolHead, siteEvidence, waitingWords } from '../phrases.js';
import { onlyAt } from '../repairs.js';
import type { Cause, Found, Look, Repair } from '../types.js';
import { counted, shortRate, shortSite, shortTime } from '../words.js';
import { poolerName, queuedPools, queueWords } from './pooler.js';

const LARGER: Repair = {
  pg: 'raise max by half, and look again; all instances together must stay below max_connections',
  'postgres.js': 'raise max by half',
  mysql2: 'raise connectionLimit by half',
  mongodb: 'raise maxPoolSize by half',
  knex: 'raise pool.max by half',
  sequelize: 'raise pool.max by half',
  typeorm: 'raise poolSize by half',
  prisma: 'raise connection_limit by half',
  'generic-pool': 'raise max by half',
  poolctl: 'raise size by half (DB_POOL_SIZE)',
  app: 'raise the size by half; poolctl loadtest --sweep shows whether it helps',
};

export const poolerPoolTooSmall: Cause = {
  id: 'pooler-pool-too-small',
  title: 'The pooler has fewer servers than the load would use, and the database has room',
  repair: onlyAt({
    app: 'nothing: a larger application pool only moves the queue',
    pgbouncer:
      'default_pool_size (or pool_size of that database) up by half, RELOAD; reserve_pool_size for peaks',
    postgres: 'the sum of all pools must stay below max_connections',
  }),
  avoid: ['larger application pools', 'more than 2 to 3 servers for each core'],
  find(look) {
    return look.facts.poolerPools.flatMap((fact): Found[] => {
      if (!isQueueLong(fact) || look.isExplained(fact.key)) return [];
      const own = behind(fact, look.facts);
      const working = own.filter((one) => activityOf(one) === 'query').length;
      return [
        {
          severity: 'bad',
          subject: poolerSubject(fact),
          explains: [fact.key, ...queuedPools(fact, look)],
          weight: fact.pool.clientsWaiting - 0.5,
          words: `${poolerName(fact)}: ${queueWords(fact)}`,
          evidence: [
            `SHOW POOLS: cl_waiting ${fact.pool.clientsWaiting}, sv_active ${fact.pool.serversActive}, sv_idle ${fact.pool.serversIdle}`,
            ...(own.length === 0 ? [] : [`${working} of its ${own.length} servers run a short statement`]),
          ],
          ruledOut:
            own.length === 0
              ? []
              : ['locks, slow statements and idle transactions: its servers do none of it'],
          confidence: own.length === 0 ? 'possible' : 'likely',
          missing: own.length === 0 ? 'what its servers do: add the postgres:// address' : null,
        },
      ];
    });
  },
};

export const queuedInPooler: Cause = {
  ...poolerPoolTooSmall,
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      if (!isPressed(fact) || look.isExplained(fact.key)) return [];
      const all = holdersOf(look.facts, fact);
      const queued = all.filter(({ doing }) => doing === 'queued');
      if (queued.length === 0 || queued.length * 2 < all.length) return [];
      const client = queued[0]?.client ?? null;
      const own = look.facts.poolerPools.find(
        ({ pool }) => pool.database === client?.database && pool.user === client?.user,
      );
      const servers =
        own === undefined
          ? ''
          : ` for ${counted(own.pool.size ?? own.pool.serversActive + own.pool.serversIdle, 'server connection')}`;
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (fact.pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${queued.length} of ${counted(all.length, 'lease')} queue in PgBouncer${servers}`,
          ),
          confidence: 'likely',
        },
      ];
    });
  },
};

export const poolTooSmall: Cause = {
  id: 'pool-too-small',
  title: 'Short leases come back all the time, and there are not enough of them',
  repair: LARGER,
  avoid: ['more than the server has cores for'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const { pool } = fact;
      if (!isOfDatabase(fact) || !isPressed(fact) || !isFull(fact) || look.isExplained(fact.key)) return [];
      const all = holdersOf(look.facts, fact);
      const oldest = pool.longestHoldMs ?? all[0]?.holder.ageMs ?? null;
      const recent = look.recent(fact);
      // Not acquires: a pool that is just being emptied has those as well.
      const turnover = recent.releasesPerSecond;
      if (oldest === null || oldest >= SLOW_MS || turnover === null || turnover <= 0) return [];
      // The looks may fall between two long leases.
      if ((recent.holdMeanMs ?? 0) >= SLOW_MS) return [];
      const hold = recent.holdMeanMs === null ? '' : `, held ${shortTime(recent.holdMeanMs)} each`;
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (pool.waiting ?? 0) + 1,
          words: ofPool(fact, `${pool.inUse} leases turn over at ${shortRate(turnover)}/s${hold}, none slow`),
          evidence: [`released ${shortRate(turnover)}/s, oldest lease ${shortTime(oldest)}`],
          ruledOut: ['a leak: all leases come back', 'slow queries and locks: none is old'],
          confidence: look.facts.servers.length > 0 ? 'certain' : 'likely',
        },
      ];
    });
  },
};

/** A pool that is short of leases for a reason that the facts do not tell. */
export const unclear: Cause = {
  id: 'unclear',
  title: 'Callers wait, and the facts do not tell why',
  repair: {
    app: 'add the sources that are missing: the application (poolctl run), the pooler, and the server',
  },
  avoid: ['a bigger pool before the cause is known'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const { pool, capacity } = fact;
      if (pool.closed || look.isExplained(fact.key)) return [];
      const unknown = pool.waiting === null && isFull(fact);
      if (!isPressed(fact) && !unknown) return [];
      const all = holdersOf(look.facts, fact);
      const opening = !isFull(fact) ? (pool.creating ?? 0) : 0;
      const inUse =
        pool.inUse === null
          ? 'leases not known'
          : capacity === null
            ? `${pool.inUse} in use`
            : `${pool.inUse} of ${capacity} in use`;
      const waits = waitingWords(fact);
      const clause =
        opening > 0
          ? `${counted(opening, 'connection')} being opened, ${inUse}; ${waits}`
          : `${inUse}, ${waits}; cause unclear${why(all, look)}`;
      return [
        {
          severity: isPressed(fact) ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (pool.waiting ?? 0) + 1,
          words: `${poolHead(fact)}${clause}`,
          evidence: siteEvidence(all, look),
          confidence: 'possible',
          missing: missingFact(look),
        },
      ];
    });
  },
};

function missingFact({ facts }: Look): string {
  if (facts.servers.length === 0) return 'what the server does with the leases: add the database as a source';
  const unjoined = facts.holders.filter(({ chain }) => chain.hops.at(-1)?.kind === 'broken');
  const hop = unjoined[0]?.chain.hops.at(-1);
  if (hop?.kind === 'broken') return `where the leases lead: ${hop.why}`;
  return 'whether the leases come back: another look in half a minute';
}

const DOING: Readonly<Record<NonNullable<HolderFact['doing']>, string>> = {
  query: 'in queries',
  'lock wait': 'in waits for locks',
  queued: 'in the queue of PgBouncer',
  'idle in transaction': 'idle in transactions',
  idle: 'idle',
};

/** `: 3 idle, the oldest for 4.2s, acquired at src/orders.ts:88`, or what would have to be known. */
function why(holders: readonly HolderFact[], { facts: { backends, gaps }, cwd }: Look): string {
  if (holders.length > 0 && holders.every(({ holder }) => holder.ageMs === null))
    return ': the ages of leases are not measured';
  const unread = gaps.length === 0 ? '' : `${counted(gaps.length, 'thing')} could not be read, see Events`;
  const doing = holders.flatMap((one) => (one.doing === null ? [] : DOING[one.doing]));
  const counts = ranked(doing).map((what) => `${doing.filter((one) => one === what).length} ${what}`);
  const oldest = holders.reduce<HolderFact | null>(
    (one, other) => ((other.holder.ageMs ?? 0) > (one?.holder.ageMs ?? 0) ? other : one),
    null,
  );
  const site = oldest?.holder.site ?? null;
  const where = site === null ? '' : `, acquired at ${printable(shortSite(site, cwd))}`;
  const known =
    counts.length === 0 || oldest === null
      ? ''
      : `: ${counts.join(', ')}, the oldest for ${shortTime(oldest.holder.ageMs)}${where}`;
  if (unread !== '') return known === '' ? `: ${unread}` : `${known}; ${unread}`;
  return backends.length === 0 ? `${known}; add the database as a source to see more` : known;
}

/** Leases that are bounded by nothing: what exhausts the pool stays silent. */
export const acquireLimitNone: Cause = {
  id: 'acquire-limit-none',
  title: 'Nothing bounds the wait for a connection, so callers hang without an error',
  repair: {
    pg: 'connectionTimeoutMillis (0 and none: for ever)',
    'postgres.js': 'it has none: bound the call, and query.cancel()',
    mysql2: 'it has none; queueLimit refuses beyond a length',
    'mariadb client': 'acquireTimeout (10 s)',
    mongodb: 'waitQueueTimeoutMS',
    knex: 'acquireConnectionTimeout',
    sequelize: 'pool.acquire',
    typeorm: 'extra.connectionTimeoutMillis',
    prisma: 'pool_timeout=; maxWait of $transaction',
    'generic-pool': 'acquireTimeoutMillis',
    poolctl: 'timeoutMs',
    app: 'a limit on the wait for a connection',
    pgbouncer: 'query_wait_timeout above it',
  },
  avoid: ['taking it for the cause: repair what exhausts the pool first'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const { pool } = fact;
      const wait = pool.longestWaitMs ?? 0;
      if (pool.closed || pool.setup?.acquireTimeoutMs !== 'never' || wait < LEAK_MS) return [];
      return [
        {
          severity: 'warn',
          subject: poolSubject(fact),
          explains: [`acquire ${fact.key}`],
          words: `${printable(pool.name)}: callers have waited for up to ${shortTime(wait)} and no acquire timeout ends it`,
          evidence: [`acquire timeout: never; timed out: ${pool.counters.timedOut ?? '?'}`],
        },
      ];
    });
  },
};

/** A statement that runs longer than the limit of its own pool: the limit is not in force. */
export const limitSwallowed: Cause = {
  id: 'startup-parameter-swallowed',
  title: 'statement_timeout never reached the server: the pooler drops the startup parameter',
  repair: onlyAt({
    app: 'no startup parameter for it: it does not get through',
    pgbouncer:
      'take it out of ignore_startup_parameters, so that clients learn that it is not taken; query_timeout as the last resort',
    sql: { postgres: ["ALTER ROLE {role} SET statement_timeout = '30s'"] },
  }),
  avoid: ['more entries in ignore_startup_parameters'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      const limit = fact.pool.setup?.statementTimeoutMs;
      if (typeof limit !== 'number' || limit <= 0) return [];
      const over = holdersOf(look.facts, fact).filter(
        ({ backend }) =>
          backend?.backend.state === 'active' && (backend.backend.queryMs ?? 0) > limit + SLOW_MS,
      );
      const ignored = look.facts.poolers.find(({ pooler }) =>
        /statement_timeout/.test(pooler.config.ignore_startup_parameters ?? ''),
      );
      if (over.length === 0 || ignored === undefined) return [];
      const longest = Math.max(...over.map(({ backend }) => backend?.backend.queryMs ?? 0));
      return [
        {
          severity: isPressed(fact) ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (fact.pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${counted(over.length, 'statement')} run for up to ${shortTime(longest)} though statement_timeout is ${shortTime(limit)}: PgBouncer drops it (ignore_startup_parameters)`,
          ),
          evidence: [
            `ignore_startup_parameters = ${printable(ignored.pooler.config.ignore_startup_parameters ?? '')}`,
          ],
          ruledOut: ['a limit of the client alone: the statement still runs on the server'],
        },
      ];
    });
  },
};
