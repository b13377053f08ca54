import { printable } from '../../report/text.js';
import { type ConnectFault, connectFaultOf } from '../connect-error.js';
import type { PoolFact } from '../facts.js';
import { isFull, isPressed, poolSubject, serverSubject } from '../look.js';
import { ofPool, waitingWords } from '../phrases.js';
import { FEWER_AT_ONCE, LIVE_SHORTER_THAN_THE_CUT, onlyAt, SMALLER_POOLS } from '../repairs.js';
import type { Cause, Found, Look, Repair, Subject } from '../types.js';
import { counted } from '../words.js';
import { starvedPools } from './starved.js';

/** A connect that failed now, wherever that was seen: by a pool, by a statement, or by poolctl's own try. */
export interface ConnectFailure {
  readonly fault: ConnectFault;
  readonly text: string;
  readonly code: string | null;
  readonly subject: Subject;
  readonly pool: PoolFact | null;
  /** poolctl itself was refused at that source. */
  readonly source: string | null;
}

/** Errors of statements that are as recent count as now. */
const NOW_MS = 60_000;

/**
 * All connects that fail now. A pool remembers its last failure until a connect succeeds: it counts while somebody
 * waits, nothing is open, connects go on failing, or it is recent.
 */
export function connectFailures(look: Look): readonly ConnectFailure[] {
  const { facts } = look;
  const ofPools = facts.pools.flatMap((fact): ConnectFailure[] => {
    const { pool } = fact;
    if (pool.closed) return [];
    const of = { subject: poolSubject(fact), pool: fact, source: null };
    const found: ConnectFailure[] = [];
    const code = pool.observed?.createErrorCode ?? null;
    if (pool.createError !== null && isNow(fact, look))
      found.push({ ...of, fault: connectFaultOf(pool.createError, code), text: pool.createError, code });
    for (const { code: errorCode, message, lastMs } of pool.observed?.queryErrors ?? []) {
      if (lastMs !== null && lastMs > NOW_MS) continue;
      const fault = connectFaultOf(message, errorCode);
      if (IN_STATEMENTS.has(fault)) found.push({ ...of, fault, text: message ?? errorCode, code: errorCode });
    }
    return found;
  });
  const ofSources = facts.failures
    .filter(({ kind }) => kind !== 'pool' && kind !== 'prometheus')
    .map(
      ({ source, why }): ConnectFailure => ({
        ...{ fault: connectFaultOf(why), text: why, code: null },
        ...{ subject: serverSubject(source), pool: null, source },
      }),
    );
  return [...ofPools, ...ofSources];
}

/** These reach the application as errors of statements, since the pooler is connected long before. */
const IN_STATEMENTS: ReadonlySet<ConnectFault> = new Set<ConnectFault>([
  ...(['pooler-login', 'pooler-queue', 'pooler-clients', 'pooler-auth-query', 'pooler-auth'] as const),
  ...(['pooler-database', 'pooler-startup', 'pooler-session-limit', 'pooler-dns', 'server-full'] as const),
  ...(['role-limit', 'database-limit', 'server-starting', 'server-down', 'app-files', 'app-ports'] as const),
  ...(['dns', 'host-unknown', 'password', 'hba', 'tls', 'host-blocked', 'database-missing', 'role'] as const),
]);

function isNow(fact: PoolFact, look: Look): boolean {
  const { pool } = fact;
  const ago = pool.observed?.createErrorMs ?? null;
  // A pool that refuses a caller can open connections well enough.
  if (connectFaultOf(pool.createError) === 'pool-refused') return false;
  if (isPressed(fact) || (pool.live ?? 1) - (pool.creating ?? 0) <= 0) return true;
  if (ago !== null && ago < NOW_MS) return true;
  if ((look.recent(fact).createFailuresPerSecond ?? 0) > 0 || isFull(fact)) return true;
  const isLimit = ['server-full', 'role-limit', 'database-limit'].includes(connectFaultOf(pool.createError));
  return isLimit && look.facts.servers.some(({ server }) => isServerFull(server));
}

