import type { HistogramSnapshot } from '../base/histogram.js';
import type { PoolCounters } from '../pool/stats.js';
import { type MetricSample, parseExposition } from './exposition.js';
import {
  type PgBouncerRows,
  type Row,
  type StatsAt,
  statsAt,
  toReading as toPoolerReading,
} from './pgbouncer-rows.js';
import { mapCounters } from './published.js';
import type { Gap, PoolReading, Reading } from './types.js';

/** A reading of a metrics endpoint, with the counters from which the next one takes its rates. */
export interface MetricsReading {
  readonly reading: Reading;
  readonly stats: StatsAt;
}

/**
 * The pools that an endpoint has metrics of, under the names of poolctl, SQLAlchemy, HikariCP and OpenTelemetry, and
 * PgBouncer under those of its exporters. Who holds a lease no metric tells.
 */
export function toReading(
  text: string,
  source: string,
  takenAtMs: number,
  { before, atMs }: { readonly before: StatsAt | null; readonly atMs: number },
): MetricsReading {
  const samples = parseExposition(text, PREFIXES);
  const byName = new Map<string, MetricSample[]>();
  for (const sample of samples) {
    const same = byName.get(sample.name);
    if (same === undefined) byName.set(sample.name, [sample]);
    else same.push(sample);
  }
  const found = FAMILIES.flatMap((family) => poolsOf(family, byName, takenAtMs));
  const pools = found.map(({ pool }) => pool);
  const gaps: Gap[] = [
    ...found.flatMap(({ missing, pool }) =>
      missing.map((what) => ({
        what: `${what} of pool ${pool.name}`,
        why: 'no metric tells it; shown as 0',
      })),
    ),
    ...(pools.length > 0 ? [{ what: 'holders of leases', why: 'metrics do not tell them' }] : []),
  ];
  const rows = pgbouncerRows(byName);
  const stats = rows === null ? { atMs, totals: new Map() } : statsAt(rows, atMs);
  const pooler = rows === null ? null : toPoolerReading(rows, source, takenAtMs, { before, now: stats });
  if (pooler !== null)
    gaps.push({ what: 'clients and servers of PgBouncer', why: 'metrics do not tell them' });
  if (pools.length === 0 && pooler === null)
    gaps.push({ what: 'pools', why: 'the endpoint has no metrics of pools that are known' });
  return {
    stats,
    reading: {
      ...{ source, kind: 'prometheus', takenAtMs, pools, gaps },
      ...{ backends: [], server: null, pooler: pooler?.pooler ?? null },
    },
  };
}

type Field = 'size' | 'maxOverflow' | 'live' | 'idle' | 'inUse' | 'overflow' | 'creating' | 'waiting';

/** How one library names its metrics. Each thing has one or more names, of which the first that is there counts. */
interface Family {
  readonly driver: string;
  readonly prefix: string;
  /** The label that names the pool. */
  readonly label: readonly string[];
  readonly gauges: { readonly [K in Field]?: readonly Metric[] };
  readonly counters: { readonly [K in keyof PoolCounters]?: readonly Metric[] };
  /** In seconds. */
  readonly wait: readonly string[];
  readonly hold: readonly string[];
}

/** A name, and a label that it must have. */
type Metric = string | { readonly name: string; readonly label: string; readonly is: string };

/** The names of seed 004's system, under its own prefix and ours, and our own words for them. */
const ours = (prefix: string, driver: string): Family => {
  const names = (...suffixes: string[]): string[] => suffixes.map((suffix) => prefix + suffix);
  return {
    driver,
    prefix,
    label: ['pool', 'pool_name'],
    gauges: {
      size: names('size'),
      maxOverflow: names('max_overflow'),
      live: names('live'),
      idle: names('idle', 'checked_in'),
      inUse: names('in_use', 'checked_out'),
      overflow: names('overflow'),
      creating: names('creating'),
      waiting: names('waiting', 'waiters'),
    },
    counters: {
      ...mapCounters((key) => names(`${snakeCase(key)}_total`)),
      acquired: names('acquired_total', 'checkouts_total'),
      released: names('released_total', 'checkins_total'),
      created: names('created_total', 'connects_total'),
      destroyed: names('destroyed_total', 'disconnects_total'),
      invalidated: names('invalidated_total', 'invalidations_total'),
      timedOut: names('timed_out_total', 'timeouts_total'),
      leaked: names('leaked_total', 'leaks_total'),
    },
    wait: names('wait_seconds', 'wait_duration_seconds', 'checkout_duration_seconds'),
    hold: names('hold_seconds', 'hold_duration_seconds'),
  };
};

