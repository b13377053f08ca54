import { printable } from '../../report/text.js';
import type { PoolerPoolFact } from '../facts.js';
import { activityOf, behind, isQueueLong, poolerSubject, poolSubject, serverSubject } from '../look.js';
import { ofPool } from '../phrases.js';
import { LIVE_SHORTER_THAN_THE_CUT, onlyAt } from '../repairs.js';
import type { Cause, Found, Look, Step } from '../types.js';
import { counted, shortTime } from '../words.js';
import { connectFailures, foundOf } from './connecting.js';
import { OLD_ADDRESS } from './shared.js';
import { starvedPools } from './starved.js';

const NO_SERVER = 'and the pooler has no server connection at all';

export const poolerName = ({ pool }: PoolerPoolFact): string =>
  printable(`pgbouncer ${pool.database}/${pool.user}`);

/** `16 of 20 clients queue for 4 server connections, the longest for 353ms`. */
export function queueWords({ pool }: PoolerPoolFact): string {
  const clients = pool.clientsWaiting + pool.clientsActive;
  const servers = pool.size ?? pool.serversActive + pool.serversIdle + pool.serversOther;
  return `${pool.clientsWaiting} of ${counted(clients, 'client')} queue for ${counted(servers, 'server connection')}, the longest for ${shortTime(pool.longestWaitMs)}`;
}

function rowEvidence({ pool }: PoolerPoolFact): string[] {
  return [
    `SHOW POOLS: cl_waiting ${pool.clientsWaiting}, sv_active ${pool.serversActive}, sv_idle ${pool.serversIdle}, other ${pool.serversOther}, maxwait ${shortTime(pool.longestWaitMs)}, pool_mode ${printable(pool.mode)}`,
  ];
}

function aboutPool(fact: PoolerPoolFact, look: Look, words: string, more: Partial<Found>): Found {
  const { evidence = [], explains = [], ...rest } = more;
  return {
    severity: 'bad',
    subject: poolerSubject(fact),
    explains: [fact.key, ...queuedPools(fact, look), ...explains],
    weight: fact.pool.clientsWaiting - 0.5,
    words: `${poolerName(fact)}: ${words}`,
    evidence: [...rowEvidence(fact), ...evidence],
    ...rest,
  };
}

/** Pools of applications whose leases wait in this queue, or whose connects do. */
export function queuedPools({ pool }: PoolerPoolFact, { facts }: Look): string[] {
  const own = facts.holders.filter(
    ({ client, doing }) =>
      doing === 'queued' && client?.database === pool.database && client.user === pool.user,
  );
  const opening = facts.pools.filter((one) => (one.pool.creating ?? 0) > 0 && (one.pool.waiting ?? 0) > 0);
  return [...own.map((one) => one.pool.key), ...opening.map(({ key }) => key)];
}

export const poolerClientsFull: Cause = {
  id: 'pooler-client-limit',
  title: "The pooler's limit of clients is reached, not that of the database",
  repair: {
    app: 'fewer and smaller pools: behind a pooler in transaction mode 5 to 10 for each process are enough',
    pgbouncer:
      'max_client_conn up, and LimitNOFILE of the unit with it (max_client_conn + pool_size x databases x users); RELOAD',
  },
  avoid: ['max_connections of the database: it is not reached'],
  find(look) {
    const clause = 'the pooler refuses another client (its own limit, not that of the database)';
    const ruledOut = ['max_connections of the database: the words are those of the pooler'];
    const refused = connectFailures(look)
      .filter(({ fault }) => fault === 'pooler-clients')
      .map((failure) => foundOf(failure, look, clause, ruledOut));
    const full = look.facts.poolers.flatMap(({ source, pooler }): Found[] => {
      const { usedClients, maxClients } = pooler;
      // The console itself is a client, and no user's.
      if (usedClients === null || maxClients === null || usedClients < maxClients - 1) return [];
      return [
        {
          severity: 'bad',
          subject: serverSubject(source),
          explains: [source, ...refused.flatMap(({ explains }) => explains)],
          words: `${printable(source)}: ${usedClients} of ${maxClients} clients (max_client_conn), so another is refused`,
          evidence: [`SHOW LISTS: used_clients ${usedClients}; max_client_conn ${maxClients}`],
          ruledOut,
        },
      ];
    });
    return [...refused, ...full];
  },
};

