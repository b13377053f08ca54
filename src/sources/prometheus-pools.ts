import type { HistogramSnapshot } from '../base/histogram.js';
import type { FieldMetric } from '../snapshot/metric.js';
import { mapCounters, POOL_PREFIX, type PoolCounters, poolCounters, poolFields } from '../snapshot/pool.js';
import type { Gap, PoolReading, Reading } from '../snapshot/reading.js';
import { type MetricSample, parseExposition } from './exposition.js';
import {
  PGBOUNCER_CLIENTS,
  PGBOUNCER_DATABASES,
  PGBOUNCER_MAXWAIT,
  PGBOUNCER_POOL_INFO,
  PGBOUNCER_POOLS,
  PGBOUNCER_STATS,
  PGBOUNCER_VERSION,
  type PgBouncerColumn,
  POOL_INFO,
  SQLALCHEMY_PREFIX,
} from './metric-names.js';
import {
  type PgBouncerRows,
  type Row,
  type StatsAt,
  statsAt,
  toReading as toPoolerReading,
} from './pgbouncer-rows.js';

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
  const found: FoundPool[] = [];
  for (const family of FAMILIES) {
    // An endpoint may have the same pools under several families of names, as ours has with --compat.
    const names = new Set(found.map(({ pool }) => pool.name));
    found.push(...poolsOf(family, byName, takenAtMs).filter(({ pool }) => !names.has(pool.name)));
  }
  const pools = found.map(({ pool }) => pool);
  const gaps: Gap[] = [
    ...found.flatMap(({ missing, pool }) =>
      missing.map((what) => ({
        what: `${what} of pool ${pool.name}`,
        why: 'no metric tells it',
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

const GAUGES = [
  'size',
  'maxOverflow',
  'live',
  'idle',
  'inUse',
  'overflow',
  'creating',
  'waiting',
  'peakWaiting',
  'peakInUse',
] as const satisfies readonly (keyof typeof poolFields)[];
type Field = (typeof GAUGES)[number];

/** How one library names its metrics. Each thing has one or more names, of which the first that is there counts. */
interface Family {
  readonly driver: string;
  readonly prefix: string;
  /** The label that names the pool. */
  readonly label: readonly string[];
  readonly gauges: { readonly [K in Field]?: readonly Metric[] };
  /** In seconds. */
  readonly ages?: { readonly longestWaitMs: readonly Metric[]; readonly longestHoldMs: readonly Metric[] };
  readonly counters: { readonly [K in keyof PoolCounters]?: readonly Metric[] };
  /** In seconds. */
  readonly wait: readonly string[];
  readonly hold: readonly string[];
  /** The metric whose label `driver` names the driver of a pool. */
  readonly info?: string;
}

/** A name, and a label that it must have. */
type Metric = string | { readonly name: string; readonly label: string; readonly is: string };

/** The names of our exporter, under its prefix and SQLAlchemy's. */
const ours = (prefix: string, driver: string): Family => {
  const named = ({ metric }: { readonly metric: FieldMetric }): readonly string[] => [prefix + metric.name];
  const { longestWaitMs, longestHoldMs, wait, hold } = poolFields;
  return {
    driver,
    prefix,
    label: ['pool_name', 'pool'],
    gauges: Object.fromEntries(GAUGES.map((field) => [field, named(poolFields[field])])),
    ages: { longestWaitMs: named(longestWaitMs), longestHoldMs: named(longestHoldMs) },
    counters: mapCounters((name) => named(poolCounters.entries[name])),
    wait: named(wait),
    hold: named(hold),
    info: prefix + POOL_INFO,
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
  ours(POOL_PREFIX, 'poolctl'),
  ours(SQLALCHEMY_PREFIX, 'sqlalchemy'),
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
    const [idle, waiting, live] = [gauge('idle'), gauge('waiting'), gauge('live')];
    const inUse = gauge('inUse') ?? (live === null || idle === null ? null : live - idle);
    if (inUse === null && idle === null) return [];
    const missing = Object.entries({ idle, 'in use': inUse, waiting }).flatMap(([what, value]) =>
      value === null ? [what] : [],
    );
    const pool: PoolReading = {
      ...{ schema: 1, name, takenAtMs, app: null, closed: false, createError: null },
      driver: ofPool.get(family.info ?? '')?.[0]?.labels.driver ?? family.driver,
      ...{ idle, inUse, waiting, holders: [] },
      // At least: idle connections may not be counted.
      live: live ?? (inUse === null ? null : inUse + (idle ?? 0)),
      size: gauge('size'),
      maxOverflow: gauge('maxOverflow'),
      overflow: gauge('overflow'),
      creating: gauge('creating'),
      peakWaiting: gauge('peakWaiting'),
      peakInUse: gauge('peakInUse'),
      longestWaitMs: toMs(figure(family.ages?.longestWaitMs)),
      longestHoldMs: toMs(figure(family.ages?.longestHoldMs)),
      counters: mapCounters((key) => figure(family.counters[key])),
      wait: histogramOf(family.wait, ofPool),
      hold: histogramOf(family.hold, ofPool),
    };
    return [{ pool, missing }];
  });
}

/** The samples of each pool, by their names. */
function groupByPool(family: Family, byName: ByName): ReadonlyMap<string, ByName> {
  const pools = new Map<string, { name: string; source: string; ofPool: Map<string, MetricSample[]> }>();
  const sources = new Map<string, Set<string>>();
  for (const [metric, samples] of byName) {
    if (!metric.startsWith(family.prefix)) continue;
    for (const sample of samples) {
      const [name, source] = [nameOf(sample, family), sample.labels.source ?? ''];
      const key = JSON.stringify([name, source]);
      const pool = pools.get(key) ?? { name, source, ofPool: new Map<string, MetricSample[]>() };
      const same = pool.ofPool.get(metric);
      if (same === undefined) pool.ofPool.set(metric, [sample]);
      else same.push(sample);
      pools.set(key, pool);
      sources.set(name, (sources.get(name) ?? new Set()).add(source));
    }
  }
  const named = [...pools.values()].map(({ name, source, ofPool }): [string, ByName] => [
    sources.get(name)?.size === 1 ? name : `${name} (${source})`,
    ofPool,
  ]);
  return new Map(named);
}

function figureOf(metric: Metric, ofPool: ByName): number | null {
  const { name, label, is } = typeof metric === 'string' ? { name: metric, label: null, is: null } : metric;
  const sample = ofPool.get(name)?.find(({ labels }) => label === null || labels[label] === is);
  return sample === undefined || !Number.isFinite(sample.value) ? null : sample.value;
}

/** On an endpoint that collects several processes, each pool belongs to one of them. */
function nameOf({ labels }: MetricSample, { label }: Family): string {
  const pool = label.map((one) => labels[one]).find((one) => one !== undefined) ?? 'default';
  const place = ['application', 'app', 'job', 'instance', 'pid']
    .flatMap((one) => labels[one] ?? [])
    .join(' ');
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

/** The metrics of PgBouncer exporters, as rows of its console: its columns, under both sets of names. */
function pgbouncerRows(byName: ByName): PgBouncerRows | null {
  const ofPgbouncer = [...byName].filter(([name]) => name.startsWith('pgbouncer_'));
  if (ofPgbouncer.length === 0) return null;
  // Databases of the same name in several poolers are told apart by the pooler.
  const sources = new Set(
    ofPgbouncer.flatMap(([, samples]) => samples.map(({ labels }) => labels.source ?? '')),
  );
  const rows = (columns: readonly Column[], keys: readonly string[]): readonly Row[] =>
    rowsOf(byName, columns, keys, sources.size > 1);
  const sum = (...names: string[]): number | null => {
    const samples = names.map((name) => byName.get(name)).find((one) => one !== undefined);
    return samples?.reduce((all, { value }) => all + value, 0) ?? null;
  };
  const pools = rows(POOL_COLUMNS, ['database', 'user']);
  return {
    version: byName.get(PGBOUNCER_VERSION)?.[0]?.labels.version ?? '',
    pools,
    databases: rows(DATABASE_COLUMNS, ['name']).map((row) => ({
      ...row,
      // The pool mode decides what the waits count. Our exporter reports the mode of the pools.
      pool_mode: row.pool_mode ?? pools.find(({ database }) => database === row.name)?.pool_mode ?? null,
    })),
    stats: rows(STATS_COLUMNS, ['database']),
    ...{ clients: null, servers: null, state: [] },
    lists: [{ list: 'used_clients', items: sum(PGBOUNCER_CLIENTS.used, 'pgbouncer_lists_used_clients') }],
    config: [
      {
        key: 'max_client_conn',
        value: sum(PGBOUNCER_CLIENTS.most, PGBOUNCER_CLIENTS.mostOfCommunity),
      },
    ],
  };
}

/** By column of the console: its names, and a factor from the console's units to those of the metric. */
type Column = readonly [column: string, names: readonly string[], factor: number];

const columnsOf = (columns: Readonly<Record<string, PgBouncerColumn>>): readonly Column[] =>
  Object.values(columns).map(({ column, name, community, factor }) => [
    column,
    community === null ? [name] : [name, community],
    factor,
  ]);

const POOL_COLUMNS: readonly Column[] = [
  ...columnsOf({ ...PGBOUNCER_POOLS, maxwait: PGBOUNCER_MAXWAIT }),
  // For the sake of its label.
  ['info', [PGBOUNCER_POOL_INFO], 1],
];
const DATABASE_COLUMNS = columnsOf(PGBOUNCER_DATABASES);
/** Older ones of the community's exporter have its names without `totals`. */
const STATS_COLUMNS = columnsOf(PGBOUNCER_STATS).map(
  ([column, names, factor]): Column => [
    column,
    [...names, ...names.map((name) => name.replace('_stats_totals_', '_stats_'))],
    factor,
  ],
);

function rowsOf(
  byName: ByName,
  columns: readonly Column[],
  keys: readonly string[],
  withSource: boolean,
): readonly Row[] {
  const rows = new Map<string, Record<string, unknown>>();
  for (const [column, names, factor] of columns) {
    for (const { labels, value } of names.flatMap((name) => byName.get(name) ?? [])) {
      const values = keys.map((key) => {
        const text = labels[key] ?? (key === 'name' ? labels.database : undefined) ?? '';
        return withSource && key !== 'user' ? `${text} (${labels.source ?? ''})` : text;
      });
      const id = JSON.stringify(values);
      const row = rows.get(id) ?? Object.fromEntries(keys.map((key, i) => [key, values[i]]));
      row[column] ??= value / factor;
      if (labels.pool_mode !== undefined) row.pool_mode = labels.pool_mode;
      rows.set(id, row);
    }
  }
  return [...rows.values()];
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}
