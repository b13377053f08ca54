import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AnyFamily, Metric } from '../../src/metrics/metric.js';
import { TABLE } from '../../src/metrics/table.js';

const metrics = Object.values<AnyFamily>(TABLE).flatMap(({ metrics: all }) =>
  Object.values<Metric<unknown>>(all),
);
const typeOf = (name: string) => metrics.find((one) => one.name === name)?.type;
const aliasOf = (alias: string) => metrics.find((one) => one.alias?.name === alias)?.type;

/** Existing dashboards and alerts use these names. */
const SQLALCHEMY = {
  gauge: ['size', 'checked_in', 'checked_out', 'overflow', 'waiters'],
  counter: [
    ...['connects_total', 'disconnects_total', 'checkouts_total', 'checkins_total', 'invalidations_total'],
  ],
  histogram: ['checkout_duration_seconds'],
};
const PGBOUNCER = [
  ...['pgbouncer_databases_current_connections', 'pgbouncer_databases_pool_size'],
  ...['pgbouncer_pools_cl_active', 'pgbouncer_pools_cl_waiting', 'pgbouncer_pools_sv_active'],
  ...['pgbouncer_pools_sv_idle', 'pgbouncer_pools_maxwait'],
];

describe('the table of metrics', () => {
  it.each(Object.entries(SQLALCHEMY).flatMap(([type, names]) => names.map((name) => [type, name])))(
    'has the %s %s of SQLAlchemy, under our prefix and its own',
    (type, name) => {
      expect(typeOf(`poolctl_pool_${name}`)).toBe(type);
      expect(aliasOf(`sqlalchemy_pool_${name}`)).toBe(type);
    },
  );

  it.each(PGBOUNCER)('has %s', (name) => {
    expect(typeOf(name)).toBe('gauge');
  });

  it.each([
    ...['pgbouncer_pools_client_active_connections', 'pgbouncer_pools_client_waiting_connections'],
    ...['pgbouncer_pools_server_active_connections', 'pgbouncer_pools_client_maxwait_seconds'],
    ...['pgbouncer_databases_reserve_pool', 'pgbouncer_config_max_client_connections'],
    ...['pgbouncer_stats_totals_queries_pooled_total', 'pgbouncer_stats_totals_client_wait_seconds_total'],
    'pgbouncer_stats_totals_server_in_transaction_seconds_total',
  ])('has %s for those who have dashboards of the community', (name) => {
    expect(aliasOf(name)).toBeDefined();
  });

  it('is as it was told to users: a metric that is renamed or gone breaks their dashboards', async () => {
    const lines = Object.values<AnyFamily>(TABLE).flatMap(({ labels, metrics: all }) =>
      Object.values<Metric<unknown>>(all).map(({ name, type, unit, alias }) =>
        [
          `${name}{${['source', ...labels].join(',')}}`,
          type,
          unit,
          ...(alias === undefined ? [] : [`= ${alias.name}`]),
        ].join('  '),
      ),
    );
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, '../../fixtures/metrics/table.txt'),
    );
  });

  it('has no name twice, and a help for each', () => {
    const names = metrics.flatMap(({ name, alias }) => [name, ...(alias === undefined ? [] : [alias.name])]);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect(metrics.filter(({ help }) => !/^[A-Z0-9].*\.$/.test(help)).map(({ name }) => name)).toEqual([]);
  });
});