export const poolerPaused: Cause = {
  id: 'pooler-paused',
  title: 'The pooler is paused: it keeps all clients waiting',
  repair: onlyAt({
    pgbouncer: 'RESUME on its console (poolctl pgbouncer resume), unless somebody is at work on it',
  }),
  avoid: ['a larger pool_size', 'a restart of the pooler'],
  find(look) {
    return look.facts.poolerPools.flatMap((fact): Found[] => {
      const { pool, pooler, source } = fact;
      if (pool.clientsWaiting === 0) return [];
      if (pooler.databases.some((one) => one.name === pool.database && one.paused))
        return [
          aboutPool(fact, look, `${queueWords(fact)}; the database is paused`, {
            evidence: ['SHOW DATABASES: paused 1'],
            steps: [resume(source, pool.database)],
          }),
        ];
      if (!starvedPools(look).includes(fact) || isLoginFailing(fact, look) || pool.serversOther > 0)
        return [];
      const answers =
        look.facts.servers.length > 0 && look.facts.failures.every(({ kind }) => kind === 'pool');
      if (!answers || pool.longestWaitMs === 0) return [];
      return [
        aboutPool(
          fact,
          look,
          `${counted(pool.clientsWaiting, 'client')} wait ${NO_SERVER}, while the server answers: it is paused, or its log-ins fail`,
          {
            confidence: 'possible',
            ruledOut: [
              'a server that is down: it answers poolctl',
              'a pool that is too small: no server is in use',
            ],
            missing:
              'whether a new client is refused at once (log-ins fail) or waits (paused): poolctl doctor --try-login, or SHOW STATE from 1.19',
            steps: [resume(source, null)],
          },
        ),
      ];
    });
  },
};

function resume(source: string, database: string | null): Step {
  return { kind: 'console', at: source, text: database === null ? 'RESUME' : `RESUME ${database}` };
}

/** A new client is refused at once where log-ins of the pooler fail. */
function isLoginFailing(fact: PoolerPoolFact, look: Look): boolean {
  return (
    isAuthQueryStuck(fact) ||
    connectFailures(look).some(({ fault }) => fault === 'pooler-login' || fault === 'pooler-auth')
  );
}

export const authQueryBroken: Cause = {
  id: 'auth-query-broken',
  title: 'PgBouncer cannot ask the server for secrets, so log-ins hang',
  repair: onlyAt({
    pgbouncer: 'a plain or md5 secret of auth_user in userlist.txt; auth_dbname (from 1.19); RELOAD',
    postgres:
      'a SECURITY DEFINER function with EXECUTE for auth_user, in each database that auth_query runs in',
  }),
  avoid: ['a longer client_login_timeout', 'a superuser as auth_user'],
  find(look) {
    const stuck = look.facts.poolerPools.filter(isAuthQueryStuck).map((fact): Found => {
      const nobody = nobodies(fact);
      const user = printable(fact.pooler.config.auth_user || fact.pool.user);
      return aboutPool(
        fact,
        look,
        `${counted(Math.max(nobody, fact.pool.clientsWaiting), 'client')} wait at log-in for auth_query as ${user}, ${NO_SERVER}`,
        {
          evidence: [`SHOW CLIENTS: ${nobody} of user (nouser) waiting; auth_user ${user}`],
          ruledOut: [
            'a server that is down: users of userlist.txt get in',
            'maxwait 0 is no proof of calm: clients at log-in are not counted',
          ],
        },
      );
    });
    const words = connectFailures(look)
      .filter(({ fault }) => fault === 'pooler-auth-query')
      .map((failure) =>
        foundOf(failure, look, 'the pooler cannot ask the server for secrets (auth_query)', [
          'a wrong password: the pooler has not compared it',
        ]),
      );
    return [...stuck, ...words];
  },
};

function nobodies({ pooler }: PoolerPoolFact): number {
  return pooler.clients.filter(({ user, state }) => user === '(nouser)' && state.startsWith('waiting'))
    .length;
}

function isAuthQueryStuck(fact: PoolerPoolFact): boolean {
  const { pool, pooler } = fact;
  const user = pooler.config.auth_user;
  const isStarved = pool.clientsWaiting > 0 && pool.serversActive + pool.serversIdle === 0;
  if (!isStarved) return false;
  return nobodies(fact) > 0 || (user !== undefined && user !== '' && pool.user === user);
}