/** OpenTelemetry: today's names, and those before 2024. */
const openTelemetry = (
  prefix: string,
  labels: { state: string; pool: readonly string[] },
  count: string,
): Family => {
  const stateIs = (is: string): Metric[] => [{ name: prefix + count, label: labels.state, is }];
  return {
    driver: 'opentelemetry',
    prefix,
    label: labels.pool,
    gauges: {
      size: [`${prefix}max`],
      idle: stateIs('idle'),
      inUse: stateIs('used'),
      waiting: [`${prefix}pending_requests`],
    },
    counters: { timedOut: [`${prefix}timeouts_total`, `${prefix}timeouts`] },
    wait: [`${prefix}wait_time_seconds`, `${prefix}wait_time`],
    hold: [`${prefix}use_time_seconds`, `${prefix}use_time`],
  };
};

const FAMILIES: readonly Family[] = [
  ours('poolctl_pool_', 'poolctl'),
  ours('sqlalchemy_pool_', 'sqlalchemy'),
  {
    driver: 'hikaricp',
    prefix: 'hikaricp_connections',
    label: ['pool'],
    gauges: {
      size: ['hikaricp_connections_max'],
      live: ['hikaricp_connections'],
      idle: ['hikaricp_connections_idle'],
      inUse: ['hikaricp_connections_active'],
      waiting: ['hikaricp_connections_pending'],
    },
    counters: {
      timedOut: ['hikaricp_connections_timeout_total'],
      acquired: ['hikaricp_connections_acquire_seconds_count'],
      released: ['hikaricp_connections_usage_seconds_count'],
      created: ['hikaricp_connections_creation_seconds_count'],
    },
    wait: ['hikaricp_connections_acquire_seconds'],
    hold: ['hikaricp_connections_usage_seconds'],
  },
  openTelemetry(
    'db_client_connection_',
    { state: 'db_client_connection_state', pool: ['db_client_connection_pool_name', 'pool_name'] },
    'count',
  ),
  openTelemetry('db_client_connections_', { state: 'state', pool: ['pool_name'] }, 'usage'),
];

const PREFIXES = [...FAMILIES.map(({ prefix }) => prefix), 'pgbouncer_'];

type ByName = ReadonlyMap<string, readonly MetricSample[]>;

interface FoundPool {
  readonly pool: PoolReading;
  readonly missing: readonly string[];
}

function poolsOf(family: Family, byName: ByName, takenAtMs: number): readonly FoundPool[] {
  return [...groupByPool(family, byName)].flatMap(([name, ofPool]): FoundPool[] => {
    const figure = (metrics: readonly Metric[] = []): number | null =>
      metrics.map((metric) => figureOf(metric, ofPool)).find((value) => value !== null) ?? null;
    const gauge = (field: Field): number | null => figure(family.gauges[field]);
    const [idle, inUse, waiting] = [gauge('idle'), gauge('inUse'), gauge('waiting')];
    if (idle === null && inUse === null) return [];
    const missing = Object.entries({ idle, 'in use': inUse, waiting }).flatMap(([what, value]) =>
      value === null ? [what] : [],
    );
    const pool: PoolReading = {
      ...{ schema: 1, name, driver: family.driver, takenAtMs, app: null, closed: false, createError: null },
      ...{ idle: idle ?? 0, inUse: inUse ?? 0, waiting: waiting ?? 0, holders: [] },
      live: gauge('live') ?? (idle ?? 0) + (inUse ?? 0),
      size: gauge('size'),
      maxOverflow: gauge('maxOverflow'),
      overflow: gauge('overflow'),
      creating: gauge('creating'),
      ...{ peakWaiting: null, peakInUse: null, longestWaitMs: null, longestHoldMs: null },
      counters: mapCounters((key) => figure(family.counters[key])),
      wait: histogramOf(family.wait, ofPool),
      hold: histogramOf(family.hold, ofPool),
    };
    return [{ pool, missing }];
  });
}

