import { printable } from '../../report/text.js';
import type { ServerFact } from '../facts.js';
import { commonest, isFull, isOfDatabase, isPressed, poolSubject, serverSubject } from '../look.js';
import { ofPool } from '../phrases.js';
import { SMALLER_POOLS } from '../repairs.js';
import type { Cause, Found, Look } from '../types.js';
import { counted, shortTime } from '../words.js';
import { type ConnectFailure, connectFailures, isServerFull, refusedWords } from './connecting.js';
import { starvedKeys } from './starved.js';

/** Above this share the next deploy may be refused. */
const NEARLY = 0.9;
/** So many clients with a few idle connections each are instances that nobody counts. */
const MANY_CLIENTS = 8;
const FEW = 3;

export const roleLimit: Cause = {
  id: 'role-connection-limit',
  title: 'The limit of one role is reached, not that of the server',
  repair: {
    ...SMALLER_POOLS,
    postgres: 'ALTER ROLE {role} CONNECTION LIMIT n, if the server has room for n; -1 is no limit',
    mysql: 'ALTER USER {account} WITH MAX_USER_CONNECTIONS n; 0 takes max_user_connections of the server',
    sql: {
      mysql: ["SELECT host, max_user_connections FROM mysql.user WHERE user = '{user}'"],
      mariadb: ["SELECT host, max_user_connections FROM mysql.user WHERE user = '{user}'"],
    },
  },
  avoid: ['max_connections: it is not the limit that is reached'],
  find: (look) => limitFound(look, 'role-limit', 'role'),
};

export const databaseLimit: Cause = {
  id: 'database-connection-limit',
  title: 'The limit of one database is reached, not that of the server',
  repair: {
    ...SMALLER_POOLS,
    postgres: 'ALTER DATABASE {database} CONNECTION LIMIT n, if the server has room for n; -1 is no limit',
  },
  avoid: ['max_connections: it is not the limit that is reached'],
  find: (look) => limitFound(look, 'database-limit', 'database'),
};

function limitFound(look: Look, fault: 'role-limit' | 'database-limit', of: 'role' | 'database'): Found[] {
  const refused = connectFailures(look).filter((one) => one.fault === fault);
  const full = look.facts.servers.flatMap(({ source, server }) =>
    (server.connectionLimits ?? [])
      .filter((one) => one.of === of && one.limit > 0 && one.used >= one.limit)
      .map((one) => ({ source, ...one })),
  );
  const evidence = full.map(
    ({ name, used, limit }) => `${of} ${printable(name)}: ${used} of ${limit} connections`,
  );
  const starved = starvedKeys(look);
  if (refused.length > 0)
    return refused.map(
      (failure): Found => ({
        severity: 'bad',
        subject: failure.subject,
        explains: [failure.subject.key, ...starved],
        words: refusedWords(failure, `the connection limit of the ${of} is reached`),
        weight: (failure.pool?.pool.waiting ?? 0) + 1,
        evidence: [printable(failure.text).slice(0, 300), ...evidence],
        ruledOut: [`max_connections: the text names the ${of}`],
      }),
    );
  return full.map(
    ({ source, name, used, limit }): Found => ({
      severity: 'bad',
      subject: serverSubject(source),
      explains: [source, ...starved],
      words: `${printable(source)}: ${of} ${printable(name)} has all of its ${limit} connections (${used} in use), so another is refused`,
      evidence,
      ruledOut: ['max_connections: the server has room'],
    }),
  );
}

interface FullServer {
  readonly failure: ConnectFailure | null;
  readonly server: ServerFact | null;
}

/** Servers that take no more connections, by their own words or by their figures. */
function fullServers(look: Look): readonly FullServer[] {
  const { servers } = look.facts;
  const full = servers.filter(({ server }) => isServerFull(server));
  const refused = connectFailures(look).filter(({ fault }) => fault === 'server-full');
  if (refused.length === 0) return full.map((server) => ({ failure: null, server }));
  const server = full[0] ?? servers[0] ?? null;
  return refused.map((failure) => ({
    failure,
    server:
      failure.source === null ? server : (servers.find(({ source }) => source === failure.source) ?? null),
  }));
}

export const serverlessFanOut: Cause = {
  id: 'serverless-fan-out',
  title: 'Every function instance keeps a pool of its own alive, also while it is frozen',
  repair: {
    ...SMALLER_POOLS,
    pg: 'max: 1, a small idleTimeoutMillis, and the address of a pooler',
    'postgres.js': 'max: 1, idle_timeout: 20, prepare: false behind a transaction pooler',
    prisma: 'connection_limit=1, the pooled URL, directUrl for migrations',
    pgbouncer: 'pool_mode = transaction, max_client_conn for the concurrency of invocations',
  },
  avoid: ['raising max_connections', 'the session-mode port of a pooler'],
  find: (look) => fullFound(look, true),
};

export const fleetExceedsServer: Cause = {
  id: 'fleet-exceeds-server',
  title: 'The pools of all instances together may open more connections than the server takes',
  repair: SMALLER_POOLS,
  avoid: ['raising max_connections first', 'terminating idle connections as the repair'],
  find: (look) => fullFound(look, false),
};

