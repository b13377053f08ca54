import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { Diagnosis } from '../../src/diagnosis/diagnose.js';
import { bin, root, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/guarded.js';
import { testIo } from '../helpers/io.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { ask, connectAdmin, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';

const APP = join(root, 'test/cli/top-causes-app.mjs');

describeWithPgBouncer('poolctl top --once, of a real application whose pool has run dry', () => {
  let own: OwnDatabase;
  /** One with as many connections as the server, and one with two. */
  let wide: PgBouncer;
  let narrow: PgBouncer;
  /** Takes seven connections of ordinary roles. */
  let tiny: PostgresServer;
  let folder: string;
  let ends: (() => Promise<unknown>)[];

  beforeAll(async () => {
    [own, wide, narrow, tiny] = await Promise.all([
      newDatabase(),
      startPgBouncer(),
      startPgBouncer({ default_pool_size: 2 }),
      startPostgres(['max_connections=10']),
    ]);
    const admin = await connectAdmin(own.name);
    await admin.query('create table accounts (id int primary key, balance int)');
    await admin.query('insert into accounts select i, 0 from generate_series(1, 9) i');
    await admin.end();
    const keeper = await connectAdmin('postgres', tiny);
    await keeper.query("create role app login password 'app'; create role monitor login password 'app'");
    await keeper.query('grant pg_monitor to monitor');
    await keeper.end();
  });
  afterAll(async () => {
    await Promise.all([wide?.stop(), narrow?.stop(), tiny?.remove()]);
  });
  beforeEach(async () => {
    ends = [];
    folder = await mkdtemp(join(tmpdir(), 'poolctl-causes-'));
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${own.name}'`);
    await rm(folder, { recursive: true, force: true });
  });

  /** An application in that state, as a user would start it. */
  const startIn = (state: string, url: string, ...options: string[]): void => {
    const argv = ['run', '--name', 'shop', ...options, '--', process.execPath, APP, url, state];
    const app = start(bin, argv, { env: { XDG_RUNTIME_DIR: folder } });
    ends.push(() => {
      app.child.kill('SIGTERM');
      return app.finished;
    });
  };
  /** What `poolctl top --once --json` says of these; null where there is nothing to read yet. */
  const diagnosisOf = async (...sources: string[]): Promise<Diagnosis | null> => {
    const io = testIo({ cwd: root, env: { XDG_RUNTIME_DIR: folder } });
    const own = { ...io, user: { ...io.user, uid: process.getuid?.() ?? null } };
    const argv = ['top', '--once', '--json', '--interval', '250ms', ...sources];
    await runMain({ commands, version: () => '1.2.3' }, argv, own);
    if (io.out() === '') return null;
    return (JSON.parse(io.out()) as { diagnosis: Diagnosis }).diagnosis;
  };
  /** Resolves when it says so. Until the application is in its state, it may say something else. */
  const says = async (cause: Diagnosis['cause'], words: RegExp, ...sources: string[]): Promise<void> => {
    let last: Diagnosis | null = null;
    const isSaid = async (): Promise<boolean> => {
      // Its socket is there as soon as it has a pool.
      last = await diagnosisOf('pool:', ...sources);
      return last !== null && words.test(last.words);
    };
    await eventually(isSaid).catch(() => {
      expect(last).toMatchObject({ cause, words: expect.stringMatching(words) as string });
    });
    expect(last).toMatchObject({ cause, severity: 'bad' });
  };
  const console = ({ port }: PgBouncer): string =>
    own.url({ port }).replace('postgres:', 'pgbouncer:').replace(own.name, 'pgbouncer');
  const through = ({ port }: PgBouncer): string => own.url({ port });
  const lineOf = async (code: string): Promise<number> =>
    (await readFile(APP, 'utf8')).split('\n').findIndex((line) => line.includes(code)) + 1;

  it('leak: names the line that keeps what it acquires', async () => {
    startIn('leak', through(wide), '--leak-after', '300ms');
    const line = (await lineOf('function reserve(')) + 1;
    await says(
      'leak-missing-release',
      new RegExp(
        `: exhausted; 3 of 3 leases held too long by test/cli/top-causes-app\\.mjs:${line}; 4 waiting`,
      ),
      console(wide),
      own.url(),
    );
  });

  it('lock waits: names who holds the lock, and says that a bigger pool gains nothing', async () => {
    const blocker = await connectAdmin(own.name);
    ends.push(() => blocker.end());
    await blocker.query('begin');
    const { rows } = await blocker.query<{ pid: number }>('select pg_backend_pid() as pid');
    await blocker.query('update accounts set balance = 0 where id = 1');
    startIn('locks', through(wide));
    await says(
      'lock-chain-row',
      new RegExp(
        `3 of 3 leases wait for locks held \\(pid ${rows[0]?.pid}, idle in transaction for .*\\); 4 waiting; a bigger pool gains nothing`,
      ),
      console(wide),
      own.url(),
    );
  });

  it('slow queries: quotes the query', async () => {
    startIn('slow', own.url());
    await says(
      'slow-query',
      /5 of 5 leases in queries > 1\.0s, the longest .*: select count\(\*\), pg_sleep\(600\) from accounts; 4 waiting/,
      own.url(),
    );
  });

  it('pool too small: tells how often its leases turn over', { retry: 2 }, async () => {
    startIn('small', own.url());
    await says(
      'pool-too-small',
      /: exhausted; 2 leases turn over at \d+\/s, held [\d.]+ms each, none slow; 10 waiting/,
      own.url(),
    );
  });

  it('pooler queue: tells how many leases wait for how many server connections', async () => {
    startIn('pooler', through(narrow));
    await says(
      'pooler-pool-too-small',
      /: exhausted; [3-6] of 6 leases queue in PgBouncer for 2 server connections; \d waiting/,
      console(narrow),
      own.url(),
    );
  });

  it('slow queries behind the pooler are no queue of its own making', async () => {
    startIn('slow', through(narrow));
    await says(
      'slow-query',
      /: exhausted; 3 of 5 leases queue in PgBouncer for 2 server connections; 2 of 2 active backends in queries > 1\.0s, the longest .*: select count.*; 4 waiting/,
      console(narrow),
      own.url(),
    );
  });

  it('database limit: tells the words of the server, and who has its connections', async () => {
    const { port, user, password } = tiny;
    const urlOf = (role: string, secret: string): string =>
      `postgres://${role}:${encodeURIComponent(secret)}@127.0.0.1:${port}/postgres?application_name=shop`;
    startIn('limit', urlOf('app', 'app'));
    // The look itself has one of ten. If it connects before the application has seven, the application gets six.
    await says(
      'fleet-exceeds-server',
      /: cannot grow beyond [67]; the database refuses connections \(.*(connection slots|too many clients).*\); all 7 connections of the database for ordinary roles are in use, [67] of them by shop \(max_connections 10, 3 reserved, \d+ in use\); none waiting/,
      urlOf(user, password),
    );
    // A role that has none of the reserved connections is refused as well.
    await says('fleet-exceeds-server', /the database refuses connections/, urlOf('monitor', 'app'));
    expect(await diagnosisOf(urlOf('monitor', 'app'))).toMatchObject({
      ...{ severity: 'bad', cause: 'fleet-exceeds-server' },
      words: expect.stringMatching(
        /: the database refuses connections \(.*(connection slots|too many clients)/,
      ) as string,
    });
  });

  it('server down: nobody has to wait to be told so', async () => {
    const port = await freePort();
    startIn('limit', own.url({ port }));
    await says(
      'server-down',
      new RegExp(
        `: cannot grow beyond 0; nothing listens there: the server is down, or elsewhere \\(connect ECONNREFUSED 127\\.0\\.0\\.1:${port}\\); none waiting$`,
      ),
    );
  });

  it('held through other work: where leases are idle, but not for long, it names their line', async () => {
    startIn('elsewhere', own.url());
    const line = (await lineOf('function ask(')) + 1;
    await says(
      'connection-held-through-other-work',
      new RegExp(
        `3 of 3 leases idle while they are held, for up to .* by test/cli/top-causes-app\\.mjs:${line}; 4 waiting$`,
      ),
      own.url(),
    );
  });
});
