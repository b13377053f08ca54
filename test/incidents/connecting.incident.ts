import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { freePort, serverUser, startGuarded } from '../helpers/guarded.js';
import { connectAdmin } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import { incident, type Lab, printTable } from './lab.js';

/** A server of these incidents' own: they stop it, fill it up, and change its rules. */
describe('incidents of connecting, on PostgreSQL and PgBouncer', () => {
  let server: PostgresServer;
  let admin: Awaited<ReturnType<typeof connectAdmin>>;
  printTable();

  beforeAll(async () => {
    server = await startPostgres([
      'max_prepared_transactions=5',
      'max_connections=40',
      'deadlock_timeout=200ms',
    ]);
    admin = await connectAdmin('postgres', server);
    await admin.query('create database shop');
    await admin.query("create role app login password 'app'");
    await admin.query("create role billing login password 'billing'");
    const shop = await connectAdmin('shop', server);
    await shop.query(
      'create table accounts (id int primary key, balance int); create table log (x int); grant all on all tables in schema public to app, billing; grant create on schema public to app',
    );
    await shop.query('insert into accounts select i, 0 from generate_series(1, 99) i');
    await shop.end();
  });
  // What an application that is gone has left on the server belongs to no later incident.
  afterEach(() =>
    admin.query("select pg_terminate_backend(pid) from pg_stat_activity where usename in ('app', 'billing')"),
  );
  afterAll(async () => {
    await admin.end().catch(() => {});
    await server.remove();
  });

  const url = (user = 'app', password = user, port = server.port, database = 'shop'): string =>
    `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  const root = (): string =>
    `postgres://${server.user}:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}/shop`;
  const run = async (sql: string): Promise<void> => void (await admin.query(sql));
  /** Statements of the superuser now, and others when the incident is over. */
  const set = async (lab: Lab, now: string[], after: string[]): Promise<void> => {
    for (const one of now) await run(one);
    lab.defer(async () => {
      for (const one of after) await run(one);
    });
  };
  /** The statements that the doctor prints, as they stand. */
  const apply = async (steps: Awaited<ReturnType<Lab['look']>>['steps']): Promise<void> => {
    const shop = await connectAdmin('shop', server);
    try {
      for (const { kind, text } of steps) if (kind === 'sql') await shop.query(text);
    } finally {
      await shop.end();
    }
  };
  const bouncer = async (
    lab: Lab,
    settings: Record<string, string | number> = {},
    {
      users = '"app" "app"\n"billing" "billing"\n"admin" "admin"\n',
      database = '* = host=127.0.0.1 port=PORT',
    } = {},
  ): Promise<{ app: string; console: string; file: string }> => {
    const port = await freePort();
    const user = serverUser();
    const file = join(lab.folder, 'pgbouncer.ini');
    const all = {
      ...{ listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'scram-sha-256' },
      ...{
        auth_file: join(lab.folder, 'users'),
        admin_users: 'admin',
        pool_mode: 'transaction',
        server_login_retry: 3,
      },
      ...settings,
    };
    const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}`);
    await writeFile(
      file,
      ['[databases]', database.replace('PORT', String(server.port)), '[pgbouncer]', ...lines, ''].join('\n'),
    );
    await writeFile(join(lab.folder, 'users'), users);
    for (const path of [lab.folder, file, join(lab.folder, 'users')]) {
      await chmod(path, path === lab.folder ? 0o755 : 0o700);
      if (user.uid !== undefined && user.gid !== undefined && path !== lab.folder)
        await chown(path, user.uid, user.gid);
    }
    const running = await startGuarded(['pgbouncer', file], {
      ...{ user, folder: join(lab.folder, 'none'), stopSignal: 'INT', ready: /process up/ },
    });
    lab.defer(() => running.stop());
    return { app: url('app', 'app', port), console: `pgbouncer://admin:admin@127.0.0.1:${port}/`, file };
  };

  incident('wrong password', async (lab) => {
    await set(lab, ["alter role app password 'other'"], ["alter role app password 'app'"]);
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'fresh']);
    await lab.expect('wrong-password');
  });
  incident('no pg_hba entry', async (lab) => {
    const path = (await admin.query('show hba_file')).rows[0]?.hba_file as string;
    const { readFile } = await import('node:fs/promises');
    const before = await readFile(path, 'utf8');
    await writeFile(
      path,
      `hostssl shop app all scram-sha-256\nhost shop ${server.user} all scram-sha-256\nhost postgres all all scram-sha-256\nlocal all all trust\n`,
    );
    await run('select pg_reload_conf()');
    lab.defer(async () => {
      await writeFile(path, before);
      await run('select pg_reload_conf()');
    });
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'fresh']);
    await lab.expect('pg-hba-no-entry');
  });
  incident('a certificate that is not trusted', async (lab) => {
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'tls']);
    await lab.expect('tls-mismatch');
  });
  incident('no TLS where the client wants it', async (lab) => {
    const { app } = await bouncer(lab);
    lab.app('pg-app.mjs', [app, 'tls']);
    await lab.expect('tls-mismatch');
  });
  incident('a role that may not log in', async (lab) => {
    await set(lab, ['alter role app nologin'], ['alter role app login']);
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'read']);
    const { steps } = await lab.expect('role-cannot-connect');
    await apply(steps);
    await lab.expect(null);
  });
  incident('a database that is missing', async (lab) => {
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url('app', 'app', server.port, 'nowhere'), 'one']);
    lab.defer(() => run('drop database if exists nowhere with (force)'));
    const { steps } = await lab.expect('database-missing');
    await apply(steps);
    await lab.expect(null);
  });
  incident('a name that no resolver knows', async (lab) => {
    lab.app('pg-app.mjs', ['postgres://app:app@db.invalid:5432/shop', 'fresh']);
    await lab.expect('host-unknown');
  });
  incident('a resolver that loses look-ups', async (lab) => {
    lab.app('pg-app.mjs', ['postgres://app:app@db.internal:5432/shop', 'slowDns']);
    await lab.expect('slow-dns');
  });
  incident('a role at its limit', async (lab) => {
    await set(lab, ['alter role app connection limit 1'], ['alter role app connection limit -1']);
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'sleep']);
    await lab.expect('role-connection-limit');
  });
  incident('a database at its limit', async (lab) => {
    await set(lab, ['alter database shop connection limit 1'], ['alter database shop connection limit -1']);
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'sleep']);
    await lab.expect('database-connection-limit');
  });
  incident('a full server', async (lab) => {
    lab.sources = [root()];
    const others: Awaited<ReturnType<typeof connectAdmin>>[] = [];
    for (let n = 0; n < 34; n++)
      others.push(await connectAdmin('shop', { ...server, user: 'billing', password: 'billing' }));
    lab.defer(() => Promise.all(others.map((one) => one.end())));
    lab.app('pg-app.mjs', [url(), 'idle']);
    lab.app('pg-app.mjs', [url(), 'sleep']);
    await lab.expect('fleet-exceeds-server');
  });
  incident('a disk that is full', async (lab) => {
    const { execFileSync } = await import('node:child_process');
    const place = join(lab.folder, 'small');
    const user = serverUser();
    execFileSync('mkdir', [place]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place]);
    lab.defer(() => execFileSync('umount', ['-l', place]));
    await chmod(lab.folder, 0o755);
    if (user.uid !== undefined && user.gid !== undefined) await chown(place, user.uid, user.gid);
    await set(lab, [`create tablespace small location '${place}'`], []);
    const shop = await connectAdmin('shop', server);
    await shop.query('create table big (id int, x text) tablespace small; grant all on big to app');
    lab.defer(async () => {
      await shop.query('drop table big');
      await shop.query('drop tablespace small');
      await shop.end();
    });
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'write']);
    await lab.expect('disk-full');
  });
  incident('the secret of the pooler is another one', async (lab) => {
    const { app, console } = await bouncer(
      lab,
      { auth_type: 'trust' },
      { users: '"app" "wrong"\n"admin" "admin"\n' },
    );
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'fresh']);
    await lab.expect('auth-secret-mismatch');
  });
  incident('the pooler knows another password than the client', async (lab) => {
    const { app, console } = await bouncer(lab, {}, { users: '"app" "wrong"\n"admin" "admin"\n' });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'fresh']);
    await lab.expect('auth-secret-mismatch');
  });
  incident('auth_query that cannot run', async (lab) => {
    const { app, console } = await bouncer(
      lab,
      {
        auth_user: 'pgbauth',
        auth_query: 'select usename, passwd from pg_shadow where usename=$1',
        query_wait_timeout: 8,
      },
      { users: '"pgbauth" "wrong"\n"admin" "admin"\n' },
    );
    await set(lab, ["create role pgbauth login password 'right'"], ['drop role pgbauth']);
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'fresh']);
    await lab.expect('auth-query-broken');
  });
  incident('the pooler cannot reach the server', async (lab) => {
    const { app, console } = await bouncer(lab, {}, { database: '* = host=127.0.0.1 port=1' });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'fresh']);
    await lab.expect('server-login-retry');
  });
  incident('the pooler is paused', async (lab) => {
    const { app, console } = await bouncer(lab);
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'read']);
    await lab.expect(null);
    const { default: pg } = await import('pg');
    const client = new pg.Client({
      connectionString: `${console.replace('pgbouncer:', 'postgres:')}pgbouncer`,
    });
    await client.connect();
    await client.query('PAUSE');
    await lab.expect('pooler-paused', { limitMs: 8000 });
    await client.query('RESUME');
    await client.end();
  });
  incident('the pooler has too few servers', async (lab) => {
    const { app, console } = await bouncer(lab, { default_pool_size: 2 });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'short']);
    await lab.expect('pooler-pool-too-small');
  });
  incident('session mode behind the pools of applications', async (lab) => {
    const { app, console } = await bouncer(lab, { pool_mode: 'session', default_pool_size: 3 });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'idle'], { name: 'first' });
    await new Promise((resolve) => void setTimeout(resolve, 2000));
    lab.app('pg-app.mjs', [app, 'read'], { name: 'second' });
    await lab.expect('session-mode-behind-pool');
  });
  incident('another service keeps the servers of the pooler', async (lab) => {
    const { app, console } = await bouncer(lab, { default_pool_size: 3, application_name_add_host: 0 });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [`${app}?application_name=billing`, 'hold'], { name: 'billing' });
    await new Promise((resolve) => void setTimeout(resolve, 2000));
    lab.app('pg-app.mjs', [`${app}?application_name=orders`, 'read'], { name: 'orders' });
    await lab.expect('pooler-victim-of-other-client');
  });
  incident('max_client_conn', async (lab) => {
    const { app, console } = await bouncer(lab, { max_client_conn: 4 });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'idle'], { name: 'first' });
    lab.app('pg-app.mjs', [app, 'idle'], { name: 'second' });
    await lab.expect('pooler-client-limit');
  });
  incident('a startup parameter that the pooler refuses', async (lab) => {
    const { app, console } = await bouncer(lab);
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'schemaParameter']);
    await lab.expect('startup-parameter-refused');
  });
  incident('a limit that the pooler drops', async (lab) => {
    const { app, console } = await bouncer(lab, { ignore_startup_parameters: 'statement_timeout' });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'limited']);
    await lab.expect('startup-parameter-swallowed');
  });
  incident('client_idle_timeout', async (lab) => {
    const { app, console } = await bouncer(lab, { client_idle_timeout: 1 });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'quiet']);
    await lab.expect('pooler-client-idle-timeout');
  });
  incident('server_lifetime of nothing', async (lab) => {
    const { app, console } = await bouncer(lab, { server_lifetime: 0 });
    lab.sources = [root(), console];
    lab.app('pg-app.mjs', [app, 'read']);
    await lab.expect('pooler-recycles-all-the-time');
  });
  incident('an advisory lock on a server of the pooler', async (lab) => {
    const { app, console } = await bouncer(lab, { default_pool_size: 5 });
    lab.sources = [root(), console];
    const { default: pg } = await import('pg');
    const [one, two] = [new pg.Client(app), new pg.Client(app)];
    for (const client of [one, two]) await client.connect();
    lab.defer(() => Promise.all([one.end(), two.end()]));
    await one.query('select pg_advisory_lock(42)');
    lab.app('pg-app.mjs', [app, 'advisory']);
    const { steps } = await lab.expect('advisory-lock-through-pooler');
    await apply(steps);
  });
  incident('a prepared transaction', async (lab) => {
    const shop = await connectAdmin('shop', server);
    await shop.query('begin; update accounts set balance = 1 where id = 1');
    await shop.query("prepare transaction 'orphan'");
    await shop.end();
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'update']);
    const { steps } = await lab.expect('prepared-transaction-orphan');
    await apply(steps);
    await lab.look();
  });
  incident('the server stops', async (lab) => {
    lab.sources = [root()];
    lab.app('pg-app.mjs', [url(), 'read']);
    await lab.expect(null);
    await server.stop();
    await lab.expect('server-down');
    await server.start();
    admin = await connectAdmin('postgres', server);
  });
});