function fullFound(look: Look, wantsInstances: boolean): Found[] {
  return fullServers(look).flatMap(({ failure, server }): Found[] => {
    const source = failure?.source ?? server?.source ?? null;
    if (failure !== null && look.isExplained(failure.subject.key)) return [];
    const spread = server === null ? null : spreadOf(server, look);
    const isInstances =
      spread !== null && spread.clients >= MANY_CLIENTS && spread.share >= 0.8 && spread.idleMs > 60_000;
    if (isInstances !== wantsInstances) return [];
    // A pool that cannot grow waits for the server, though it was not refused yet.
    const stopped =
      failure === null
        ? look.facts.pools.find((fact) => isOfDatabase(fact) && isPressed(fact) && !isFull(fact))
        : undefined;
    const subject =
      failure?.subject ?? (stopped === undefined ? serverSubject(source ?? '') : poolSubject(stopped));
    const limit = server === null ? null : limitWords(server, look);
    const words =
      failure !== null
        ? refusedWords(failure, 'the database refuses connections', limit)
        : stopped === undefined
          ? (limit ?? '')
          : ofPool(stopped, limit ?? '', true);
    const groups =
      isInstances && spread !== null
        ? `; ${spread.clients} client addresses keep up to ${spread.most} each, idle for ${shortTime(spread.idleMs)} (median)`
        : '';
    return [
      {
        severity: 'bad',
        subject,
        explains: [subject.key, ...(source === null ? [] : [source]), ...starvedKeys(look)],
        words: words + groups,
        weight: (failure?.pool?.pool.waiting ?? stopped?.pool.waiting ?? 0) + 1,
        evidence: [
          ...(failure === null ? [] : [printable(failure.text).slice(0, 300)]),
          ...(server === null ? [] : clientEvidence(server, look)),
        ],
        ruledOut: isInstances
          ? ['pools of one process: the connections come from many addresses']
          : ['one process that makes pools again and again: none has more than three of one place'],
        confidence: server === null ? 'likely' : 'certain',
        missing:
          server === null
            ? 'who has the connections: add the postgres:// address, as a superuser or a role that may use reserved connections'
            : null,
      },
    ];
  });
}

export const serverNearlyFull: Cause = {
  id: 'server-nearly-full',
  title: 'The server has nearly as many connections as it takes',
  repair: SMALLER_POOLS,
  avoid: ['raising max_connections first'],
  find(look) {
    return look.facts.servers.flatMap((fact): Found[] => {
      const { usedConnections: used, maxConnections, reservedConnections } = fact.server;
      const open = maxConnections - reservedConnections;
      if (used === null || used >= open || used < open * NEARLY || look.isExplained(fact.source)) return [];
      return [
        {
          severity: 'warn',
          subject: serverSubject(fact.source),
          explains: [fact.source],
          words: `${used} of ${open} connections of the database are in use${mostWords(fact, look)}; the next deploy may be refused`,
          evidence: clientEvidence(fact, look),
        },
      ];
    });
  },
};

function limitWords(fact: ServerFact, look: Look): string | null {
  const { usedConnections, maxConnections, reservedConnections } = fact.server;
  if (!isServerFull(fact.server)) return null;
  const open = maxConnections - reservedConnections;
  return `all ${open} connections of the database for ordinary roles are in use${mostWords(fact, look)} (max_connections ${maxConnections}, ${reservedConnections} reserved, ${usedConnections} in use)`;
}

function mostWords({ source }: ServerFact, { facts }: Look): string {
  const names = facts.backends.flatMap((one) => (one.source === source ? one.backend.application || [] : []));
  const most = commonest(names);
  const count = names.filter((name) => name === most).length;
  return most === '' ? '' : `, ${count} of them by ${printable(most)}`;
}

interface Spread {
  /** Clients with a few connections each, by address and name. */
  readonly clients: number;
  /** The most connections of one of them. */
  readonly most: number;
  /** The share of all connections that they have. */
  readonly share: number;
  /** The median time for which a connection has been idle. */
  readonly idleMs: number;
}

function spreadOf({ source }: ServerFact, { facts }: Look): Spread | null {
  const own = facts.backends.filter((one) => one.source === source).map(({ backend }) => backend);
  const counts = new Map<string, number>();
  for (const { clientAddress, application } of own) {
    const key = `${clientAddress ?? ''} ${application ?? ''}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const idle = own
    .flatMap(({ state, stateMs }) => (state === 'idle' ? (stateMs ?? []) : []))
    .sort((a, b) => a - b);
  if (own.length === 0 || idle.length * 2 < own.length) return null;
  const few = [...counts.values()].filter((count) => count <= FEW);
  const sum = few.reduce((all, count) => all + count, 0);
  return {
    ...{ clients: few.length, most: Math.max(0, ...few), share: sum / own.length },
    idleMs: idle[idle.length >> 1] ?? 0,
  };
}

function clientEvidence({ source }: ServerFact, { facts }: Look): string[] {
  const own = facts.backends.filter((one) => one.source === source).map(({ backend }) => backend);
  const idle = own.filter(({ state }) => state === 'idle').length;
  const groups = new Map<string, number>();
  for (const { clientAddress, application } of own) {
    const key = `${printable(application ?? 'no application_name')} at ${clientAddress ?? 'a Unix socket'}`;
    groups.set(key, (groups.get(key) ?? 0) + 1);
  }
  const largest = [...groups].sort(([, a], [, b]) => b - a).slice(0, 5);
  return [
    `${idle} of ${counted(own.length, 'backend')} idle`,
    ...largest.map(([who, count]) => `${count} of ${who}`),
  ];
}
