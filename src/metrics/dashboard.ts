import { backends, poolerDatabases, poolerPools, poolerStats, pools, server, sources } from './table.js';

/** A panel, before it has a place. */
interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'gauge' | 'stat' | 'timeseries';
  readonly unit: 'percent' | 'short' | 's' | 'ops';
  readonly queries: readonly Query[];
  /** From where on it is yellow, and red. */
  readonly limits?: readonly [warning: number, critical: number];
  /** Width of a panel, of 24 columns. Default 12. */
  readonly columns?: number;
}

interface Query {
  readonly expr: string;
  readonly legend: string;
}

interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const ROWS: Readonly<Record<Panel['type'], number>> = { gauge: 7, stat: 7, timeseries: 8 };
const COLUMNS = 24;
/** Stands for the source of data that the user chooses: the dashboard is the same for provisioning and import. */
const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };

const { metrics: pool } = pools;
const { metrics: pgbouncer } = poolerPools;
const { metrics: database } = poolerDatabases;
const { metrics: stats } = poolerStats;
const { metrics: postgres } = server;

/** The exporters that are shown, by Prometheus's own labels. */
const OF_EXPORTER = 'job=~"$job", instance=~"$instance"';
const OF_POOL = `{${OF_EXPORTER}, source=~"$source", pool_name=~"$pool"}`;
const OF_DATABASE = `{${OF_EXPORTER}, source=~"$source", database=~"$database"}`;
const OF_SOURCE = `{${OF_EXPORTER}, source=~"$source"}`;
const POOL_LEGEND = '{{app}} {{pool_name}}';
const PAIR_LEGEND = '{{database}} {{user}}';

const rate = (name: string, of: string): string => `rate(${name}${of}[$__rate_interval])`;

const ofPools = (metric: { readonly name: string }): string => metric.name + OF_POOL;
const byPool = (expr: string): string => `sum by (app, pool_name) (${expr})`;
const byPair = (metric: { readonly name: string }): string =>
  `sum by (database, user) (${metric.name}${OF_DATABASE})`;
const byDatabase = (expr: string): string => `sum by (database) (${expr})`;

const percentile = (share: number): Query => ({
  expr: `histogram_quantile(${share}, sum by (app, pool_name, le) (${rate(`${pool.wait.name}_bucket`, OF_POOL)}))`,
  legend: `p${share * 100} ${POOL_LEGEND}`,
});

