import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { systemClock } from '../../src/base/clock.js';
import { runMain } from '../../src/cli/main.js';
import { createDatabase, type Database, type Session } from '../../src/index.js';
import { alertsYaml } from '../../src/metrics/alerts.js';
import { dashboard } from '../../src/metrics/dashboard.js';
import type { PoolReading, Reading } from '../../src/snapshot/reading.js';
import { parseExposition } from '../../src/sources/exposition.js';
import { openSource } from '../../src/sources/registry.js';
import type { WatchedSnapshot } from '../../src/watch/index.js';
import { type Published, publish as publishAt } from '../../src/watch/publish.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import { type PgBouncer, pgbouncerVersion, startPgBouncer } from '../helpers/pgbouncer.js';
import { newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { hasPrometheus, type Prometheus, promtool, startPrometheus } from '../helpers/prometheus.js';
import { TOKEN, TOKEN_ENV } from '../helpers/token.js';

/** What a pool may be called as well. */
const HOSTILE = 'a"b\\c\nd{}%s {{.}} ü';

const LIMIT_MS = 120_000;

describe.skipIf(!hasPrometheus || pgbouncerVersion === null || postgres === null)(
  'metrics, as a real Prometheus sees them, of a real PostgreSQL and PgBouncer under load',
  () => {
    let own: OwnDatabase;
    let busyDatabase: OwnDatabase;
    let pgbouncer: PgBouncer;
    let prometheus: Prometheus;
    let published: Published;
    let url: string;
    let defaults: string;
    let load: Load;
    const ended: (() => unknown)[] = [];

    beforeAll(async () => {
      [own, busyDatabase] = [await newDatabase(), await newDatabase()];
      pgbouncer = await startPgBouncer({ default_pool_size: 3 });
      load = new Load(own.url({ port: pgbouncer.port }), busyDatabase.url({ port: pgbouncer.port }));
      published = await publishAt({
        app: { name: 'shop', pid: 42, host: 'here', node: 'v20', startedAtMs: 1 },
        at: { kind: 'port', host: '127.0.0.1', port: 0, token: TOKEN },
        read: () => ({ takenAtMs: Date.now(), pools: load.snapshots(), gaps: [] }),
        clock: systemClock,
      });
      const { user = '', password = '', port } = postgres ?? {};
      const io = testIo({ env: { PGPASSWORD: password, ...TOKEN_ENV } });
      const finished = runMain(
        { commands, version: () => '1' },
        [
          ...['metrics', 'serve', '--port', '0', '--format', 'json', '--timeout', '1500ms'],
          ...['--source', `pool:${published.address}`],
          ...['--source', `pgbouncer://${user}@127.0.0.1:${pgbouncer.port}/`],
          ...['--source', `postgres://${user}@127.0.0.1:${port}/${own.name}`],
          ...['--source', 'pool:/nowhere/at/all.sock'],
        ],
        io,
      );
      ended.push(async () => {
        io.interrupts.receive('SIGINT');
        expect(await finished).toBe(0);
        // Said once, however many scrapes there were.
        expect(io.err()).toMatch(/^poolctl: pool:\/nowhere\/at\/all\.sock cannot be read: [^\n]*\n$/);
      });
      await eventually(() => io.out() !== '' || io.err() !== '');
      ({ url } = JSON.parse(io.out()) as { url: string });
      await load.connect();
      defaults = await (await fetch(url)).text();
      await load.start();
      prometheus = await startPrometheus(new URL(url).host, alertsYaml());
    }, LIMIT_MS);
    afterAll(async () => {
      await prometheus?.stop();
      for (const end of ended) await end();
      await load?.stop();
      published?.close();
      await pgbouncer?.stop();
    }, LIMIT_MS);

    it('its text is what promtool wants', async () => {
      const text = await (await fetch(url)).text();
      expect(promtool(['check', 'metrics'], { input: text })).toEqual({ code: 0, text: '' });
      expect(text).not.toContain(postgres?.password);
    });

    it(
      'all queries of the dashboard give the expected values',
      async () => {
        const queries = queriesOf();
        expect(queries.length).toBeGreaterThan(30);
        /** Those whose answer is not yet what is expected: rates need some scrapes. */
        const missing = async (): Promise<readonly string[]> => {
          const answers = await Promise.all(
            queries.map(async ({ expr, panel }) => {
              const series = await prometheus.query(expr);
              const expected = EXPECTED[panel];
              if (expected === undefined) return [`${panel}: nothing is expected of it`];
              const values = series.filter(({ labels }) => isOf(labels)).map(({ value }) => value);
              return values.length > 0 && expected(values, expr)
                ? []
                : [`${panel}: ${expr} = ${JSON.stringify(series)}`];
            }),
          );
          return answers.flat();
        };
        let last: readonly string[] = [];
        await eventually(async () => {
          last = await missing();
          return last.length === 0;
        }, 60_000).catch(() => {});
        expect(last).toEqual([]);
      },
      LIMIT_MS,
    );

    it(
      'all rules of the alerts are evaluated without an error',
      async () => {
        let states = new Map<string, string>();
        const active = ['PoolSaturated', 'PgBouncerSaturated', 'PoolSourceDown', 'PoolTimeouts'];
        await eventually(async () => {
          const evaluated = await prometheus.rules();
          expect(evaluated.filter(({ health }) => health === 'err')).toEqual([]);
          states = new Map(evaluated.map(({ name, state }) => [name, state]));
          return (
            active.every((name) => states.get(name) !== 'inactive') && states.get('PoolTimeouts') === 'firing'
          );
        });
        expect(states.get('PostgresConnectionsNearLimit')).toBe('inactive');
        expect(states.get('PgBouncerPaused')).toBe('inactive');
      },
      LIMIT_MS,
    );

    it('on an install with one connection no alert fires, for an hour', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'poolctl-alerts-'));
      const samples = parseExposition(defaults, ['poolctl_', 'pgbouncer_']).filter(
        ({ labels }) => labels.source !== 'pool:/nowhere/at/all.sock',
      );
      expect(samples.find(({ name }) => name === 'poolctl_pool_checked_out')).toMatchObject({ value: 1 });
      const series = samples.map(({ name, labels, value }) => ({
        series: `${name}{${Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`)}}`,
        values: `${value}+0x60`,
      }));
      await writeFile(join(folder, 'rules.yml'), alertsYaml());
      await writeFile(
        join(folder, 'tests.yml'),
        JSON.stringify({
          rule_files: ['rules.yml'],
          tests: [
            {
              interval: '1m',
              input_series: series,
              promql_expr_test: [{ expr: 'ALERTS', eval_time: '1h', exp_samples: [] }],
            },
          ],
        }),
      );
      expect(promtool(['test', 'rules', 'tests.yml'], { cwd: folder })).toMatchObject({ code: 0 });
      await rm(folder, { recursive: true });
    });

    it('poolctl top reads the exporter as it reads the sources themselves', async () => {
      const { user = '', password = '' } = postgres ?? {};
      const read = async (address: string): Promise<Reading> => {
        await using source = openSource(address, {
          env: { PGPASSWORD: password, ...TOKEN_ENV },
          clock: systemClock,
        });
        return await source.read(new AbortController().signal);
      };
      const through = await read(`prometheus:${url}`);
      const direct = await read(`pool:${published.address}`);
      const pooler = await read(`pgbouncer://${user}@127.0.0.1:${pgbouncer.port}/`);
      const held = through.pools.find(({ name }) => name.startsWith('held'));
      const heldDirectly = direct.pools.find(({ name }) => name.startsWith('held'));
      const { takenAtMs, holders, wait, hold, app, longestWaitMs, longestHoldMs, closed, ...metered } =
        heldDirectly ?? ({} as PoolReading);
      const { checking, resetting, closing, ...same } = metered;
      expect(held).toMatchObject({ ...same, name: 'held (shop)' });
      expect(held?.wait).toMatchObject({ count: wait?.count });
      expect(held?.wait?.sumUs).toBeCloseTo(wait?.sumUs ?? 0, 0);
      expect(through.pooler).toMatchObject({
        version: pooler.pooler?.version,
        maxClients: pooler.pooler?.maxClients,
      });
      const pairOf = (reading: Reading) => {
        const pair = reading.pooler?.pools.find(({ database }) => database === own.name);
        return pair === undefined ? null : { ...pair, longestWaitMs: 0 };
      };
      expect(pairOf(through)).toEqual(pairOf(pooler));
      expect(pairOf(through)).toMatchObject({ mode: 'transaction' });
      expect(through.pooler?.databases.find(({ name }) => name === own.name)).toMatchObject({
        size: 3,
        paused: false,
      });
    });

    /** Of what the test knows the figures of. */
    function isOf(labels: Readonly<Record<string, string>>): boolean {
      const { pool_name: pool, database, source = '' } = labels;
      if (pool !== undefined) return pool === 'held' || pool === 'busy';
      if (database !== undefined) return database === own.name || database === busyDatabase.name;
      return !source.startsWith('pool:');
    }
  },
);