export function isServerFull({
  usedConnections,
  maxConnections,
  reservedConnections,
}: Look['facts']['servers'][number]['server']): boolean {
  return usedConnections !== null && usedConnections >= maxConnections - reservedConnections;
}

/** Before the words of a failure: who cannot connect. */
export function refusedWords(
  { pool, source, text }: ConnectFailure,
  clause: string,
  more: string | null = null,
): string {
  const quoted = printable(text.replace(/\s+/g, ' ')).slice(0, 120);
  const words = `${clause} (${quoted})${more === null ? '' : `; ${more}`}`;
  return pool !== null ? ofPool(pool, words, true) : `${printable(source ?? '')}: ${words}`;
}

interface Sort {
  readonly id: string;
  readonly fault: ConnectFault;
  readonly title: string;
  /** Its part of the headline. */
  readonly clause: string;
  readonly ruledOut: readonly string[];
  readonly missing?: string;
  readonly repair: Repair;
  /** Repairs of their own for these texts. */
  readonly repairs?: readonly (readonly [text: RegExp, repair: Repair])[];
  readonly avoid: readonly string[];
}

const inPostgres = (statement: string): Repair => onlyAt({ sql: { postgres: [statement] } });

/** Faults whose words alone are the cause. Those that need more facts have files of their own. */
const SORTS: readonly Sort[] = [
  {
    id: 'client-ports-exhausted',
    fault: 'app-ports',
    title: 'The machine of the application has no local port left for another connection',
    clause: 'no local port is left for another connection',
    ruledOut: ['the server: the connect fails before it leaves this machine'],
    repair: {
      ...LIVE_SHORTER_THAN_THE_CUT,
      app: 'keep connections open instead of making one for each request; net.ipv4.ip_local_port_range as a stop-gap',
    },
    avoid: ['max_connections', 'net.ipv4.tcp_tw_recycle'],
  },
  {
    id: 'process-file-limit',
    fault: 'app-files',
    title: 'The application has no file descriptor left',
    clause: 'the process has no file descriptor left for another connection',
    ruledOut: ["the pooler's limit of files: that error has no EMFILE", 'the server: it was not reached'],
    repair: {
      ...SMALLER_POOLS,
      app: 'find what else keeps files or sockets open (HTTP agents, pools for each request); LimitNOFILE= of the unit, or ulimit -n',
    },
    avoid: ['max_connections', 'max_client_conn'],
  },
  {
    id: 'slow-dns',
    fault: 'dns',
    title: 'The resolver loses or throttles lookups of names',
    clause: "the server's name cannot be looked up in time",
    ruledOut: ['a server that is down: it was not asked yet'],
    repair: {
      app: 'a full name with a final dot (or ndots:1), a local cache of names, longer-lived connections; UV_THREADPOOL_SIZE where lookups block each other',
      pgbouncer: 'an address in place of the name, or dns_max_ttl',
    },
    avoid: ['pool sizes', 'pinning an address without a plan for failover'],
  },
  {
    id: 'host-unknown',
    fault: 'host-unknown',
    title: 'No server has that name',
    clause: "the server's name is unknown",
    ruledOut: ['a server that is down: its name does not resolve'],
    repair: { app: 'correct the host in the address; look at the search list of the resolver' },
    avoid: ['pool sizes', 'retries without backoff'],
  },
  {
    id: 'path-blocked',
    fault: 'path-timeout',
    title: 'Packets to the server are lost: a firewall, a security group, or a route',
    clause: 'a connect gets no answer',
    ruledOut: ['a server that is down: its machine would refuse at once'],
    missing: 'where packets are lost: try the same host and port from another machine',
    repair: {
      app: 'open the port in the firewall or security group, or correct host and route; a connect timeout of seconds bounds the wait',
    },
    avoid: ['pool sizes', 'longer connect timeouts'],
  },
  {
    id: 'server-down',
    fault: 'server-down',
    title: 'Nothing listens at the address of the server',
    clause: 'nothing listens there: the server is down, or elsewhere',
    ruledOut: [
      'a firewall that drops packets: the connect was refused at once',
      'a full server: it would say so',
    ],
    repair: {
      app: 'start the server, or correct host and port; retry with backoff and jitter',
      postgres: 'systemctl start postgresql; listen_addresses and port in postgresql.conf',
      mysql: 'systemctl start mysql; bind-address and port',
    },
    avoid: ['pool sizes', 'retries without backoff'],
  },
  {
    id: 'tls-mismatch',
    fault: 'tls',
    title: 'The two sides do not agree on TLS, or the certificate is not trusted',
    clause: 'TLS with the server fails',
    ruledOut: ['a wrong password: the login has not begun'],
    repair: {
      pg: 'ssl: { ca: readFileSync(...) } (not rejectUnauthorized: false for good); ssl: false where the server has none',
      'postgres.js': "ssl: 'verify-full' with the ca, or 'require'",
      mysql2: 'ssl: { ca }',
      knex: 'connection: { ssl: { ca } }',
      sequelize: 'dialectOptions: { ssl: { ca } }',
      typeorm: 'ssl: { ca }',
      prisma: 'sslmode=require&sslrootcert=... in the URL',
      poolctl: 'sslmode and sslrootcert in the address',
      app: 'give the client the certificate of the authority',
      pgbouncer: 'server_tls_sslmode and server_tls_ca_file',
      postgres: 'ssl = on with a certificate that is valid for the host name',
    },
    avoid: ['rejectUnauthorized: false for good', 'sslmode=disable'],
  },
  {
    id: 'pg-hba-no-entry',
    fault: 'hba',
    title: 'The server does not take connections from there, or none without TLS',
    clause: 'the server takes no such connection',
    ruledOut: ['a wrong password: it was not looked at'],
    repair: {
      pg: 'ssl: { ca: ... } where the text says "no encryption" or "SSL off"',
      'postgres.js': "ssl: 'require'",
      mysql2: 'ssl: { ca } where the server requires TLS',
      knex: 'connection: { ssl }',
      sequelize: 'dialectOptions: { ssl }',
      typeorm: 'ssl',
      prisma: 'sslmode=require in the URL',
      poolctl: 'sslmode=require in the address',
      app: 'connect with TLS where the text says "no encryption"; otherwise the server needs a rule for this address',
      pgbouncer: 'server_tls_sslmode = require',
      postgres: 'a hostssl line for user, database and network in pg_hba.conf, then SELECT pg_reload_conf()',
      mysql: "CREATE USER '{user}'@'HOST' IDENTIFIED BY ..., since an account belongs to a host",
    },
    avoid: ['trust', 'a restart'],
  },
  {
    id: 'role-cannot-connect',
    fault: 'role',
    title: 'The role is not there, or may not connect to that database',
    clause: 'the server does not let that role in',
    ruledOut: ['a wrong password: the role itself is refused'],
    repairs: [
      [/is not permitted to log in/i, inPostgres('ALTER ROLE {role} LOGIN')],
      [/permission denied for database/i, inPostgres('GRANT CONNECT ON DATABASE {database} TO {role}')],
      [
        /not currently accepting connections/i,
        inPostgres('ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true'),
      ],
    ],
    repair: onlyAt({
      postgres: "CREATE ROLE {role} LOGIN PASSWORD '...', or correct the user in the address",
      mysql: "GRANT ALL ON {database}.* TO '{user}'@'HOST', with the host of its account in mysql.user",
      app: 'correct the user in the address',
    }),
    avoid: ['a superuser for the application', 'pool sizes'],
  },
  {
    id: 'database-missing',
    fault: 'database-missing',
    title: 'The server has no database of that name',
    clause: 'there is no database of that name',
    ruledOut: ['a wrong password: the login succeeded before'],
    repair: onlyAt({
      app: 'correct the database in the address, or run the migrations that create it',
      sql: {
        postgres: ['CREATE DATABASE {database}'],
        mysql: ['CREATE DATABASE {database}'],
        mariadb: ['CREATE DATABASE {database}'],
      },
      pgbouncer: 'dbname= in the line of [databases]',
    }),
    avoid: ['pool sizes'],
  },
  {
    id: 'server-starting',
    fault: 'server-starting',
    title: 'The server starts, stops or recovers, and takes no connection yet',
    clause: 'the server is not ready yet',
    ruledOut: ['a full server: it says that it starts', 'a wrong password'],
    repair: onlyAt({
      postgres:
        'wait; its log tells how far recovery is. Look for what ended it: a crash, out of memory, a full disk',
    }),
    avoid: ['pool sizes', 'another restart'],
  },
  {
    id: 'server-restarted',
    fault: 'server-ending',
    title: 'The server was shut down, restarted or failed over, and ended all connections',
    clause: 'the server ends its connections',
    ruledOut: ['idle cuts: all connections end at once, those in use as well'],
    repair: onlyAt({
      app: "replace broken connections: pool.on('error', ...), pre-ping; retry idempotent work with backoff and jitter",
      pgbouncer: 'PAUSE before a planned restart and RESUME after it, so that clients only wait',
    }),
    avoid: ['pool sizes'],
  },
  {
    id: 'host-blocked',
    fault: 'host-blocked',
    title: 'MySQL has blocked the host after many connects that were broken off',
    clause: 'the server has blocked this host',
    ruledOut: ['a wrong password: the whole host is refused'],
    repair: onlyAt({
      mysql:
        'FLUSH HOSTS; then find what breaks off its handshakes: health checks of a load balancer, connect timeouts',
    }),
    avoid: ['max_connect_errors up as the repair'],
  },
  {
    id: 'server-memory',
    fault: 'memory',
    title: 'The server has no memory left for another connection or statement',
    clause: 'the server is out of memory',
    ruledOut: ['max_connections: its text is another one'],
    repair: {
      ...FEWER_AT_ONCE,
      postgres: 'lower work_mem and max_connections; look at dmesg for the OOM killer',
    },
    avoid: ['raising max_connections'],
  },
  {
    id: 'pooler-database-unknown',
    fault: 'pooler-database',
    title: 'The pooler has no such database or tenant, or it is disabled',
    clause: 'the pooler does not have that database',
    ruledOut: ['the server: it was not asked'],
    repair: {
      app: 'correct the database (with Supavisor the user USER.PROJECT) in the address',
      pgbouncer: 'a line for it in [databases], RELOAD; ENABLE where it was disabled',
    },
    avoid: ['pool sizes'],
  },
  {
    id: 'startup-parameter-refused',
    fault: 'pooler-startup',
    title: 'The client sends a startup parameter that the pooler does not take',
    clause: 'the pooler refuses a startup parameter of the client',
    ruledOut: ['the server: it was not asked', 'a wrong password: parameters come before it'],
    repair: {
      pg: 'leave out the option that sends it (options: "-c ...", search_path, statement_timeout); ALTER ROLE {role} SET ... in its place',
      'postgres.js': 'leave it out of connection: { ... }; ALTER ROLE {role} SET ... in its place',
      knex: 'no searchPath in the config: ALTER ROLE {role} SET search_path',
      sequelize: 'leave it out of dialectOptions; ALTER ROLE {role} SET ... in its place',
      typeorm: 'leave it out of extra; ALTER ROLE {role} SET ... in its place',
      prisma: 'no schema= or options= in the URL; ALTER ROLE {role} SET search_path',
      poolctl: 'leave it out of the address',
      app: 'leave it out of the address; ALTER ROLE {role} SET ... in its place',
      pgbouncer:
        'ignore_startup_parameters only where it is harmless (extra_float_digits): what is ignored is not in force',
      postgres: 'ALTER ROLE {role} SET that parameter',
    },
    avoid: ['ignore_startup_parameters for a limit that has to hold'],
  },
  {
    id: 'pooler-ending',
    fault: 'pooler-ending',
    title: 'The pooler is being shut down',
    clause: 'the pooler is being shut down',
    ruledOut: ['the server: the words are those of the pooler'],
    repair: onlyAt({ pgbouncer: 'start it; with so_reuseport a second process takes over without a gap' }),
    avoid: ['pool sizes'],
  },
];

