import { formatDuration } from '../base/units.js';
import { causes } from './causes.js';
import { poolerDatabases, poolerPools, pooler as poolers, pools, server, sources } from './table.js';

/**
 * Limits beyond which an alert fires. Defaults: a pool that is 75 % used has little reserve for a peak; 500 ms is the
 * limit of a good p99 response time in a load test, and waiting alone uses it up; 30 s is the default acquire timeout, so
 * callers fail from there on; above 90 % of max_connections the next deployment may be refused.
 */
export interface AlertLimits {
  /** Share of the capacity of a pool, from 0 to 1. */
  readonly utilization: number;
  /** The 99th percentile of the time from asking a pool for a connection to having it. */
  readonly checkoutMs: number;
  /** How long the oldest client of PgBouncer may wait. */
  readonly maxWaitMs: number;
  /** Share of the unreserved connections of PostgreSQL, from 0 to 1. */
  readonly connections: number;
}

export const ALERT_LIMITS: AlertLimits = {
  utilization: 0.75,
  checkoutMs: 500,
  maxWaitMs: 30_000,
  connections: 0.9,
};

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must have been so. */
  readonly forMs: number;
  readonly severity: 'warning' | 'critical';
  readonly summary: string;
  readonly description: string;
  /** The steps to take. */
  readonly runbook: string;
}

const MINUTE = 60_000;

/** The labels that a database of PgBouncer has in common with its pools. */
const SAME_DATABASE = 'on (job, instance, source, database)';
const SERVERS_OF_POOLS = [
  ...[poolerPools.metrics.svActive, poolerPools.metrics.svIdle, poolerPools.metrics.svUsed],
  ...[poolerPools.metrics.svTested, poolerPools.metrics.svLogin],
  ...[poolerPools.metrics.svActiveCancel, poolerPools.metrics.svBeingCanceled],
].map(({ name }) => name);

/**
 * The alerts, from the table of metrics. Those on causes come first. The alerts on figures stay beside them for two
 * reasons: an application that exports its own pools (poolctl/metrics) has no diagnosis, and a rate over minutes shows
 * what lies between two scrapes.
 */
