import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { bin, root, start } from '../helpers/bin.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { ask, connectAdmin, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import { startInTerminal, type TerminalRun } from '../helpers/terminal.js';
import { type App, startApp } from '../sources/apps.js';

const SIZE = { columns: 160, rows: 50 };

describeWithPgBouncer('poolctl top on a real server, pooler and application', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  let folder: string;
  let ends: (() => Promise<unknown>)[];

  beforeAll(async () => {
    own = await newDatabase();
    pgbouncer = await startPgBouncer();
    const admin = await connectAdmin(own.name);
    await admin.query('create table accounts (id int primary key, balance int)');
    await admin.query('insert into accounts select i, 0 from generate_series(1, 9) i');
    await admin.end();
  });
  afterAll(async () => {
    await pgbouncer?.stop();
  });
  beforeEach(async () => {
    ends = [];
    folder = await mkdtemp(join(tmpdir(), 'poolctl-top-'));
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${own.name}'`);
    await rm(folder, { recursive: true, force: true });
  });

  const startApplication = async (): Promise<App> => {
    const app = await startApp({ name: 'shop', url: own.url({ port: pgbouncer.port }), folder, max: 3 });
    ends.push(() => app.end());
    return app;
  };
  const top = (...argv: string[]): TerminalRun => {
    const run = startInTerminal(['top', '--interval', '250ms', ...argv], {
      ...SIZE,
      env: { XDG_RUNTIME_DIR: folder },
    });
    ends.push(async () => {
      run.type('q');
      await run.ended;
    });
    return run;
  };
  const pooler = (): string =>
    own.url({ port: pgbouncer.port }).replace('postgres:', 'pgbouncer:').replace(own.name, 'pgbouncer');
  const update = (id: number): string => `update accounts set balance = balance + 1 where id = ${id}`;

  it('leads from the line of code through PgBouncer to the backend and to whom it blocks', async () => {
    const app = await startApplication();
    const blocker = await app.begin(update(1));
    await blocker.done();
    const waiter = await app.begin(update(1));
    const run = top(app.address, pooler(), own.url());
    await run.shows(/shop-|pool/);
    run.type('4');
    await run.shows(new RegExp(`└─${waiter.backendPid} .*app\\.mjs:\\d+`));
    await run.shows(new RegExp(`${blocker.backendPid} .*idle in tx .*app\\.mjs:\\d+`));
    run.type('2');
    await run.shows(/app\.mjs:\d+ .*idle in tx .*update accounts/);
    run.type('/idle in tr\r\r');
    await run.shows(/pooler +.*client postgres@/);
    await run.shows(new RegExp(`backend +${blocker.backendPid} of .*idle in transaction`));
    await run.shows(new RegExp(`blocks +${waiter.backendPid} .*app\\.mjs:\\d+`));
    run.type('5');
    await run.shows(new RegExp(`${own.name} +postgres +transaction`));
    run.type('q');
    expect(await run.ended).toBe(0);
    expect(run.output()).not.toContain('\x1b[3J');
  });

  it('finds the application by itself, and marks it ended when that is killed', async () => {
    const app = await startApplication();
    await (await app.begin(update(2))).done();
    const run = top();
    run.type('2');
    await run.shows(/app\.mjs:\d+/);
    app.child.kill('SIGKILL');
    await run.shows(/1 process has ended/);
    run.type('6');
    await run.shows(/… has ended/);
    // It goes on: keys still work, and what was read last is still there.
    run.type('2');
    await run.shows(/app\.mjs:\d+/);
  });

  it('names both leaks of an unmodified application, and the one that blocks', async () => {
    const shop = join(root, 'test/cli/top-shop.mjs');
    const script = await readFile(shop, 'utf8');
    const lineOf = (name: string): number => {
      const lines = script.split('\n');
      return lines.findIndex((line) => line.includes(`function ${name}(`)) + 2;
    };
    const argv = ['run', '--leak-after', '200ms', '--name', 'shop', '--', process.execPath, shop];
    const app = start(bin, [...argv, own.url({ port: pgbouncer.port })], {
      env: { XDG_RUNTIME_DIR: folder },
    });
    let said = '';
    app.child.stderr?.on('data', (text: string) => {
      said += text;
    });
    const calls: Promise<unknown>[] = [];
    ends.push(async () => {
      app.child.kill('SIGTERM');
      await Promise.all([app.finished, ...calls]);
    });
    await app.seen('listening on');
    const port = /listening on (\d+)\./.exec(said)?.[1];
    const call = (route: string): Promise<unknown> =>
      fetch(`http://127.0.0.1:${port}/${route}`).then(
        (response) => response.text(),
        () => null,
      );
    await call('refund');
    await call('report');
    for (let at = 0; at < 5; at++) calls.push(call('pay'));

    const run = top('pool:', pooler(), own.url());
    const [refund, report] = [lineOf('refund'), lineOf('report')];
    await run.shows(
      new RegExp(`2 of 3 leases held .*top-shop\\.mjs:${refund} and .*top-shop\\.mjs:${report};`),
    );
    await run.shows(/\(pid \d+, idle in transaction for /);
    await run.shows(/4 waiting; a bigger pool gains nothing/);
    run.type('2');
    await run.shows(new RegExp(`leak .*top-shop\\.mjs:${refund} .*idle in tx .* 1 `));
    await run.shows(new RegExp(`leak .*top-shop\\.mjs:${report} `));
    await run.shows(new RegExp(`top-shop\\.mjs:${lineOf('pay')} .*lock wait`));
  });

  it('ends a backend after a question, where it may', async () => {
    const victim = await connectAdmin(own.name);
    const gone = new Promise((resolve) => victim.once('end', resolve));
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
    const pid = rows[0]?.pid ?? 0;
    const run = top('--allow-actions', own.url());
    run.type('3');
    await run.shows(new RegExp(`${pid} `));
    run.type('/select pg_backend_pid() as pid\r');
    await run.shows(/1 of \d+ rows/);
    run.type('t');
    await run.shows(new RegExp(`End backend ${pid} \\(postgres@${own.name}\\)`));
    run.type('y');
    await gone;
    await run.shows(new RegExp(`backend ${pid}: was ended`));
  });

  it('says what a role without rights cannot see', async () => {
    const role = `${own.name}_weak`;
    await ask(`create role ${role} login password 'weak'`);
    ends.push(() => ask(`drop role ${role}`));
    const url = new URL(own.url());
    url.username = role;
    url.password = 'weak';
    const run = top(url.href);
    run.type('6');
    await run.shows(/not read: .*pg_(read_all_stats|monitor)/);
    run.type('q');
    await run.ended;
  });

  it('shows hostile text of a client as text', async () => {
    const evil = '\x1b]0;taken\x07\x1b[2J\u202e';
    const client = await connectAdmin(own.name);
    ends.push(() => client.end());
    await client.query(`begin; select '${evil}' as evil`);
    const run = top(own.url());
    run.type('3');
    await run.shows(/idle in tx .*begin; select '\\u\{202e/);
    expect(run.output()).not.toContain('\x1b]0;');
    expect(run.output()).not.toContain('\u202e');
    expect(run.output().split('\x1b[2J')).toHaveLength(2);
  });
});

describeWithPgBouncer('poolctl top on a server that is restarted', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.remove());

  it('keeps the last reading, marked, and goes on when the server is back', async () => {
    const { port, user, password } = server;
    const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    const run = startInTerminal(['top', '--interval', '250ms', url], SIZE);
    run.type('3');
    await run.shows(/nothing waits/);
    await server.stop();
    await run.shows(/stale/);
    await server.start();
    run.type('6');
    await run.shows(/is read again/);
    run.type('q');
    expect(await run.ended).toBe(0);
    expect(run.output()).not.toContain(encodeURIComponent(password));
    expect(run.output()).not.toContain(password);
  });
});