function causeOf({ id, fault, title, clause, ruledOut, missing, repair, repairs = [], avoid }: Sort): Cause {
  return {
    id,
    title,
    repair,
    avoid,
    find(look) {
      return (
        connectFailures(look)
          .filter((failure) => failure.fault === fault)
          // A pooler without any server connection answers late, too.
          .filter(() => fault !== 'path-timeout' || starvedPools(look).length === 0)
          .map((failure): Found => {
            const own = repairs.find(([text]) => text.test(failure.text))?.[1];
            const found = foundOf(failure, look, clause, ruledOut, missing);
            return own === undefined ? found : { ...found, repair: own };
          })
      );
    },
  };
}

/** The finding for a failure whose message is the cause. */
export function foundOf(
  failure: ConnectFailure,
  look: Look,
  clause: string,
  ruledOut: readonly string[],
  missing: string | null = null,
): Found {
  const { subject, text, code, pool } = failure;
  return {
    severity: 'bad',
    subject,
    explains: [subject.key],
    words: refusedWords(failure, clause),
    weight: pool === null ? 1 : (pool.pool.waiting ?? 0) + 1,
    evidence: [
      `last error: ${printable(text.replace(/\s+/g, ' ')).slice(0, 300)}${code === null ? '' : ` (${printable(code)})`}`,
      ...(pool === null ? [] : [`${pool.pool.live ?? '?'} connections open, ${waitingWords(pool)}`]),
      ...(pool?.pool.counters.createFailed == null
        ? []
        : [`${counted(pool.pool.counters.createFailed, 'connect')} failed so far`]),
      ...(look.facts.servers.length === 0 ? [] : [`${look.facts.servers.length} servers can be read`]),
    ],
    ruledOut,
    confidence: 'certain',
    missing,
  };
}

