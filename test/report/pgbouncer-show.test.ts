import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ShowResult, showLine } from '../../src/report/pgbouncer/show.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';

const showReports = await renderersOf('pgbouncerShow');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/pgbouncer', name);

const shown = (what: ShowResult['what'], rows: readonly Readonly<Record<string, string>>[]): ShowResult => ({
  schema: 1,
  what,
  columns: Object.keys(rows[0] ?? {}),
  rows: rows.map((row) => Object.values(row)),
});

/** As PgBouncer 1.18 has them. */
const pool = (database: string, user: string, figures: Readonly<Record<string, string>> = {}) => ({
  ...{ database, user, cl_active: '0', cl_waiting: '0', cl_active_cancel_req: '0' },
  ...{ cl_waiting_cancel_req: '0', sv_active: '0', sv_active_cancel: '0', sv_being_canceled: '0' },
  ...{ sv_idle: '0', sv_used: '0', sv_tested: '0', sv_login: '0', maxwait: '0', maxwait_us: '0' },
  pool_mode: 'transaction',
  ...figures,
});
const pools = shown('pools', [
  pool('mt5_trading', 'trader', {
    ...{ cl_active: '25', cl_waiting: '16', sv_active: '25', maxwait: '12', maxwait_us: '345678' },
  }),
  pool('mt5_trading', 'reports', { cl_active: '1', sv_idle: '10' }),
  pool('pgbouncer', 'pgbouncer', { cl_active: '1', pool_mode: 'statement' }),
]);
const servers = shown('servers', [
  {
    ...{ type: 'S', user: 'trader', database: 'mt5_trading', state: 'active', addr: '10.0.0.5' },
    ...{ port: '5432', local_addr: '10.0.0.7', local_port: '41234', connect_time: '2026-01-02 03:04:05 UTC' },
    ...{ request_time: '2026-01-02 03:04:06 UTC', wait: '0', wait_us: '0', close_needed: '0' },
    ...{ ptr: '0x55d0c8a0', link: '0x55d0b120', remote_pid: '4711', tls: '', application_name: 'api' },
  },
]);
const config = shown('config', [
  { key: 'admin_users', value: 'trader', default: '', changeable: 'yes' },
  {
    key: 'ignore_startup_parameters',
    value: 'extra_float_digits,application_name,options,search_path,TimeZone',
    default: '',
    changeable: 'yes',
  },
  { key: 'pool_mode', value: 'transaction', default: 'session', changeable: 'yes' },
]);
const version = shown('version', [{ version: 'PgBouncer 1.18.0' }]);

describe('the report of pgbouncer show', () => {
  it.each([
    ['pools', pools],
    ['servers', servers],
    ['config', config],
    ['version', version],
  ] as const)('of %s is like its goldens', async (name, result) => {
    for (const format of ['text', 'json'] as const)
      await expect(showReports[format](result, PLAIN)).toMatchFileSnapshot(golden(`${name}.${format}`));
    expect(JSON.parse(showLine(result))).toEqual(JSON.parse(showReports.json(result, PLAIN)));
  });

  it('has more columns where there is more room, and says which do not fit', () => {
    const narrow = showReports.text(pools, PLAIN);
    expect(narrow.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
    expect(narrow).toContain('further columns: ');
    const wide = showReports.text(pools, { ...PLAIN, width: 250 });
    expect(wide).not.toContain('further columns');
    expect(wide).toContain('cl_waiting_cancel_req');
  });

  it('hostile names are text, and nothing is a table of nothing', () => {
    const hostile = shown('pools', [pool('a\u001b[31m"b', 'line\nbreak')]);
    const text = showReports.text(hostile, PLAIN);
    expect(text).not.toContain('\u001b');
    expect(text.split('\n').filter((line) => line.startsWith('a"b'))).toHaveLength(1);
    expect(showReports.text({ ...pools, rows: [] }, PLAIN)).toBe('pools: none\n');
  });
});