export const authSecretMismatch: Cause = {
  id: 'auth-secret-mismatch',
  title: 'The pooler knows another secret, or another kind of secret, than PostgreSQL',
  repair: onlyAt({
    app: 'nothing, where the direct log-in with the same password works',
    pgbouncer:
      'copy rolpassword of pg_authid into userlist.txt, RELOAD; with user= in [databases] a plain password',
    postgres: 'ALTER ROLE {role} PASSWORD ... once, then copy the new secret',
  }),
  avoid: ['auth_type = trust', 'password_encryption = md5'],
  find(look) {
    const direct = look.facts.servers.length > 0;
    const pooled = look.facts.poolers.length > 0;
    return connectFailures(look)
      .filter(
        ({ fault, pool }) =>
          fault === 'pooler-auth' || (fault === 'password' && pool !== null && pooled && direct),
      )
      .map((failure): Found => {
        const isPooler = failure.fault === 'pooler-auth';
        return {
          ...foundOf(failure, look, 'the login through the pooler is refused', [
            isPooler
              ? 'the server: the words are those of the pooler'
              : 'a server that is down: it answers poolctl',
          ]),
          // Clients that wait in the pooler wait for the same login.
          explains: [failure.subject.key, ...starvedPools(look).map(({ key }) => key)],
          confidence: isPooler ? 'certain' : 'likely',
          missing: 'whether the same password works directly: psql with the address of the server',
        };
      });
  },
};

export const wrongPassword: Cause = {
  id: 'wrong-password',
  title: 'The application has another password than the server',
  repair: {
    pg: 'password: async () => current()',
    'postgres.js': 'pass: () => current()',
    mysql2: 'a new pool with the new password, then end the old one',
    knex: 'connection: async () => ({ ..., expirationChecker: () => ... })',
    sequelize: 'the hook beforeConnect sets config.password',
    typeorm: 'password: () => current()',
    prisma: 'the driver adapter with the function of pg, or a new client',
    poolctl: 'the new address, and a restart',
    app: 'the new password',
    pgbouncer: 'userlist.txt, RELOAD',
    postgres: 'a second role while passwords rotate',
    mysql: 'ALTER USER ... RETAIN CURRENT PASSWORD (from 8.0.14) while passwords rotate',
    mariadb: 'a second account while passwords rotate',
  },
  avoid: ['restart loops: they lock the account or storm the server'],
  find(look) {
    return connectFailures(look)
      .filter(({ fault, subject }) => fault === 'password' && !look.isExplained(subject.key))
      .map((failure): Found => {
        const live = failure.pool?.pool.live ?? 0;
        const old = live > 0 ? `; ${counted(live, 'connection')} from before go on` : '';
        const found = foundOf(failure, look, `the server refuses the password${old}`, [
          'userlist.txt of a pooler: the words are those of the server',
        ]);
        return { ...found, confidence: 'likely' };
      });
  },
};

export const serverLoginRetry: Cause = {
  id: 'server-login-retry',
  title: 'The pooler cannot log in to the server, and refuses clients until its next try',
  repair: onlyAt({
    app: 'retry with a backoff longer than server_login_retry (15 s unless set)',
    pgbouncer:
      'look into its log for the words of the server; server_login_retry = 1 where a failover is quick',
    postgres: 'repair what it says to a direct log-in of the same user',
  }),
  avoid: ['pool sizes', 'restarting the pooler in a loop'],
  find(look) {
    const { facts } = look;
    const direct = facts.failures.find(({ kind }) => kind === 'postgres' || kind === 'mysql');
    const why = direct === undefined ? '' : `; the server itself: ${printable(direct.why).slice(0, 120)}`;
    const unread = facts.servers.length === 0 && direct === undefined;
    const missing = unread
      ? 'what the server says to a direct log-in: add its postgres:// address'
      : direct === undefined
        ? "why its log-ins fail: the server answers poolctl, so look into the pooler's log"
        : null;
    const clause = `the pooler cannot log in to the server${why}`;
    const refused = connectFailures(look)
      .filter(({ fault, subject }) => fault === 'pooler-login' && !look.isExplained(subject.key))
      .map(
        (failure): Found => ({
          ...foundOf(failure, look, clause, ['a queue: the pooler refuses at once']),
          explains: [failure.subject.key, ...starvedPools(look).map(({ key }) => key)],
          confidence: missing === null ? 'certain' : 'likely',
          missing,
        }),
      );
    const starved = starvedPools(look)
      .filter((fact) => !look.isExplained(fact.key) && refused.length === 0 && !isRecycling(fact))
      .map(
        (fact): Found =>
          aboutPool(
            fact,
            look,
            `${counted(fact.pool.clientsWaiting, 'client')} wait ${NO_SERVER}: it cannot log in to the server, or is paused${why}`,
            {
              confidence: missing === null ? 'likely' : 'possible',
              ruledOut: [
                'a pool that is too small: no server connection is in use',
                'maxwait 0 is no proof of calm',
              ],
              missing,
            },
          ),
      );
    return [...refused, ...starved];
  },
};