/** The samples of each pool, by their names. */
function groupByPool(family: Family, byName: ByName): ReadonlyMap<string, ByName> {
  const pools = new Map<string, Map<string, MetricSample[]>>();
  for (const [name, samples] of byName) {
    if (!name.startsWith(family.prefix)) continue;
    for (const sample of samples) {
      const key = nameOf(sample, family);
      const pool = pools.get(key) ?? new Map<string, MetricSample[]>();
      const same = pool.get(name);
      if (same === undefined) pool.set(name, [sample]);
      else same.push(sample);
      pools.set(key, pool);
    }
  }
  return pools;
}

function figureOf(metric: Metric, ofPool: ByName): number | null {
  const { name, label, is } = typeof metric === 'string' ? { name: metric, label: null, is: null } : metric;
  const sample = ofPool.get(name)?.find(({ labels }) => label === null || labels[label] === is);
  return sample === undefined || !Number.isFinite(sample.value) ? null : sample.value;
}

/** Of an endpoint that collects those of several processes, each pool is one of them. */
function nameOf({ labels }: MetricSample, { label }: Family): string {
  const pool = label.map((one) => labels[one]).find((one) => one !== undefined) ?? 'default';
  const place = ['application', 'job', 'instance', 'pid'].flatMap((one) => labels[one] ?? []).join(' ');
  return place === '' ? pool : `${pool} (${place})`;
}

/**
 * From the buckets of a histogram: where in its bucket a sample lies is not known, and of those above the last bound
 * only that they are. The least and the greatest are the bounds themselves.
 */
function histogramOf(names: readonly string[], ofPool: ByName): HistogramSnapshot | null {
  for (const name of names) {
    const [count, sum] = [figureOf(`${name}_count`, ofPool), figureOf(`${name}_sum`, ofPool)];
    if (count === null || sum === null) continue;
    const buckets = bucketsOf(ofPool.get(`${name}_bucket`) ?? []);
    const [maxUs] = buckets.at(-1) ?? [null];
    return {
      ...{ count, sumUs: sum * 1e6, buckets, maxUs },
      minUs: maxUs === null ? null : 0,
      meanUs: count === 0 ? null : (sum * 1e6) / count,
    };
  }
  return null;
}

/** They hold all samples up to their bound: each is made to hold those above the bound before. */
function bucketsOf(samples: readonly MetricSample[]): readonly (readonly [upToUs: number, count: number])[] {
  const bounds = samples
    .map(({ labels, value }) => ({ upTo: Number(labels.le?.replace(/^\+?inf$/i, 'Infinity')), value }))
    .filter(({ upTo, value }) => !Number.isNaN(upTo) && Number.isFinite(value))
    .sort((a, b) => a.upTo - b.upTo);
  const buckets: [number, number][] = [];
  let before = 0;
  for (const { upTo, value } of bounds) {
    const inBucket = value - before;
    before = Math.max(before, value);
    if (inBucket <= 0) continue;
    const last = buckets.at(-1);
    if (Number.isFinite(upTo)) buckets.push([upTo * 1e6, inBucket]);
    else if (last !== undefined) last[1] += inBucket;
  }
  return buckets;
}

