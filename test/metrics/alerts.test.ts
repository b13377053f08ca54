import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertRules, alertsYaml } from '../../src/metrics/alerts.js';
import type { AnyFamily } from '../../src/metrics/metric.js';
import { TABLE } from '../../src/metrics/table.js';
import { describeWithPrometheus, promtool } from '../helpers/prometheus.js';

const rules = alertRules();

describe('the alerts', () => {
  it('name no metric that is not in the table', () => {
    const known = new Set(
      Object.values<AnyFamily>(TABLE).flatMap(({ metrics }) =>
        Object.values(metrics).flatMap(({ name, type }) =>
          type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
        ),
      ),
    );
    const named = rules.flatMap(({ expr }) => expr.match(/\b(?:poolctl|pgbouncer|sqlalchemy)_\w+/g) ?? []);
    expect(named.length).toBeGreaterThan(rules.length);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it('each say what to do', () => {
    expect(rules.filter(({ runbook }) => runbook.length < 20)).toEqual([]);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });
});

type Values = Readonly<Record<string, string>>;

const POOL = '{app="shop",pool_name="orders",source="pool:/run/a.sock"}';
const PAIR = '{database="orders",source="pgbouncer://a/",user="app"}';
const DATABASE = '{database="orders",source="pgbouncer://a/"}';
const POOLER = '{source="pgbouncer://a/"}';
const SERVER = '{source="postgres://a/b"}';
const still = (value: number | string): string => `${value}+0x90`;

/** A default install with one connection, in use: each sample a minute. */
const DEFAULTS: Values = {
  [`poolctl_source_up${POOLER}`]: still(1),
  [`poolctl_pool_size${POOL}`]: still(5),
  [`poolctl_pool_capacity${POOL}`]: still(15),
  [`poolctl_pool_checked_out${POOL}`]: still(1),
  [`poolctl_pool_waiters${POOL}`]: still(0),
  [`poolctl_pool_checkouts_total${POOL}`]: '1+60x90',
  [`poolctl_pool_timeouts_total${POOL}`]: still(0),
  [`poolctl_pool_connect_failures_total${POOL}`]: still(0),
  [`poolctl_pool_invalidations_total${POOL}`]: still(0),
  [`poolctl_pool_leaks_total${POOL}`]: still(0),
  [`poolctl_pool_checkout_duration_seconds_bucket${POOL.replace('}', ',le="0.001"}')}`]: '1+60x90',
  [`poolctl_pool_checkout_duration_seconds_bucket${POOL.replace('}', ',le="1"}')}`]: '1+60x90',
  [`poolctl_pool_checkout_duration_seconds_bucket${POOL.replace('}', ',le="+Inf"}')}`]: '1+60x90',
  [`pgbouncer_pools_cl_waiting${PAIR}`]: still(0),
  [`pgbouncer_pools_sv_active${PAIR}`]: still(1),
  [`pgbouncer_pools_sv_idle${PAIR}`]: still(0),
  [`pgbouncer_pools_sv_used${PAIR}`]: still(0),
  [`pgbouncer_pools_sv_login${PAIR}`]: still(0),
  [`pgbouncer_pools_maxwait${PAIR}`]: still(0),
  [`pgbouncer_pools_pool_size${PAIR}`]: still(20),
  [`pgbouncer_databases_current_connections${DATABASE}`]: still(1),
  // No limit.
  [`pgbouncer_databases_max_connections${DATABASE}`]: still(0),
  [`pgbouncer_databases_paused${DATABASE}`]: still(0),
  [`pgbouncer_used_clients${POOLER}`]: still(1),
  [`pgbouncer_config_max_client_conn${POOLER}`]: still(100),
  [`poolctl_postgres_max_connections${SERVER}`]: still(100),
  [`poolctl_postgres_reserved_connections${SERVER}`]: still(3),
  [`poolctl_postgres_used_connections${SERVER}`]: still(2),
  [`poolctl_postgres_longest_idle_in_transaction_seconds${SERVER}`]: still(0),
};

const FULL_POOLER: Values = {
  [`pgbouncer_pools_sv_active${PAIR}`]: still(18),
  [`pgbouncer_pools_sv_idle${PAIR}`]: still(2),
  [`pgbouncer_pools_cl_waiting${PAIR}`]: still(7),
};
const PAUSED: Values = { [`pgbouncer_databases_paused${DATABASE}`]: still(1) };
const PAIR_2 = PAIR.replace('app', 'app2');

/** What is otherwise than by default, and who fires after ten minutes. */
const CASES: readonly (readonly [what: string, changed: Values, firing: readonly string[]])[] = [
  ['a default install with one connection', {}, []],
  ['a pool that is all in use while nobody waits', { [`poolctl_pool_checked_out${POOL}`]: still(15) }, []],
  [
    'a pool that is all in use while callers wait',
    { [`poolctl_pool_checked_out${POOL}`]: still(15), [`poolctl_pool_waiters${POOL}`]: still(4) },
    ['PoolSaturated', 'PoolWaiting'],
  ],
  [
    'callers that wait while little is in use, as after a restart of the database',
    { [`poolctl_pool_waiters${POOL}`]: still(4) },
    ['PoolWaiting'],
  ],
  ['callers that waited for a moment', { [`poolctl_pool_waiters${POOL}`]: '0 4 0 4 0 4 0 4 0 4 0' }, []],
  [
    'slow checkouts',
    {
      [`poolctl_pool_checkout_duration_seconds_bucket${POOL.replace('}', ',le="0.001"}')}`]: '1+30x90',
    },
    ['PoolCheckoutSlow'],
  ],
  ['time-outs', { [`poolctl_pool_timeouts_total${POOL}`]: '0+1x90' }, ['PoolTimeouts']],
  ['time-outs of an hour ago', { [`poolctl_pool_timeouts_total${POOL}`]: still(900) }, []],
  ['a single connect that failed', { [`poolctl_pool_connect_failures_total${POOL}`]: '0+0x4 1+0x90' }, []],
  ['failed connects', { [`poolctl_pool_connect_failures_total${POOL}`]: '0+1x90' }, ['PoolConnectFailures']],
  ['broken connections', { [`poolctl_pool_invalidations_total${POOL}`]: '0+2x90' }, ['PoolInvalidations']],
  [
    'broken connections, of very many',
    {
      [`poolctl_pool_invalidations_total${POOL}`]: '0+2x90',
      [`poolctl_pool_checkouts_total${POOL}`]: '0+5000x90',
    },
    [],
  ],
  [
    'a cause that callers suffer from, and another one that they do not yet',
    {
      [`poolctl_diagnosis{cause="slow-query",severity="critical",pool_name="orders",source="pool:a"}`]:
        still(1),
      [`poolctl_diagnosis{cause="connection-churn",severity="warning",pool_name="orders",source="pool:a"}`]:
        still(1),
    },
    ['PoolCauseCritical', 'PoolCauseWarning'],
  ],
  [
    'a cause that was found at one look',
    {
      [`poolctl_diagnosis{cause="slow-query",severity="critical",source="pool:a"}`]:
        '_x4 1 stale _x4 1 stale',
    },
    [],
  ],
  ['a leak', { [`poolctl_pool_leaks_total${POOL}`]: '0+0x5 1+0x90' }, ['PoolLeak']],
  [
    'a full pool of PgBouncer while nobody waits',
    { ...FULL_POOLER, [`pgbouncer_pools_cl_waiting${PAIR}`]: still(0) },
    [],
  ],
  ['a full pool of PgBouncer while clients wait', FULL_POOLER, ['PgBouncerSaturated']],
  [
    'a full pool of PgBouncer that is paused, for long',
    { ...FULL_POOLER, ...PAUSED, [`pgbouncer_pools_maxwait${PAIR}`]: still(99) },
    ['PgBouncerPaused'],
  ],
  [
    'one of two users of a database that is full',
    {
      ...{
        [`pgbouncer_pools_sv_active${PAIR}`]: still(10),
        [`pgbouncer_pools_sv_active${PAIR_2}`]: still(0),
      },
      ...{
        [`pgbouncer_pools_pool_size${PAIR_2}`]: still(20),
        [`pgbouncer_pools_cl_waiting${PAIR_2}`]: still(3),
      },
      [`pgbouncer_databases_current_connections${DATABASE}`]: still(10),
      [`pgbouncer_databases_max_connections${DATABASE}`]: still(10),
    },
    ['PgBouncerDatabaseFull'],
  ],
  ['a short queue', { [`pgbouncer_pools_maxwait${PAIR}`]: still(4) }, []],
  ['a queue', { [`pgbouncer_pools_maxwait${PAIR}`]: still(8) }, ['PgBouncerQueue']],
  ['a long queue', { [`pgbouncer_pools_maxwait${PAIR}`]: still(31) }, ['PgBouncerMaxWait', 'PgBouncerQueue']],
  [
    'a long queue while it is paused',
    { ...PAUSED, [`pgbouncer_pools_maxwait${PAIR}`]: '0+60x3 0+0x80' },
    ['PgBouncerPaused'],
  ],
  ['nearly all clients', { [`pgbouncer_used_clients${POOLER}`]: still(95) }, ['PgBouncerClientsNearLimit']],
  [
    '88 of the 97 connections',
    { [`poolctl_postgres_used_connections${SERVER}`]: still(88) },
    ['PostgresConnectionsNearLimit'],
  ],
  ['87 of the 97 connections', { [`poolctl_postgres_used_connections${SERVER}`]: still(87) }, []],
  [
    'reserved connections that make the difference',
    {
      [`poolctl_postgres_used_connections${SERVER}`]: still(80),
      [`poolctl_postgres_reserved_connections${SERVER}`]: still(15),
    },
    ['PostgresConnectionsNearLimit'],
  ],
  [
    'a transaction that stands idle',
    { [`poolctl_postgres_longest_idle_in_transaction_seconds${SERVER}`]: '0+60x90' },
    ['PostgresIdleInTransaction'],
  ],
  ['a source that is down', { [`poolctl_source_up${POOLER}`]: still(0) }, ['PoolSourceDown']],
];

describeWithPrometheus('promtool', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-alerts-'));
    await writeFile(join(folder, 'rules.yml'), alertsYaml());
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Runs unit tests of the rules. JSON is YAML. */
  const test = async (tests: readonly object[]) => {
    await writeFile(
      join(folder, 'tests.yml'),
      JSON.stringify({ rule_files: ['rules.yml'], evaluation_interval: '15s', tests }),
    );
    return promtool(['test', 'rules', 'tests.yml'], { cwd: folder });
  };
  const caseOf = ([name, changed, firing]: (typeof CASES)[number]) => ({
    name,
    interval: '1m',
    input_series: Object.entries({ ...DEFAULTS, ...changed }).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: '10m',
        exp_samples: firing.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
      },
    ],
  });

  it('finds nothing wrong with the rules', () => {
    const { code, text } = promtool(['check', 'rules', 'rules.yml'], { cwd: folder });
    expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining(`${rules.length} rules found`) });
  });

  it('sees each alert fire when it should, and no other', async () => {
    expect(new Set(CASES.flatMap(([, , firing]) => firing))).toEqual(
      new Set(rules.map(({ alert }) => alert)),
    );
    expect(await test(CASES.map(caseOf))).toEqual({ code: 0, text: expect.stringContaining('SUCCESS') });
  });

  it('would see one that does not fire, and one that does', async () => {
    const [, , saturated] = CASES;
    if (saturated === undefined) throw new Error('there is no such case');
    const [name, changed, firing] = saturated;
    expect((await test([caseOf([name, {}, firing])])).code).toBe(1);
    expect((await test([caseOf([name, changed, []])])).code).toBe(1);
  });

  it('sees what an alert says', async () => {
    const waiting: Values = { [`poolctl_pool_waiters${POOL}`]: still(4) };
    const rule = rules.find(({ alert }) => alert === 'PoolWaiting');
    const { input_series } = caseOf(['', waiting, []]);
    const result = await test([
      {
        interval: '1m',
        input_series,
        alert_rule_test: [
          {
            eval_time: '10m',
            alertname: 'PoolWaiting',
            exp_alerts: [
              {
                exp_labels: {
                  ...{ app: 'shop', pool_name: 'orders', source: 'pool:/run/a.sock', severity: 'warning' },
                },
                exp_annotations: {
                  summary: 'Callers have been waiting for connections of pool orders of shop for two minutes',
                  description: '4 wait now.',
                  runbook: rule?.runbook,
                },
              },
            ],
          },
        ],
      },
    ]);
    expect(result).toEqual({ code: 0, text: expect.stringContaining('SUCCESS') });
  });
});