export const poolerDatabaseCap: Cause = {
  id: 'pooler-database-cap',
  title: 'All users of the database together have as many servers as max_db_connections allows',
  repair: onlyAt({
    pgbouncer:
      'max_db_connections up as far as the server has room, or a lower pool_size for those who have too many; RELOAD',
  }),
  avoid: ['a larger default_pool_size: it is not the limit that is reached'],
  find(look) {
    return look.facts.poolerPools.flatMap((fact): Found[] => {
      const { pool, pooler } = fact;
      if (!isQueueLong(fact)) return [];
      const database = pooler.databases.find(({ name }) => name === pool.database);
      const most = database?.maxConnections ?? null;
      const now = database?.connections ?? null;
      const own = pool.serversActive + pool.serversIdle + pool.serversOther;
      if (most === null || most <= 0 || now === null || now < most || own >= (configured(fact) ?? own + 1))
        return [];
      return [
        aboutPool(
          fact,
          look,
          `${queueWords(fact)}; the database has all of its ${most} servers (max_db_connections), ${own} of them in this pool`,
          {
            evidence: [`SHOW DATABASES: current_connections ${now}, max_connections ${most}`],
            ruledOut: ['pool_size: this pool has fewer'],
          },
        ),
      ];
    });
  },
};

function configured({ pool, pooler }: PoolerPoolFact): number | null {
  const row = pooler.columns?.databases.find(({ database }) => database === pool.database);
  return row?.figures.pool_size ?? pool.size;
}

export const sessionModeBehindPool: Cause = {
  id: 'session-mode-behind-pool',
  title: 'In session mode each idle connection of an application pool keeps a server for itself',
  repair: {
    ...LIVE_SHORTER_THAN_THE_CUT,
    pg: 'a short idleTimeoutMillis and a smaller max',
    pgbouncer:
      'pool_mode = transaction for that database (LISTEN, SET and session locks elsewhere), or pool_size for all clients',
  },
  avoid: ['a longer query_wait_timeout', 'doubling default_pool_size'],
  find(look) {
    const refused = connectFailures(look)
      .filter(({ fault }) => fault === 'pooler-session-limit')
      .map((failure) =>
        foundOf(failure, look, 'the pooler has no session left: it is in session mode', [
          'max_connections of the database: the words are those of the pooler',
        ]),
      );
    const queued = look.facts.poolerPools.flatMap((fact): Found[] => {
      const { pool } = fact;
      if (!isQueueLong(fact) || pool.mode !== 'session' || pool.serversActive === 0) return [];
      const own = behind(fact, look.facts);
      const idle = own.filter((one) => activityOf(one) === 'idle').length;
      if (own.length > 0 && idle * 2 < own.length) return [];
      const known = own.length > 0;
      const doing = known ? `; ${idle} of them are idle at the database` : '';
      return [
        aboutPool(fact, look, `${queueWords(fact)} in session mode${doing}`, {
          evidence: known ? [`pg_stat_activity: ${idle} of ${own.length} of its servers idle`] : [],
          ruledOut: known ? ['a pool that is too small: nobody works on its servers'] : [],
          confidence: known ? 'certain' : 'likely',
          missing: known ? null : 'whether its servers work: add the postgres:// address',
        }),
      ];
    });
    return [...refused, ...queued];
  },
};

/** It opens a server connection for nearly every use, so that it often has none at a look. */
function isRecycling({ pooler }: PoolerPoolFact): boolean {
  const { server_lifetime: lifetime } = pooler.config;
  return lifetime !== undefined && Number(lifetime) < 5;
}

/** Servers that live for less are opened for nearly every use. */
const YOUNG_MS = 60_000;