/** What the exporters of PgBouncer tell, as if its console had: its columns, under both sets of names. */
function pgbouncerRows(byName: ByName): PgBouncerRows | null {
  if (![...byName.keys()].some((name) => name.startsWith('pgbouncer_'))) return null;
  const version = byName.get('pgbouncer_version_info')?.[0]?.labels.version ?? '';
  const only = (...names: string[]): number | null =>
    names.flatMap((name) => byName.get(name)?.[0]?.value ?? [])[0] ?? null;
  return {
    version,
    pools: rowsOf(byName, POOL_COLUMNS, ['database', 'user']),
    databases: rowsOf(byName, DATABASE_COLUMNS, ['name']).map((row) => ({
      ...row,
      pool_mode: row.pool_mode ?? null,
    })),
    stats: rowsOf(byName, STATS_COLUMNS, ['database']),
    ...{ clients: null, servers: null, state: [] },
    lists: [{ list: 'used_clients', items: only('pgbouncer_used_clients', 'pgbouncer_lists_used_clients') }],
    config: [
      {
        key: 'max_client_conn',
        value: only('pgbouncer_config_max_client_connections', 'pgbouncer_config_max_client_conn'),
      },
    ],
  };
}

/** By column of the console: its names, and a factor from seconds to the console's units. */
type Column = readonly [column: string, names: readonly string[], factor?: number];

const poolColumn = (column: string, community: string): Column => [
  column,
  [`pgbouncer_pools_${column}`, `pgbouncer_pools_${community}_connections`],
];

const POOL_COLUMNS: readonly Column[] = [
  poolColumn('cl_active', 'client_active'),
  poolColumn('cl_waiting', 'client_waiting'),
  poolColumn('sv_active', 'server_active'),
  poolColumn('sv_idle', 'server_idle'),
  poolColumn('sv_used', 'server_used'),
  poolColumn('sv_tested', 'server_testing'),
  poolColumn('sv_login', 'server_login'),
  poolColumn('sv_active_cancel', 'server_active_cancel'),
  poolColumn('sv_being_canceled', 'server_being_canceled'),
  ['maxwait', ['pgbouncer_pools_maxwait', 'pgbouncer_pools_client_maxwait_seconds']],
  ['maxwait_us', ['pgbouncer_pools_maxwait_us']],
];

const DATABASE_COLUMNS: readonly Column[] = [
  ['pool_size', ['pgbouncer_databases_pool_size']],
  ['reserve_pool', ['pgbouncer_databases_reserve_pool_size', 'pgbouncer_databases_reserve_pool']],
  ['max_connections', ['pgbouncer_databases_max_connections']],
  ['current_connections', ['pgbouncer_databases_current_connections']],
  ['paused', ['pgbouncer_databases_paused']],
];

const statsNames = (...names: string[]): string[] =>
  names.flatMap((name) => [`pgbouncer_stats_${name}`, `pgbouncer_stats_totals_${name}`]);

const STATS_COLUMNS: readonly Column[] = [
  ['total_xact_count', statsNames('total_xact_count', 'sql_transactions_pooled_total')],
  ['total_query_count', statsNames('total_query_count', 'queries_pooled_total')],
  ['total_server_assignment_count', statsNames('total_server_assignment_count', 'server_assignments_total')],
  ['total_xact_time', statsNames('server_in_transaction_seconds_total'), 1e6],
  ['total_wait_time', statsNames('client_wait_seconds_total'), 1e6],
];

function rowsOf(byName: ByName, columns: readonly Column[], keys: readonly string[]): readonly Row[] {
  const rows = new Map<string, Record<string, unknown>>();
  for (const [column, names, factor = 1] of columns) {
    for (const { labels, value } of names.flatMap((name) => byName.get(name) ?? [])) {
      const values = keys.map((key) => labels[key] ?? (key === 'name' ? labels.database : undefined) ?? '');
      const id = JSON.stringify(values);
      const row = rows.get(id) ?? Object.fromEntries(keys.map((key, i) => [key, values[i]]));
      row[column] ??= value * factor;
      if (labels.pool_mode !== undefined) row.pool_mode = labels.pool_mode;
      rows.set(id, row);
    }
  }
  return [...rows.values()];
}

function snakeCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