const SECTIONS: readonly Section[] = [
  {
    title: 'Connection pools',
    panels: [
      {
        title: 'Pool utilization',
        description: 'Connections that are out, of those that the pool may have. Should stay below 75 %.',
        type: 'gauge',
        unit: 'percent',
        limits: [75, 90],
        columns: 8,
        queries: [
          {
            // A pool without a bound on its overflow has no capacity.
            expr: `100 * ${byPool(ofPools(pool.inUse))} / ${byPool(`${ofPools(pool.capacity)} or ${ofPools(pool.size)}`)}`,
            legend: POOL_LEGEND,
          },
        ],
      },
      {
        title: 'Connections waiting',
        description: 'Callers that wait for a connection. Should be 0, or nearly.',
        type: 'stat',
        unit: 'short',
        limits: [1, 10],
        columns: 6,
        queries: [{ expr: byPool(ofPools(pool.waiting)), legend: POOL_LEGEND }],
      },
      {
        title: 'PgBouncer max wait time',
        description: 'How long the oldest client of PgBouncer has waited. Should be below 5 s.',
        type: 'stat',
        unit: 's',
        limits: [5, 30],
        columns: 5,
        queries: [
          { expr: `max by (database) (${pgbouncer.maxwait.name}${OF_DATABASE})`, legend: '{{database}}' },
        ],
      },
      {
        title: 'Sources that cannot be read',
        description: 'There are no figures of them. poolctl metrics serve says why on stderr.',
        type: 'stat',
        unit: 'short',
        limits: [1, 1],
        columns: 5,
        queries: [
          { expr: `count(${sources.metrics.up.name}) - sum(${sources.metrics.up.name})`, legend: 'down' },
        ],
      },
      {
        title: 'Connection status',
        description: 'Connections that are out, callers that wait, and what the pool keeps and may have.',
        type: 'timeseries',
        unit: 'short',
        queries: [
          { expr: byPool(ofPools(pool.inUse)), legend: `checked out ${POOL_LEGEND}` },
          { expr: byPool(ofPools(pool.waiting)), legend: `waiting ${POOL_LEGEND}` },
          { expr: byPool(ofPools(pool.size)), legend: `size ${POOL_LEGEND}` },
          { expr: byPool(ofPools(pool.capacity)), legend: `capacity ${POOL_LEGEND}` },
        ],
      },
      {
        title: 'Connection operations',
        description: 'Per second. Many connects and disconnects: the pool is too small for its bursts.',
        type: 'timeseries',
        unit: 'ops',
        queries: [
          { expr: byPool(rate(pool.acquired.name, OF_POOL)), legend: `checkouts ${POOL_LEGEND}` },
          { expr: byPool(rate(pool.released.name, OF_POOL)), legend: `checkins ${POOL_LEGEND}` },
          { expr: byPool(rate(pool.created.name, OF_POOL)), legend: `connects ${POOL_LEGEND}` },
          { expr: byPool(rate(pool.destroyed.name, OF_POOL)), legend: `disconnects ${POOL_LEGEND}` },
        ],
      },
      {
        title: 'Connection checkout duration',
        description: 'From asking for a connection to having it. The 99th percentile should be below 100 ms.',
        type: 'timeseries',
        unit: 's',
        limits: [0.1, 0.5],
        queries: [percentile(0.5), percentile(0.95), percentile(0.99)],
      },
      {
        title: 'Time for which connections are held',
        description: 'On average, from having a connection to returning it.',
        type: 'timeseries',
        unit: 's',
        queries: [
          {
            expr: `${byPool(rate(`${pool.hold.name}_sum`, OF_POOL))} / ${byPool(rate(`${pool.hold.name}_count`, OF_POOL))}`,
            legend: POOL_LEGEND,
          },
        ],
      },
      {
        title: 'Invalidations and errors',
        description: 'Per second. Should be minimal.',
        type: 'timeseries',
        unit: 'ops',
        columns: 24,
        queries: [
          { expr: byPool(rate(pool.invalidated.name, OF_POOL)), legend: `invalidations ${POOL_LEGEND}` },
          { expr: byPool(rate(pool.timedOut.name, OF_POOL)), legend: `timeouts ${POOL_LEGEND}` },
          { expr: byPool(rate(pool.createFailed.name, OF_POOL)), legend: `failed connects ${POOL_LEGEND}` },
          { expr: byPool(rate(pool.leaked.name, OF_POOL)), legend: `leaks ${POOL_LEGEND}` },
        ],
      },
    ],
  },
  {
    title: 'PgBouncer',
    panels: [
      {
        title: 'PgBouncer clients',
        description: 'Those that wait are what an application sees as slow queries.',
        type: 'timeseries',
        unit: 'short',
        queries: [
          { expr: byPair(pgbouncer.clActive), legend: `active ${PAIR_LEGEND}` },
          { expr: byPair(pgbouncer.clWaiting), legend: `waiting ${PAIR_LEGEND}` },
        ],
      },
      {
        title: 'PgBouncer servers',
        description:
          'Connections to PostgreSQL: those that a client has, those that are free, and how many there may be.',
        type: 'timeseries',
        unit: 'short',
        queries: [
          { expr: byPair(pgbouncer.svActive), legend: `active ${PAIR_LEGEND}` },
          {
            expr: `${byPair(pgbouncer.svIdle)} + ${byPair(pgbouncer.svUsed)}`,
            legend: `free ${PAIR_LEGEND}`,
          },
          { expr: byPair(pgbouncer.size), legend: `pool size ${PAIR_LEGEND}` },
        ],
      },
      {
        title: 'PgBouncer databases',
        description: 'Servers that are open for all users together, and how many each of them may have.',
        type: 'timeseries',
        unit: 'short',
        queries: [
          { expr: byDatabase(database.currentConnections.name + OF_DATABASE), legend: 'open {{database}}' },
          { expr: byDatabase(database.poolSize.name + OF_DATABASE), legend: 'pool size {{database}}' },
          {
            expr: `max by (database) (${database.paused.name}${OF_DATABASE})`,
            legend: 'paused {{database}}',
          },
        ],
      },
      {
        title: 'PgBouncer transactions and queries',
        description: 'Per second.',
        type: 'timeseries',
        unit: 'ops',
        queries: [
          {
            expr: byDatabase(rate(stats.transactions.name, OF_DATABASE)),
            legend: 'transactions {{database}}',
          },
          { expr: byDatabase(rate(stats.queries.name, OF_DATABASE)), legend: 'queries {{database}}' },
        ],
      },
      {
        title: 'PgBouncer: waiting and busy',
        description:
          'Clients that wait and servers that work, on average. PgBouncer counts the wait as part of the transaction: it is taken off.',
        type: 'timeseries',
        unit: 'short',
        columns: 24,
        queries: [
          { expr: byDatabase(rate(stats.waitTime.name, OF_DATABASE)), legend: 'waiting {{database}}' },
          {
            expr: byDatabase(
              `${rate(stats.transactionTime.name, OF_DATABASE)} - ${rate(stats.waitTime.name, OF_DATABASE)}`,
            ),
            legend: 'busy {{database}}',
          },
        ],
      },
    ],
  },
  {
    title: 'PostgreSQL',
    panels: [
      {
        title: 'PostgreSQL connections',
        description:
          'Those in use, and how many there may be without those that are kept back for superusers and others.',
        type: 'timeseries',
        unit: 'short',
        queries: [
          { expr: postgres.usedConnections.name + OF_SOURCE, legend: 'used' },
          {
            expr: `${postgres.maxConnections.name}${OF_SOURCE} - ${postgres.reservedConnections.name}${OF_SOURCE}`,
            legend: 'limit',
          },
        ],
      },
      {
        title: 'PostgreSQL backends',
        description: 'By what they do.',
        type: 'timeseries',
        unit: 'short',
        queries: [
          {
            expr: `sum by (database, state) (${backends.metrics.backends.name}${OF_DATABASE})`,
            legend: '{{database}} {{state}}',
          },
        ],
      },
      {
        title: 'Longest idle in transaction',
        description: 'Such a transaction holds its locks, and vacuum up.',
        type: 'timeseries',
        unit: 's',
        limits: [60, 300],
        queries: [{ expr: postgres.idleInTransaction.name + OF_SOURCE, legend: '{{source}}' }],
      },
      {
        title: 'Lock waiters',
        description: 'Backends that wait for a lock that another one holds.',
        type: 'timeseries',
        unit: 'short',
        queries: [{ expr: postgres.lockWaiters.name + OF_SOURCE, legend: '{{source}}' }],
      },
    ],
  },
];