export const poolerRecycles: Cause = {
  id: 'pooler-recycles-all-the-time',
  title: 'The pooler throws its server connections away all the time, so each use pays a log-in',
  repair: onlyAt({ pgbouncer: 'server_lifetime = 3600, server_idle_timeout = 600; RELOAD' }),
  avoid: ['a larger pool_size'],
  find({ facts }) {
    return facts.poolers.flatMap(({ source, pooler }): Found[] => {
      const { server_lifetime: lifetime, server_idle_timeout: idle } = pooler.config;
      const short = [
        ...(lifetime !== undefined && Number(lifetime) < 60 ? [`server_lifetime = ${lifetime}`] : []),
        ...(idle !== undefined && Number(idle) > 0 && Number(idle) < 5
          ? [`server_idle_timeout = ${idle}`]
          : []),
      ];
      const ages = pooler.servers.flatMap(({ connectedMs }) => connectedMs ?? []).sort((a, b) => a - b);
      const median = ages[ages.length >> 1];
      if (short.length === 0 || (median !== undefined && median > YOUNG_MS)) return [];
      const age =
        median === undefined ? '' : `; its ${ages.length} servers are ${shortTime(median)} old (median)`;
      return [
        {
          severity: 'warn',
          subject: serverSubject(source),
          explains: [source],
          words: `${printable(source)}: ${short.join(', ')}, so server connections are opened anew all the time${age}`,
          evidence: short,
        },
      ];
    });
  },
};

export const staleAddress: Cause = {
  ...OLD_ADDRESS,
  find(look) {
    return connectFailures(look)
      .filter(({ fault }) => fault === 'pooler-dns')
      .map((failure) =>
        foundOf(failure, look, "the pooler cannot look up the server's name", [
          'the resolver of the application: it has reached the pooler',
        ]),
      );
  },
};

export const poolerConnectionsReset: Cause = {
  id: 'connections-reset',
  title: 'Connects are accepted and cut before a word of the protocol: out of files, or a proxy in between',
  repair: {
    app: 'fewer connections for each instance',
    pgbouncer:
      'LimitNOFILE= of its unit: max_client_conn + pool_size x databases x users; its log says "Too many open files"',
    postgres: 'its log says what it cut, and why',
  },
  avoid: ['max_client_conn: it is not reached'],
  find(look) {
    return [...unanswered(look), ...resets(look)];
  },
};

/** A pooler without a free file accepts nobody any more: connects hang, those of poolctl too. */
function unanswered({ facts }: Look): Found[] {
  const [silent] = facts.failures.filter(
    ({ kind, why }) => kind === 'pgbouncer' && /no answer within|timed? ?out/i.test(why),
  );
  if (silent === undefined) return [];
  return facts.pools.flatMap((fact): Found[] => {
    const { pool } = fact;
    // Callers for whom a connection is being opened wait in no queue.
    if ((pool.creating ?? 0) === 0) return [];
    return [
      {
        severity: 'bad',
        subject: poolSubject(fact),
        explains: [fact.key, silent.source],
        weight: (pool.waiting ?? 0) + 1,
        words: ofPool(
          fact,
          `${counted(pool.creating ?? 0, 'connect')} and ${printable(silent.source)} get no answer: the pooler is out of files, or stopped`,
          true,
        ),
        evidence: [`${printable(silent.source)}: ${printable(silent.why)}`],
        ruledOut: ['a queue: the console of the pooler waits in none'],
        confidence: 'likely',
        missing: 'how many files the pooler may open: poolctl doctor on its machine, or --file-limit',
      },
    ];
  });
}

function resets(look: Look): Found[] {
  return connectFailures(look)
    .filter(({ fault, pool }) => fault === 'path-reset' && pool !== null)
    .map((failure): Found => {
      const [pooler] = look.facts.poolers;
      const used = pooler?.pooler.usedClients ?? null;
      const most = pooler?.pooler.maxClients ?? null;
      const below = used === null || most === null ? '' : `, at ${used} of ${most} clients of the pooler`;
      return {
        ...foundOf(failure, look, `connects are cut without a word of the protocol${below}`, [
          'max_client_conn and max_connections: both answer in words',
        ]),
        confidence: 'possible',
        missing: 'how many files the pooler may open: poolctl doctor on its machine, or --file-limit',
      };
    });
}
