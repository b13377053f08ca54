import { execFileSync } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { describe } from 'vitest';
import { serverUser } from '../helpers/guarded.js';
import { connectAdmin } from '../helpers/postgres.js';
import { incident, printTable } from './lab.js';
import { OwnPostgres } from './servers.js';

describe('incidents of connecting, on PostgreSQL and PgBouncer', () => {
  const own = new OwnPostgres([
    'max_prepared_transactions=5',
    'max_connections=40',
    'deadlock_timeout=200ms',
  ]);
  printTable();

  incident('wrong password', async (lab) => {
    await own.set(lab, ["alter role app password 'other'"], ["alter role app password 'app'"]);
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'fresh']);
    await lab.expect('wrong-password');
  });
  incident('no pg_hba entry', async (lab) => {
    await own.rules(lab, ['hostssl shop app all scram-sha-256']);
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'fresh']);
    await lab.expect('pg-hba-no-entry');
  });
  incident('a certificate that is not trusted', async (lab) => {
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'tls']);
    await lab.expect('tls-mismatch');
  });
  incident('no TLS where the client wants it', async (lab) => {
    const { app } = await own.bouncer(lab);
    lab.app('pg.mjs', [app, 'tls']);
    await lab.expect('tls-mismatch');
  });
  incident('a role that may not log in', async (lab) => {
    await own.set(lab, ['alter role app nologin'], ['alter role app login']);
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'read']);
    await lab.repairSql(await lab.expect('role-cannot-connect'));
  });
  incident('a database that is missing', async (lab) => {
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url('app', 'app', own.server.port, 'nowhere'), 'one']);
    lab.defer(() => own.run('drop database if exists nowhere with (force)'));
    await lab.repairSql(await lab.expect('database-missing'));
  });
  incident('a name that no resolver knows', async (lab) => {
    lab.app('pg.mjs', ['postgres://app:app@db.invalid:5432/shop', 'fresh']);
    await lab.expect('host-unknown');
  });
  incident('a resolver that loses look-ups', async (lab) => {
    lab.app('pg.mjs', ['postgres://app:app@db.internal:5432/shop', 'slowDns']);
    await lab.expect('slow-dns');
  });
  incident('a role at its limit', async (lab) => {
    await own.set(lab, ['alter role app connection limit 1'], ['alter role app connection limit -1']);
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'sleep']);
    await lab.expect('role-connection-limit');
  });
  incident('a database at its limit', async (lab) => {
    await own.set(
      lab,
      ['alter database shop connection limit 1'],
      ['alter database shop connection limit -1'],
    );
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'sleep']);
    await lab.expect('database-connection-limit');
  });
  incident('a full server', async (lab) => {
    lab.sources = [own.root()];
    const others: Awaited<ReturnType<typeof connectAdmin>>[] = [];
    for (let n = 0; n < 34; n++)
      others.push(await connectAdmin('shop', { ...own.server, user: 'billing', password: 'billing' }));
    lab.defer(() => Promise.all(others.map((one) => one.end())));
    lab.app('pg.mjs', [own.url(), 'idle']);
    lab.app('pg.mjs', [own.url(), 'sleep']);
    await lab.expect('fleet-exceeds-server');
  });
  incident('a disk that is full', async (lab) => {
    const place = join(lab.folder, 'small');
    const user = serverUser();
    execFileSync('mkdir', [place]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place]);
    lab.defer(() => execFileSync('umount', ['-l', place]));
    await chmod(lab.folder, 0o755);
    if (user.uid !== undefined && user.gid !== undefined) await chown(place, user.uid, user.gid);
    await own.set(lab, [`create tablespace small location '${place}'`], []);
    const shop = await connectAdmin('shop', own.server);
    await shop.query('create table big (id int, x text) tablespace small; grant all on big to app');
    lab.defer(async () => {
      await shop.query('drop table big');
      await shop.query('drop tablespace small');
      await shop.end();
    });
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'write']);
    await lab.expect('disk-full');
  });
  incident('the secret of the pooler is another one', async (lab) => {
    const { app, console } = await own.bouncer(
      lab,
      { auth_type: 'trust' },
      { users: '"app" "wrong"\n"admin" "admin"\n' },
    );
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'fresh']);
    await lab.expect('auth-secret-mismatch');
  });
  incident('the pooler knows another password than the client', async (lab) => {
    const { app, console } = await own.bouncer(lab, {}, { users: '"app" "wrong"\n"admin" "admin"\n' });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'fresh']);
    await lab.expect('auth-secret-mismatch');
  });
  incident('auth_query that cannot run', async (lab) => {
    const { app, console } = await own.bouncer(
      lab,
      {
        auth_user: 'pgbauth',
        auth_query: 'select usename, passwd from pg_shadow where usename=$1',
        query_wait_timeout: 8,
      },
      { users: '"pgbauth" "wrong"\n"admin" "admin"\n' },
    );
    await own.set(lab, ["create role pgbauth login password 'right'"], ['drop role pgbauth']);
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'fresh']);
    await lab.expect('auth-query-broken');
  });
  incident('the pooler cannot reach the server', async (lab) => {
    const { app, console } = await own.bouncer(lab, {}, { database: '* = host=127.0.0.1 port=1' });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'fresh']);
    await lab.expect('server-login-retry');
  });
  incident('the pooler is paused', async (lab) => {
    const { app, console, command } = await own.bouncer(lab);
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'read']);
    await lab.expect(null);
    await command('PAUSE');
    await lab.repairSql(await lab.expect('pooler-paused'));
  });
  incident('the pooler has too few servers', async (lab) => {
    const { app, console, reload } = await own.bouncer(lab, { default_pool_size: 14 });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'short']);
    const said = await lab.expect('pooler-pool-too-small');
    // Up by half, as it says.
    await reload({ default_pool_size: 21 });
    await lab.repaired(said, /default_pool_size .* up by half, RELOAD/);
  });
  incident('session mode behind the pools of applications', async (lab) => {
    const { app, console, reload } = await own.bouncer(lab, { pool_mode: 'session', default_pool_size: 3 });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'idle'], { name: 'first' });
    await new Promise((resolve) => void setTimeout(resolve, 2000));
    lab.app('pg.mjs', [app, 'read'], { name: 'second' });
    const said = await lab.expect('session-mode-behind-pool');
    // Clients that are connected keep their mode, so the pools of the applications open anew.
    await reload({ pool_mode: 'transaction' });
    await lab.repairCode(said, /pool_mode = transaction/);
  });
  incident('another service keeps the servers of the pooler', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 3, application_name_add_host: 0 });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [`${app}?application_name=billing`, 'hold'], { name: 'billing' });
    await new Promise((resolve) => void setTimeout(resolve, 2000));
    lab.app('pg.mjs', [`${app}?application_name=orders`, 'read'], { name: 'orders' });
    await lab.expect('pooler-victim-of-other-client');
  });
  incident('max_client_conn', async (lab) => {
    const { app, console, reload } = await own.bouncer(lab, { max_client_conn: 4 });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'idle'], { name: 'first' });
    lab.app('pg.mjs', [app, 'idle'], { name: 'second' });
    const said = await lab.expect('pooler-client-limit');
    await reload({ max_client_conn: 100 });
    await lab.repaired(said, /max_client_conn up/, { limitMs: 80_000 });
  });
  incident('a startup parameter that the pooler refuses', async (lab) => {
    const { app, console } = await own.bouncer(lab);
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'schemaParameter']);
    const said = await lab.expect('startup-parameter-refused');
    await lab.repairCode(said, /leave out the option that sends it/);
  });
  incident('a limit that the pooler drops', async (lab) => {
    const { app, console } = await own.bouncer(lab, { ignore_startup_parameters: 'statement_timeout' });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'limited']);
    await lab.expect('startup-parameter-swallowed');
  });
  incident('client_idle_timeout', async (lab) => {
    const { app, console, reload } = await own.bouncer(lab, { client_idle_timeout: 1 });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'quiet']);
    const said = await lab.expect('pooler-client-idle-timeout');
    await reload({ client_idle_timeout: 0 });
    await lab.repaired(said, /client_idle_timeout = 0; RELOAD/, { limitMs: 80_000 });
  });
  incident('server_lifetime of nothing', async (lab) => {
    const { app, console, reload } = await own.bouncer(lab, { server_lifetime: 0 });
    lab.sources = [own.root(), console];
    lab.app('pg.mjs', [app, 'read']);
    const said = await lab.expect('pooler-recycles-all-the-time');
    await reload({ server_lifetime: 3600, server_idle_timeout: 600 });
    await lab.repaired(said, /server_lifetime = 3600, server_idle_timeout = 600; RELOAD/);
  });
  incident('an advisory lock on a server of the pooler', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 5 });
    lab.sources = [own.root(), console];
    const [one, two] = [new pg.Client(app), new pg.Client(app)];
    for (const client of [one, two]) await client.connect();
    lab.defer(() => Promise.all([one.end(), two.end()]));
    await one.query('select pg_advisory_lock(42)');
    lab.app('pg.mjs', [app, 'advisory']);
    await lab.repairSql(await lab.expect('advisory-lock-through-pooler'));
  });
  incident('a prepared transaction', async (lab) => {
    const shop = await connectAdmin('shop', own.server);
    await shop.query('begin; update accounts set balance = 1 where id = 1');
    await shop.query("prepare transaction 'orphan'");
    await shop.end();
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'update']);
    await lab.repairSql(await lab.expect('prepared-transaction-orphan'));
  });
  incident('the server stops', async (lab) => {
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'read']);
    await lab.expect(null);
    await own.server.stop();
    lab.defer(async () => {
      await own.server.start();
      await own.reconnect();
    });
    await lab.expect('server-down');
  });
});