export function alertRules(limits: AlertLimits = ALERT_LIMITS): readonly AlertRule[] {
  const { metrics: pool } = pools;
  const { metrics: pgbouncer } = poolerPools;
  const { metrics: database } = poolerDatabases;
  const { metrics: postgres } = server;
  const share = (value: number) => String(Number(value.toPrecision(6)));
  const percent = (value: number) => `${Number((value * 100).toPrecision(6))} %`;
  /** Waiting is intended at that time. */
  const unlessPaused = `unless ${SAME_DATABASE} (${database.paused.name} == 1)`;
  const ofPool = 'Pool {{ $labels.pool_name }}{{ with $labels.app }} of {{ . }}{{ end }}';
  const ofPair = 'PgBouncer ({{ $labels.source }}), database {{ $labels.database }}, user {{ $labels.user }}';
  const { diagnosis } = causes.metrics;
  const ofCause =
    'poolctl names {{ $labels.cause }}{{ with $labels.pool_name }} of pool {{ . }}{{ end }}{{ with $labels.app }} of {{ . }}{{ end }}' +
    '{{ with $labels.database }} of database {{ . }}{{ end }}';
  const explained =
    "Run poolctl explain with the alert's label cause: it says what the cause means, what ends it in each library and\n" +
    'server, and what to avoid. poolctl top, health and doctor show the figures behind it, and the line of code.';
  return [
    {
      alert: 'PoolCauseCritical',
      expr: `${diagnosis.name}{severity="critical"} == 1`,
      forMs: MINUTE,
      severity: 'critical',
      summary: `${ofCause}: callers suffer`,
      description: 'The diagnosis of all sources together ({{ $labels.source }}) has named it for a minute.',
      runbook: explained,
    },
    {
      alert: 'PoolCauseWarning',
      expr: `${diagnosis.name}{severity="warning"} == 1`,
      forMs: 5 * MINUTE,
      severity: 'warning',
      summary: `${ofCause}: no caller is affected yet`,
      description:
        'The diagnosis of all sources together ({{ $labels.source }}) has named it for five minutes.',
      runbook: explained,
    },
    {
      alert: 'PoolSaturated',
      expr: [
        `${pool.inUse.name} / (${pool.capacity.name} > 0) > ${share(limits.utilization)}`,
        // A pool whose connections are all busy while nobody waits has just the right size.
        `and ${pool.waiting.name} > 0`,
      ].join('\n'),
      forMs: MINUTE,
      severity: 'critical',
      summary: `${ofPool} is saturated, and callers wait`,
      description: `{{ $value | humanizePercentage }} of the connections that it may have are out, for a minute.`,
      runbook:
        'Run poolctl top: its first line says whether a leak, a slow query, a lock, or the size of the pool is the\n' +
        'cause. A leak: repair the line of code that it names (poolctl audit-leaks finds more). Slow queries or locks: a\n' +
        'larger pool only moves the queue into the database. Neither: raise the pool size, after checking with\n' +
        'poolctl loadtest --sweep that it helps, and that all instances together stay below max_connections.\n' +
        'If PgBouncer has been paused, this goes away with RESUME.',
    },
    {
      alert: 'PoolWaiting',
      expr: `${pool.waiting.name} > 0`,
      forMs: 2 * MINUTE,
      severity: 'warning',
      summary: `Callers have been waiting for connections of ${ofPool.replace('Pool', 'pool')} for two minutes`,
      description: '{{ $value }} wait now.',
      runbook:
        'A moment of waiting in a burst is what a pool is for; minutes of it are not. Look at the time for which\n' +
        'connections are held (hold duration) and at poolctl top. The hold time has risen: find out which query became\n' +
        'slow. It has not: there are more requests than connections for them.',
    },
    {
      alert: 'PoolCheckoutSlow',
      expr:
        `histogram_quantile(0.99, rate(${pool.wait.name}_bucket[5m]))\n` +
        `  > ${share(limits.checkoutMs / 1000)}`,
      forMs: 5 * MINUTE,
      severity: 'warning',
      summary: `${ofPool} hands out connections slowly`,
      description: `One caller in a hundred waits for {{ $value | humanizeDuration }} and longer; the limit is ${formatDuration(limits.checkoutMs)}.`,
      runbook:
        'Callers wait for others to return their connections, or for new ones to be opened. Compare with the rate of\n' +
        'connects: if it is high, the pool is too small for its bursts, or connections are recycled or broken too often.\n' +
        'Otherwise go on as for PoolSaturated.',
    },
    {
      alert: 'PoolTimeouts',
      expr: `increase(${pool.timedOut.name}[5m]) > 0`,
      forMs: 0,
      severity: 'critical',
      summary: `${ofPool} has acquire timeouts`,
      description: '{{ $value | humanize }} timeouts in five minutes: as many failed requests.',
      runbook:
        'The error of the application says what held the connections: the longest lease and its line of code. Run\n' +
        'poolctl top, and go on as for PoolSaturated. A timeout of the pool must be below that of the request.',
    },
    {
      alert: 'PoolConnectFailures',
      expr: `increase(${pool.createFailed.name}[3m]) > 0`,
      // Longer than the window: one that failed alone is forgotten by then.
      forMs: 4 * MINUTE,
      severity: 'critical',
      summary: `${ofPool} cannot open connections`,
      description: '{{ $value | humanize }} attempts have failed in three minutes, and attempts still fail.',
      runbook:
        'poolctl top shows the message of the last attempt. Refused: the server or PgBouncer is down, or is somewhere\n' +
        'else. Authentication: the password or userlist.txt has changed. Too many clients: see PostgresConnectionsNearLimit.',
    },
    {
      alert: 'PoolInvalidations',
      expr: [
        `increase(${pool.invalidated.name}[10m]) > 5`,
        `and increase(${pool.invalidated.name}[10m]) > 0.01 * increase(${pool.acquired.name}[10m])`,
      ].join('\n'),
      forMs: 0,
      severity: 'warning',
      summary: `${ofPool} loses connections`,
      description: '{{ $value | humanize }} connections were given up as broken in ten minutes.',
      runbook:
        'After a restart or failover of the database this is normal, and ends by itself. If it continues, something between\n' +
        'closes idle connections: switch pre-ping on (DB_POOL_PRE_PING=true), and set pool_recycle below the shortest\n' +
        'timeout on the way (server_idle_timeout, server_lifetime, firewalls).',
    },
    {
      alert: 'PoolLeak',
      expr: `increase(${pool.leaked.name}[15m]) > 0`,
      forMs: 0,
      severity: 'warning',
      summary: `${ofPool} has connections that were not returned in time`,
      description: '{{ $value | humanize }} were out for longer than the leak threshold, in 15 minutes.',
      runbook:
        'poolctl top lists the holders with their line of code and last SQL. Return the connection in a finally (or\n' +
        'await using); poolctl audit-leaks finds the paths that do not. A long job: give it a pool of its own.',
    },
    {
      alert: 'PgBouncerSaturated',
      expr: [
        `sum without () ({__name__=~"${SERVERS_OF_POOLS.join('|')}"})`,
        `  / (${pgbouncer.size.name} > 0) > ${share(limits.utilization)}`,
        `and ${pgbouncer.clWaiting.name} > 0`,
        unlessPaused,
      ].join('\n'),
      forMs: MINUTE,
      severity: 'critical',
      summary: `${ofPair}: clients wait, and the pool is full`,
      description: '{{ $value | humanizePercentage }} of pool_size are open.',
      runbook:
        'Run poolctl pgbouncer show servers, and poolctl top with the addresses of PgBouncer and PostgreSQL: what are the\n' +
        'servers doing? Idle in transaction: the application does something else meanwhile; shorten its transactions. Lock\n' +
        'waits: find the blocker. Active: are the queries slower than they were? Otherwise raise default_pool_size, as far\n' +
        'as pool_size x users x databases stays below max_connections. In session mode it means that there are more\n' +
        'clients than servers, whatever they do.',
    },
    {
      alert: 'PgBouncerDatabaseFull',
      expr: [
        `${database.currentConnections.name} >= (${database.maxConnections.name} > 0)`,
        `and ${SAME_DATABASE} sum by (job, instance, source, database) (${pgbouncer.clWaiting.name}) > 0`,
        unlessPaused,
      ].join('\n'),
      forMs: MINUTE,
      severity: 'critical',
      summary:
        'PgBouncer ({{ $labels.source }}), database {{ $labels.database }}: max_db_connections is reached, and clients wait',
      description: 'All of its {{ $value }} servers are open; one user’s pool may keep them from another.',
      runbook:
        'poolctl pgbouncer show pools tells who has them. Raise max_db_connections as far as PostgreSQL has room, or lower\n' +
        'the pool_size of those who have too many.',
    },
    {
      alert: 'PgBouncerMaxWait',
      expr: `${pgbouncer.maxwait.name} > ${share(limits.maxWaitMs / 1000)}\n${unlessPaused}`,
      forMs: 0,
      severity: 'critical',
      summary: `${ofPair}: a client has been waiting for long`,
      description: `It has waited for {{ $value | humanizeDuration }}; the limit is ${formatDuration(limits.maxWaitMs)}. At query_wait_timeout (120 s unless set) it is disconnected.`,
      runbook:
        'As for PgBouncerSaturated. If no server is open at all: can PgBouncer log in to PostgreSQL? poolctl pgbouncer show\n' +
        'servers, and its log, tell.',
    },
    {
      alert: 'PgBouncerQueue',
      expr: `${pgbouncer.maxwait.name} > ${share(Math.min(5, limits.maxWaitMs / 1000))}\n${unlessPaused}`,
      forMs: MINUTE,
      severity: 'warning',
      summary: `${ofPair}: clients have to queue`,
      description: 'The oldest has waited for {{ $value | humanizeDuration }}.',
      runbook: 'As for PgBouncerSaturated.',
    },
    {
      alert: 'PgBouncerClientsNearLimit',
      expr: `${poolers.metrics.usedClients.name} / (${poolers.metrics.maxClients.name} > 0) > 0.9`,
      forMs: MINUTE,
      severity: 'warning',
      summary: 'PgBouncer ({{ $labels.source }}) has nearly as many clients as it takes',
      description: '{{ $value | humanizePercentage }} of max_client_conn.',
      runbook:
        'poolctl pgbouncer show clients tells whose they are. Too many instances, or pools of applications that are too\n' +
        'large: behind PgBouncer 5 + 10 are enough. Otherwise raise max_client_conn, and the limit of open files with it\n' +
        '(max_client_conn + pool_size x databases x users).',
    },
    {
      alert: 'PgBouncerPaused',
      expr: `${database.paused.name} == 1`,
      forMs: 5 * MINUTE,
      severity: 'warning',
      summary:
        'PgBouncer ({{ $labels.source }}), database {{ $labels.database }} has been paused for five minutes',
      description: 'All clients wait; other alerts of it are silent meanwhile.',
      runbook:
        'If nobody is at work on it: poolctl pgbouncer resume DATABASE, or without a name if all of it was paused.\n' +
        'PgBouncer before 1.19 does not tell that all of it is paused.',
    },
    {
      alert: 'PostgresConnectionsNearLimit',
      expr: [
        `${postgres.usedConnections.name}`,
        `  / (${postgres.maxConnections.name} - ${postgres.reservedConnections.name}) > ${share(limits.connections)}`,
      ].join('\n'),
      forMs: MINUTE,
      severity: 'critical',
      summary: 'PostgreSQL ({{ $labels.source }}) is running out of connections',
      description:
        `{{ $value | humanizePercentage }} are used of those that are not kept back; the limit is ${percent(limits.connections)}. ` +
        'Above 100 % only superusers get in.',
      runbook:
        'poolctl top postgres://... groups backends by application. Idle ones: pools that are too large, or too many\n' +
        'instances; put PgBouncer in between (poolctl pgbouncer init). Lower the sum of pool sizes rather than raising\n' +
        'max_connections, which needs a restart and memory.',
    },
    {
      alert: 'PostgresIdleInTransaction',
      expr: `${postgres.idleInTransaction.name} > 300`,
      forMs: 0,
      severity: 'warning',
      summary: 'PostgreSQL ({{ $labels.source }}): a transaction stands idle',
      description: 'For {{ $value | humanizeDuration }}: it holds its locks, and vacuum up.',
      runbook:
        'poolctl top shows who holds it, and whom it blocks; the key t ends it (--allow-actions). So that it does not\n' +
        'happen again: idle_in_transaction_session_timeout, which ends it before people notice.',
    },
    {
      alert: 'PoolSourceDown',
      expr: `${sources.metrics.up.name} == 0`,
      forMs: 2 * MINUTE,
      severity: 'critical',
      summary: '{{ $labels.source }} cannot be read',
      description: 'There are no figures of it meanwhile, and no alerts by them.',
      runbook:
        'poolctl metrics serve writes the reason on stderr, once; poolctl top SOURCE shows it as well.',
    },
  ];
}

/** As a file for rule_files of Prometheus. */
export function alertsYaml(rules: readonly AlertRule[] = alertRules()): string {
  return [
    'groups:',
    '  - name: poolctl',
    '    rules:',
    ...rules.flatMap(({ alert, expr, forMs, severity, summary, description, runbook }) => [
      `      - alert: ${alert}`,
      ...block('        expr', expr),
      `        for: ${Math.round(forMs / 1000)}s`,
      '        labels:',
      `          severity: ${severity}`,
      '        annotations:',
      `          summary: ${JSON.stringify(summary)}`,
      `          description: ${JSON.stringify(description)}`,
      ...block('          runbook', runbook),
    ]),
    '',
  ].join('\n');
}

function block(key: string, text: string): readonly string[] {
  const indent = ' '.repeat(key.search(/\S/) + 2);
  return [`${key}: |-`, ...text.split('\n').map((line) => indent + line)];
}
