import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { Reading } from '../../src/snapshot/reading.js';
import { type Chain, joinReadings } from '../../src/sources/join.js';
import { openSource } from '../../src/sources/registry.js';
import { eventually } from '../helpers/eventually.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { ask, connectAdmin, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { type App, startApp } from './apps.js';

describeWithPgBouncer('the join, of two applications that share one line of code', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  let folder: string;
  let apps: App[];

  beforeAll(async () => {
    own = await newDatabase();
    pgbouncer = await startPgBouncer({ default_pool_size: 3 });
  });
  afterAll(async () => {
    await pgbouncer?.stop();
  });
  beforeEach(async () => {
    apps = [];
    folder = await mkdtemp(join(tmpdir(), 'poolctl-join-'));
    const admin = await connectAdmin(own.name);
    await admin.query(
      'drop table if exists accounts; create table accounts (id int primary key, balance int)',
    );
    await admin.query('insert into accounts select i, 0 from generate_series(1, 9) i');
    await admin.end();
  });
  afterEach(async () => {
    for (const app of apps) await app.end();
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${own.name}'`);
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (name: string, options: { port?: number; params?: string; max?: number } = {}) => {
    const app = await startApp({
      name,
      url: own.url(options),
      folder,
      ...(options.max === undefined ? {} : { max: options.max }),
    });
    apps.push(app);
    return app;
  };
  const pooled = () => start('pooled', { port: pgbouncer.port });
  const update = (id: number): string => `update accounts set balance = balance + 1 where id = ${id}`;
  const isWaiting = (pid: number) =>
    eventually(async () => {
      const { rowCount } = await ask(
        `select 1 from pg_stat_activity where pid = ${pid} and wait_event_type = 'Lock'`,
      );
      return rowCount === 1;
    });
  const serverAddress = (): string => own.url();
  const poolerAddress = (): string =>
    own.url({ port: pgbouncer.port }).replace('postgres:', 'pgbouncer:').replace(own.name, '');
  const read = async (addresses: readonly string[]): Promise<readonly Reading[]> => {
    const readings: Reading[] = [];
    for (const address of addresses) {
      await using source = openSource(address, { env: {}, clock: systemClock });
      readings.push(await source.read(new AbortController().signal));
    }
    return readings;
  };
  const chainsOf = async (...addresses: string[]): Promise<readonly Chain[]> =>
    joinReadings(await read([...apps.map(({ address }) => address), ...addresses]));
  const kinds = (chain: Chain | undefined) => chain?.hops.map(({ kind }) => kind);
  const ofApp = (chains: readonly Chain[], name: string) =>
    chains.filter(({ lease }) => lease.pool.app?.name === name);

  it('each leaked lease is followed to its own backend, and to the transaction that it blocks', async () => {
    const [behind, direct] = [await pooled(), await start('direct')];
    const leaked = { pooled: await behind.begin(update(1)), direct: await direct.begin(update(2)) };
    await leaked.pooled.done();
    await leaked.direct.done();
    // Each waits for what the other has leaked.
    const waiting = { pooled: await behind.begin(update(2)), direct: await direct.begin(update(1)) };
    await isWaiting(waiting.pooled.backendPid);
    await isWaiting(waiting.direct.backendPid);

    const chains = await chainsOf(poolerAddress(), serverAddress());
    const sites = new Set(chains.map(({ lease }) => lease.holder.site));
    expect(sites.size).toBe(1);
    expect([...sites][0]).toContain('test/sources/app.mjs:');

    const chainTo = (name: string, pid: number): Chain | undefined =>
      ofApp(chains, name).find(({ backend }) => backend?.backend.pid === pid);
    const ofPooled = chainTo('pooled', leaked.pooled.backendPid);
    const ofDirect = chainTo('direct', leaked.direct.backendPid);
    expect(chains).toHaveLength(4);
    expect(kinds(ofPooled)).toEqual(['lease', 'client', 'server', 'backend']);
    expect(kinds(ofDirect)).toEqual(['lease', 'backend']);
    expect(ofPooled?.backend?.backend).toMatchObject({ state: 'idle in transaction', query: update(1) });
    expect(ofPooled?.blocks).toMatchObject([
      {
        pid: waiting.direct.backendPid,
        backend: { waitType: 'Lock', query: update(1) },
        lease: { pool: { app: { name: 'direct', pid: direct.pid } } },
        gap: null,
      },
    ]);
    expect(ofDirect?.blocks).toMatchObject([
      { pid: waiting.pooled.backendPid, lease: { pool: { app: { name: 'pooled', pid: behind.pid } } } },
    ]);
    const waiter = chainTo('pooled', waiting.pooled.backendPid);
    expect(kinds(waiter)).toEqual(['lease', 'client', 'server', 'backend']);
    expect(waiter?.blockedBy).toMatchObject([
      { pid: leaked.direct.backendPid, lease: { pool: { app: { name: 'direct' } } }, gap: null },
    ]);
    expect(waiter?.blockedBy[0]?.lease?.holder).toEqual(ofDirect?.lease.holder);
  });

  it('each hop that cannot be joined says why', async () => {
    const [behind, direct] = [await pooled(), await start('direct')];
    for (const app of [behind, direct]) await (await app.begin('select 1')).done();
    const whyOf = (chains: readonly Chain[], name: string) => {
      const last = ofApp(chains, name)[0]?.hops.at(-1);
      return last?.kind === 'broken' ? `${last.to}: ${last.why}` : last?.kind;
    };
    const alone = await chainsOf();
    expect(whyOf(alone, 'pooled')).toMatch(
      /^client: neither .* is watched: add postgres:\/\/ or pgbouncer:\/\/$/,
    );
    const withServer = await chainsOf(serverAddress());
    expect(whyOf(withServer, 'direct')).toBe('backend');
    expect(whyOf(withServer, 'pooled')).toMatch(/^client: no backend .* add its pgbouncer:\/\/ address$/);
    const withPooler = await chainsOf(poolerAddress());
    expect(whyOf(withPooler, 'pooled')).toBe(
      'backend: no PostgreSQL server is watched: add its postgres:// address',
    );
    expect(whyOf(withPooler, 'direct')).toMatch(/^client: nobody watched .* add its postgres:\/\/ address/);
  });

  it('a lease that waits in the queue of PgBouncer says so', async () => {
    const behind = await pooled();
    for (let i = 0; i < 3; i++) await (await behind.begin('select 1')).done();
    const fourth = behind.begin('select 1');
    const queued = async () => {
      const last = (await chainsOf(poolerAddress(), serverAddress())).at(-1)?.hops.at(-1);
      return (
        last?.kind === 'broken' && last.to === 'server' && /^it waits in PgBouncer's queue/.test(last.why)
      );
    };
    await eventually(queued);
    await behind.end();
    await expect(fourth).rejects.toThrow();
  });

  it('where PgBouncer adds the port to the name, the server alone is enough', async () => {
    const naming = await startPgBouncer({ application_name_add_host: 1 });
    const app = await start('naming', { port: naming.port, params: '?application_name=shop' });
    const lease = await app.begin(update(3));
    await lease.done();
    const [chain] = await chainsOf(serverAddress());
    expect(chain?.hops.at(-1)).toMatchObject({
      ...{ kind: 'backend', by: 'name', backend: { pid: lease.backendPid, query: update(3) } },
    });
    await app.end();
    await naming.stop();
  });

  it('over a Unix socket the process is known: its one lease is followed, several cannot be told apart', async () => {
    const place = await mkdtemp(join(tmpdir(), 'poolctl-unix-'));
    await chmod(place, 0o777);
    const local = await startPgBouncer({ unix_socket_dir: place });
    const at = `@${encodeURIComponent(place)}:${local.port}/`;
    const app = await startApp({ name: 'local', url: own.url().replace(/@[^@]*\//, at), folder });
    apps.push(app);
    const lease = await app.begin(update(4));
    await lease.done();
    const console = own.url({ port: local.port }).replace('postgres:', 'pgbouncer:').replace(own.name, '');
    const [chain] = await chainsOf(console, serverAddress());
    expect(kinds(chain)).toEqual(['lease', 'client', 'server', 'backend']);
    expect(chain?.backend?.backend.pid).toBe(lease.backendPid);
    await (await app.begin(update(5))).done();
    const [first] = await chainsOf(console, serverAddress());
    expect(first?.hops.at(-1)).toMatchObject({
      why: expect.stringMatching(/^process \d+ has 2 connections to PgBouncer's Unix socket/),
    });
    await app.end();
    await local.stop();
    await rm(place, { recursive: true, force: true });
  });
});