/** Two pools of an application: one that is held, with callers that wait, and one that is busy. */
class Load {
  readonly #held: Database;
  readonly #busy: Database;
  readonly #waiters: pg.Client[] = [];
  /** One that nobody keeps is collected, and so is its lease. */
  readonly #sessions: Session[] = [];
  readonly #stop = new AbortController();
  readonly #work: Promise<unknown>[] = [];
  readonly #url: string;

  constructor(heldUrl: string, busyUrl: string) {
    this.#url = heldUrl;
    this.#held = createDatabase(heldUrl, { size: 2, maxOverflow: 1, name: 'held', timeoutMs: 600_000 });
    this.#busy = createDatabase(busyUrl, { size: 1, maxOverflow: 1, name: 'busy', timeoutMs: 600_000 });
  }

  snapshots(): readonly WatchedSnapshot[] {
    const [held, busy] = [this.#held, this.#busy].map(({ pool }) => ({ ...pool.snapshot(), holders: [] }));
    if (held === undefined || busy === undefined) return [];
    return [held, busy, { ...busy, name: HOSTILE }];
  }

  /** One connection, in use. */
  async connect(): Promise<void> {
    const session = await this.#held.getDb();
    this.#sessions.push(session);
    await session.query('begin');
    await session.query('select 1');
  }

  async start(): Promise<void> {
    for (let i = 0; i < 2; i++) await this.connect();
    // Two wait in the application, and two in PgBouncer, all of whose servers are out.
    const { signal } = this.#stop;
    for (let i = 0; i < 2; i++) this.#work.push(this.#held.getDb({ signal }).catch(() => {}));
    for (let i = 0; i < 2; i++) {
      const client = new pg.Client({ connectionString: this.#url });
      client.on('error', () => {});
      await client.connect();
      this.#waiters.push(client);
      this.#work.push(client.query('select 1').catch(() => {}));
    }
    for (let i = 0; i < 4; i++) this.#work.push(this.#runBusy(i));
  }

  async #runBusy(worker: number): Promise<void> {
    const { signal } = this.#stop;
    for (let i = 0; !signal.aborted; i++) {
      if (worker === 3) {
        await this.#busy.getDb({ timeoutMs: 1, signal }).then(
          (session) => session.close(),
          () => {},
        );
      } else {
        const lease = await this.#busy.pool.acquire({ signal }).catch(() => null);
        if (lease === null) return;
        await lease.resource.query('select pg_sleep(0.01)', undefined, { signal }).catch(() => {});
        if (i % 10 === 9) lease.invalidate();
        else lease.release();
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#sessions.length = 0;
    await Promise.all([this.#held.close({ graceMs: 0 }), this.#busy.close({ graceMs: 0 })]);
    await Promise.all(this.#waiters.map((client) => client.end()));
    await Promise.all(this.#work);
  }
}

interface PanelQuery {
  readonly panel: string;
  readonly expr: string;
}

/** As Grafana would ask, with nothing chosen. */
function queriesOf(): readonly PanelQuery[] {
  const { panels } = dashboard() as {
    panels: readonly { title: string; targets?: readonly { expr: string; legendFormat: string }[] }[];
  };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({
      panel: `${title}: ${legendFormat.replace(/ ?\{\{\w+\}\}/g, '')}`,
      expr: expr
        .replaceAll('$__rate_interval', '10s')
        .replace(/\$(job|instance|source|pool|database)/g, '.*'),
    })),
  );
}

const has =
  (...wanted: readonly number[]) =>
  (values: readonly number[]): boolean =>
    wanted.every((value) => values.includes(value));
const some =
  (is: (value: number) => boolean) =>
  (values: readonly number[]): boolean =>
    values.some(is);
const positive = some((value) => value > 0);
const all =
  (is: (value: number) => boolean) =>
  (values: readonly number[]): boolean =>
    values.every(is);

/** By panel and legend. The pool `held` has 3 of 2 + 1 out, and 2 wait; PgBouncer has 3 servers, and 2 wait. */
const EXPECTED: Readonly<Record<string, (values: readonly number[], expr: string) => boolean>> = {
  'Pool utilization: ': has(100),
  'Connections waiting: ': has(2),
  'PgBouncer max wait time: ': positive,
  'Sources that cannot be read: down': has(1),
  'Connection status: checked out': has(3),
  'Connection status: waiting': has(2),
  'Connection status: size': has(1, 2),
  'Connection status: capacity': has(2, 3),
  'Connection operations: checkouts': some((value) => value > 10),
  'Connection operations: checkins': positive,
  'Connection operations: connects': positive,
  'Connection operations: disconnects': positive,
  'Connection checkout duration: p50': some((value) => value > 0 && value < 10),
  'Connection checkout duration: p95': some((value) => value > 0 && value < 10),
  'Connection checkout duration: p99': some((value) => value > 0 && value < 10),
  'Time for which connections are held: ': some((value) => value >= 0.005),
  'Invalidations and errors: invalidations': positive,
  'Invalidations and errors: timeouts': positive,
  'Invalidations and errors: failed connects': all((value) => value === 0),
  'Invalidations and errors: leaks': all((value) => value === 0),
  'PgBouncer clients: active': has(3),
  'PgBouncer clients: waiting': has(2),
  'PgBouncer servers: active': has(3),
  'PgBouncer servers: free': has(0),
  'PgBouncer servers: pool size': has(3),
  'PgBouncer databases: open': has(3),
  'PgBouncer databases: pool size': has(3),
  'PgBouncer databases: paused': has(0),
  'PgBouncer transactions and queries: transactions': some((value) => value > 10),
  'PgBouncer transactions and queries: queries': some((value) => value > 10),
  // Two clients wait all the time, once they have been given a server or given up: until then PgBouncer counts nothing.
  'PgBouncer: waiting and busy: waiting': all((value) => value >= 0),
  'PgBouncer: waiting and busy: busy': positive,
  'PostgreSQL connections: used': some((value) => value >= 5),
  'PostgreSQL connections: limit': has(57),
  'PostgreSQL backends: ': has(3),
  'Longest idle in transaction: ': positive,
  'Lock waiters: ': has(0),
};