/** Path of the dashboard: /d/connection-pool-monitoring. */
export const DASHBOARD_UID = 'connection-pool-monitoring';

/** For Grafana: to be imported, or provisioned from a file. */
export function dashboard(): Readonly<Record<string, unknown>> {
  return {
    uid: DASHBOARD_UID,
    title: 'Connection Pool Monitoring',
    description: 'Connection pools, PgBouncer and PostgreSQL, as poolctl metrics tells of them.',
    tags: ['poolctl', 'postgresql', 'pgbouncer'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    time: { from: 'now-1h', to: 'now' },
    refresh: '30s',
    timezone: 'browser',
    annotations: {
      list: [
        annotation(
          'Alerts',
          'ALERTS{alertstate="firing", job=~"$job", source=~"$source"}',
          'red',
          '{{alertname}}: {{source}}',
        ),
        annotation(
          'Restarts of pools',
          `resets(${pool.acquired.name}${OF_POOL}[2m]) > 0`,
          'blue',
          `restarted: ${POOL_LEGEND}`,
        ),
      ],
    },
    links: [],
    templating: {
      list: [
        {
          ...{ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
          ...{ current: {}, hide: 0, includeAll: false, multi: false, options: [], refresh: 1, regex: '' },
        },
        variable('job', 'Job', `label_values(${sources.metrics.up.name}, job)`),
        variable('instance', 'Instance', `label_values(${sources.metrics.up.name}{job=~"$job"}, instance)`),
        variable('source', 'Source', `label_values(${sources.metrics.up.name}, source)`),
        variable('pool', 'Pool', `label_values(${pool.inUse.name}, pool_name)`),
        variable('database', 'Database', `label_values(${pgbouncer.clActive.name}, database)`),
      ],
    },
    panels: placed(SECTIONS),
  };
}

/** Marks moments in all panels. */
function annotation(name: string, expr: string, iconColor: string, titleFormat: string) {
  return {
    name,
    expr,
    iconColor,
    titleFormat,
    datasource: DATASOURCE,
    enable: true,
    hide: false,
    step: '30s',
  };
}

function variable(name: string, label: string, query: string) {
  return {
    ...{ name, label, type: 'query', datasource: DATASOURCE, definition: query },
    query: { query, refId: `${name}-values` },
    ...{
      includeAll: true,
      multi: true,
      allValue: '.*',
      refresh: 2,
      sort: 1,
      hide: 0,
      regex: '',
      options: [],
    },
    current: { selected: true, text: ['All'], value: ['$__all'] },
  };
}

/** Rows of panels, each below the one before. */
function placed(sections: readonly Section[]): readonly unknown[] {
  let [id, x, y, height] = [0, 0, 0, 0];
  const nextLine = (): void => {
    y += height;
    x = 0;
    height = 0;
  };
  return sections.flatMap(({ title, panels }) => {
    nextLine();
    const row = {
      ...{ id: ++id, type: 'row', title, collapsed: false, panels: [] },
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
    };
    y += 1;
    const drawn = panels.map((panel) => {
      const w = panel.columns ?? COLUMNS / 2;
      if (x + w > COLUMNS) nextLine();
      const gridPos = { h: ROWS[panel.type], w, x, y };
      x += w;
      height = Math.max(height, gridPos.h);
      return panelOf(panel, ++id, gridPos);
    });
    return [row, ...drawn];
  });
}

function panelOf({ title, description, type, unit, queries, limits }: Panel, id: number, gridPos: object) {
  const [warning, critical] = limits ?? [null, null];
  const steps = [
    { color: 'green', value: null },
    ...(warning === null || warning === critical ? [] : [{ color: 'yellow', value: warning }]),
    ...(critical === null ? [] : [{ color: 'red', value: critical }]),
  ];
  const hasLimits = limits !== undefined;
  return {
    ...{ id, type, title, description, gridPos, datasource: DATASOURCE },
    targets: queries.map(({ expr, legend }, at) => ({
      ...{ datasource: DATASOURCE, editorMode: 'code', expr, legendFormat: legend },
      ...{ range: true, refId: String.fromCharCode(65 + at) },
    })),
    fieldConfig: {
      defaults: {
        ...{ unit, min: 0, thresholds: { mode: 'absolute', steps } },
        ...(unit === 'percent' && { max: 100 }),
        ...(type === 'timeseries'
          ? {
              color: { mode: 'palette-classic' },
              custom: {
                ...{
                  drawStyle: 'line',
                  lineWidth: 1,
                  fillOpacity: 10,
                  showPoints: 'never',
                  spanNulls: false,
                },
                thresholdsStyle: { mode: hasLimits ? 'dashed' : 'off' },
              },
            }
          : { color: { mode: 'thresholds' } }),
      },
      overrides: [],
    },
    options:
      type === 'timeseries'
        ? {
            legend: {
              displayMode: 'table',
              placement: 'bottom',
              showLegend: true,
              calcs: ['lastNotNull', 'max'],
            },
            tooltip: { mode: 'multi', sort: 'desc' },
          }
        : { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false } },
  };
}
