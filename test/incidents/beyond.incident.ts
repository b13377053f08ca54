import { execFileSync } from 'node:child_process';
import pg from 'pg';
import { describe } from 'vitest';
import { connectAdmin } from '../helpers/postgres.js';
import { applicationsOn } from './applications.js';
import { incident, printTable } from './lab.js';
import { OwnPostgres } from './servers.js';

/** Situations of public reports, which the catalog does not have. */
describe('incidents that are not in the catalog, on PostgreSQL and PgBouncer', () => {
  const own = new OwnPostgres([
    'max_connections=40',
    'deadlock_timeout=200ms',
    'max_locks_per_transaction=10',
  ]);
  printTable();

  const { runs, inLibrary } = applicationsOn(own);
  const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

  incident('a pool of one waits for itself', async (lab) => {
    runs(lab, 'nestedInOne');
    await lab.expect('nested-acquire');
  });
  incident('callers wait for a second connection', async (lab) => {
    runs(lab, 'nested');
    const said = await lab.expect('nested-acquire');
    await lab.repairCode(said, /hand the client .* down as an argument/);
  });
  incident('a transaction within a transaction of Sequelize', async (lab) => {
    inLibrary(lab, 'sequelizeNested');
    await lab.expect('nested-acquire');
  });
  incident('BEGIN fails before the try', async (lab) => {
    runs(lab, 'beginFails');
    await lab.expect('leak-missing-release', {
      line: ['pg.mjs', 'function checkOut()', 'await transaction('],
    });
  });
  incident('knex: nobody ends the transaction', async (lab) => {
    inLibrary(lab, 'knexNotEnded');
    const said = await lab.expect('transaction-left-open', {
      line: ['libraries.mjs', 'async knexNotEnded()', 'await db.transaction()'],
    });
    await lab.repairCode(said, /every path must end in commit or rollback/);
  });
  incident('postgres.js: the server ends what waits inside begin', async (lab) => {
    await own.set(
      lab,
      ["alter role app set idle_in_transaction_session_timeout = '300ms'"],
      ['alter role app reset idle_in_transaction_session_timeout'],
    );
    inLibrary(lab, 'postgresBeginKilled');
    await lab.expect('idle-transaction-killed');
  });
  incident('transactions lie open while the loop computes', async (lab) => {
    runs(lab, 'blockedInTransactions');
    await lab.expect('event-loop-blocked');
  });
  incident('the loop computes', async (lab) => {
    runs(lab, 'blocked');
    await lab.expect('event-loop-blocked');
  });
  incident('a cursor that nobody reads on', async (lab) => {
    runs(lab, 'cursor');
    const said = await lab.expect('server-waits-for-client');
    await lab.repairCode(said, /await cursor\.close\(\) in a finally/);
  });
  incident('a client is given back with its cursor half read', async (lab) => {
    runs(lab, 'cursorReleased');
    const said = await lab.expect('server-waits-for-client');
    await lab.repairCode(said, /await cursor\.close\(\) in a finally/);
  });
  incident('TypeORM: a helper for transactions never releases', async (lab) => {
    inLibrary(lab, 'typeormWithTx');
    const said = await lab.expect('leak-missing-release', {
      // The helper itself forgets.
      line: ['libraries.mjs', 'const withTx', 'runner.connect()'],
    });
    await lab.repairCode(said, /queryRunner\.release\(\) in a finally|finally/);
  });
  incident('generic-pool of clients: never released', async (lab) => {
    inLibrary(lab, 'genericPoolLeak');
    const said = await lab.expect('leak-missing-release', {
      line: ['libraries.mjs', 'function invoice()', 'await pool.acquire()'],
    });
    await lab.repairCode(said, /pool\.use\(|pool\.release\(/);
  });
  incident('a migration waits for a report, and all wait for the migration', async (lab) => {
    await own.session(lab, 'begin', 'select count(*) from accounts');
    const ddl = await own.session(lab);
    ddl.query('alter table accounts add column note text').catch(() => {});
    runs(lab, 'read');
    await lab.repairSql(await lab.expect('ddl-lock-queue'));
  });
  incident('a maintenance job keeps its table', async (lab) => {
    await own.session(lab, 'begin', 'lock table accounts in access exclusive mode');
    runs(lab, 'read');
    await lab.repairSql(await lab.expect('lock-chain-row'));
  });
  incident('CREATE INDEX CONCURRENTLY waits for an old transaction', async (lab) => {
    // It runs last: the sessions have to end before.
    lab.defer(() => own.inShop('drop index if exists by_balance'));
    await own.session(lab, 'begin', 'update accounts set balance = balance where id = 60');
    const ddl = await own.session(lab);
    ddl.query('create index concurrently by_balance on accounts (balance)').catch(() => {});
    runs(lab, 'read');
    await pause(2000);
    await lab.expect('lock-chain-row');
  });
  incident('workers take one job each, without SKIP LOCKED', async (lab) => {
    runs(lab, 'jobQueue');
    await lab.expect('lock-chain-row');
  });
  incident('the pooler may open more than the server takes', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 60, max_client_conn: 200 });
    lab.sources = [own.root(), console];
    const others: pg.Client[] = [];
    lab.defer(() => Promise.all(others.map((one) => one.end().catch(() => {}))));
    for (let n = 0; n < 35; n++) {
      const client = new pg.Client(own.url('billing'));
      client.on('error', () => {});
      await client.connect();
      others.push(client);
    }
    runs(lab, 'short', app);
    await lab.expect('fleet-exceeds-server');
  });
  incident('all users of a database together are capped', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 10, max_db_connections: 3 });
    lab.sources = [own.root(), console];
    const other = app.replace('app:app', 'billing:billing');
    lab.app('pg.mjs', [other, 'hold'], { name: 'billing' });
    await pause(1500);
    lab.app('pg.mjs', [app, 'read'], { name: 'shop' });
    await lab.expect('pooler-database-cap');
  });
  incident('statements queue in the pooler behind slow ones', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 2, query_wait_timeout: 2 });
    lab.sources = [own.root(), console];
    runs(lab, 'sleep', app);
    await lab.expect('slow-query');
  });
  incident('LISTEN has the only place of the pool', async (lab) => {
    runs(lab, 'listenStarves');
    await lab.expect('listen-takes-a-place', { says: /0 of 1 are left/ });
  });
  incident('a leader keeps its lock in the pool of everybody', async (lab) => {
    runs(lab, 'leader');
    await lab.expect('listen-takes-a-place');
  });
  incident('others wait for the lock of a leader', async (lab) => {
    await own.session(lab, 'select pg_advisory_lock(42)');
    runs(lab, 'advisory');
    await lab.repairSql(await lab.expect('advisory-lock-held'));
  });
  incident('SET at connect, through transaction pooling', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 2 });
    lab.sources = [own.root(), console];
    runs(lab, 'searchPath', app);
    await lab.expect('session-state-transaction-mode', { says: /SET search_path/ });
  });
  incident('a password that has expired', async (lab) => {
    await own.set(
      lab,
      ["alter role app valid until '2020-01-01'"],
      ["alter role app valid until 'infinity'"],
    );
    runs(lab, 'fresh');
    await lab.expect('wrong-password');
  });
  incident('a database that takes no connections', async (lab) => {
    await own.set(
      lab,
      ['alter database shop allow_connections false'],
      ['alter database shop allow_connections true'],
    );
    lab.sources = [own.root('postgres')];
    runs(lab, 'fresh');
    await lab.repairSql(await lab.expect('role-cannot-connect'));
  });
  incident('a rule that rejects', async (lab) => {
    await own.rules(lab, ['host shop app all reject']);
    runs(lab, 'fresh');
    await lab.expect('pg-hba-no-entry');
  });
  incident('the server is out of places for locks', async (lab) => {
    runs(lab, 'manyLocks');
    await lab.expect('lock-table-full');
  });
  incident(
    'a standby cancels a report',
    async (lab) => {
      const standby = await own.server.standby();
      await own.reconnect();
      lab.defer(() => standby.remove());
      const { port, user, password } = standby;
      const address = (role: string, secret: string): string =>
        `postgres://${role}:${encodeURIComponent(secret)}@127.0.0.1:${port}/shop`;
      const admin = await connectAdmin('postgres', standby);
      await admin.query("alter system set max_standby_streaming_delay = '100ms'");
      await admin.query('select pg_reload_conf()');
      await admin.end();
      lab.sources = [address(user, password)];
      lab.app('pg.mjs', [address('app', 'app'), 'replica']);
      const writes = await own.session(lab);
      let isOver = false;
      lab.defer(() => {
        isOver = true;
      });
      void (async () => {
        while (!isOver) {
          await writes.query('update accounts set balance = balance + 1').catch(() => {});
          await writes.query('vacuum accounts').catch(() => {});
          await pause(300);
        }
      })();
      await lab.expect('standby-conflict');
    },
    { timeoutMs: 120_000 },
  );
  incident('commits wait for a standby that is gone', async (lab) => {
    const names = 'alter system set synchronous_standby_names';
    await own.set(
      lab,
      [`${names} = 'gone'`, 'alter role app set synchronous_commit = on', 'select pg_reload_conf()'],
      [
        'alter system reset synchronous_standby_names',
        'alter role app reset synchronous_commit',
        'select pg_reload_conf()',
      ],
    );
    runs(lab, 'insert');
    await lab.repairSql(await lab.expect('sync-standby-lost'));
  });
  incident('the process is stopped', async (lab) => {
    lab.sources = [own.root()];
    const running = lab.app('pg.mjs', [own.url(), 'read']);
    await lab.expect(null);
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(running.child.pid)], {
      encoding: 'utf8',
    });
    const pid = Number(children.trim().split('\n')[0]);
    if (!(pid > 1)) throw new Error('no child');
    process.kill(pid, 'SIGSTOP');
    lab.defer(() => {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It is gone.
      }
    });
    await lab.expect('process-silent');
    process.kill(pid, 'SIGCONT');
    await lab.expect('process-frozen');
  });
  incident('a backend crashes, and takes all with it', async (lab) => {
    runs(lab, 'short');
    const busy = "select pid from pg_stat_activity where usename = 'app' limit 1";
    let row: Record<string, unknown> | undefined;
    while (row === undefined) [row] = await own.run(busy);
    process.kill(Number(row?.pid), 'SIGKILL');
    await pause(1000);
    await own.reconnect();
    await lab.expect('server-restarted');
  });
  incident('a limit of the role ends statements', async (lab) => {
    await own.set(
      lab,
      ["alter role app set statement_timeout = '300ms'"],
      ['alter role app reset statement_timeout'],
    );
    runs(lab, 'roleTimeout');
    await lab.expect('slow-query');
  });
  incident('a pool for each tenant', async (lab) => {
    for (let n = 0; n < 4; n++) await own.run(`create database tenant${n}`);
    lab.defer(async () => {
      for (let n = 0; n < 4; n++) await own.run(`drop database tenant${n} with (force)`);
    });
    runs(lab, 'poolPerTenant');
    await lab.expect('fleet-exceeds-server');
  });
  incident('each connection is used once', async (lab) => {
    runs(lab, 'usedOnce');
    await lab.expect('connection-churn');
  });
  incident('postgres.js: connections live for a moment', async (lab) => {
    inLibrary(lab, 'postgresLifetime');
    await lab.expect('connection-churn');
  });
  incident('a statement waits for its own transaction', async (lab) => {
    runs(lab, 'waitsForItself');
    await lab.expect('transaction-left-open');
  });
  incident('statements that a client timeout gave up', async (lab) => {
    runs(lab, 'clientTimeout');
    await lab.expect('query-left-by-client-timeout');
  });
  incident('the pooler does not answer', async (lab) => {
    const { app } = await own.bouncer(lab);
    lab.sources = [own.root()];
    const table = execFileSync('ps', ['-C', 'pgbouncer', '-o', 'pid=,args='], { encoding: 'utf8' });
    const line = table.split('\n').find((one) => one.includes(lab.folder));
    const pid = Number.parseInt(line ?? '', 10);
    process.kill(pid, 'SIGSTOP');
    lab.defer(() => process.kill(pid, 'SIGCONT'));
    runs(lab, 'fresh', app);
    await lab.expect('path-blocked');
  });
  incident('ok: duplicate keys that the code expects', async (lab) => {
    runs(lab, 'duplicates');
    await pause(3000);
    await lab.expect(null);
  });
  incident('ok: reads and writes in two pools', async (lab) => {
    runs(lab, 'readWriteSplit');
    await pause(2000);
    await lab.expect(null);
  });
});