/** Faults that no rule knows: the report quotes the message. */
const UNKNOWN: ReadonlySet<ConnectFault> = new Set<ConnectFault>([
  'other',
  'disk-full',
  'read-only',
  'pooler-lost-server',
]);

const connectFailed: Cause = {
  id: 'connect-failed',
  title: 'Connections cannot be opened, for a reason that only the text of the error tells',
  repair: { app: 'follow the text of the error' },
  avoid: ['pool sizes'],
  find(look) {
    return connectFailures(look)
      .filter(({ fault, pool }) => UNKNOWN.has(fault) && pool !== null)
      .map(
        (failure): Found => ({
          ...foundOf(failure, look, 'connections cannot be opened', []),
          confidence: 'possible',
          missing: "what the server's log says of it",
        }),
      );
  },
};

/** The title, the repair and the rest of a cause that shows in two ways. */
function sortOf(id: string): Cause {
  const sort = SORTS.find((one) => one.id === id);
  if (sort === undefined) throw new Error(`no cause ${id}`);
  return causeOf(sort);
}

/** Without a free descriptor a process accepts nobody: it hangs up on poolctl, too. */
const hangsUp: Cause = {
  ...sortOf('process-file-limit'),
  find({ facts }) {
    return facts.failures
      .filter(({ kind, why }) => kind === 'pool' && /has hung up|ECONNRESET/.test(why))
      .map(
        ({ source, why }): Found => ({
          severity: 'bad',
          subject: { kind: 'application', key: source, source },
          explains: [source],
          words: `${printable(source)} hangs up on every connection: the process has no file descriptor left`,
          evidence: [printable(why)],
          ruledOut: ['a process that has ended: its socket is still open'],
          confidence: 'likely',
          missing: 'how many files it has open: ls /proc/PID/fd, against its ulimit -n',
        }),
      );
  },
};

export const CONNECTING: readonly Cause[] = [...SORTS.map(causeOf), hangsUp, connectFailed];
