import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { describe } from 'vitest';
import { connectAdmin } from '../helpers/postgres.js';
import { applicationsOn } from './applications.js';
import { incident, type Lab, printTable } from './lab.js';
import { OwnPostgres } from './servers.js';

describe('incidents of the catalog, on PostgreSQL and PgBouncer', () => {
  const own = new OwnPostgres([
    'max_prepared_transactions=5',
    'max_connections=60',
    'deadlock_timeout=200ms',
  ]);
  printTable();

  const { runs, inLibrary } = applicationsOn(own);

  incident('leak-missing-release', async (lab) => {
    runs(lab, 'leak');
    const said = await lab.expect('leak-missing-release', {
      line: ['pg.mjs', 'async leak()', 'pool.connect()'],
    });
    await lab.repairCode(said, /finally \{ client\.release\(\) \}/);
  });
  incident('transaction-left-open', async (lab) => {
    runs(lab, 'leftOpen');
    const line = ['pg.mjs', 'async leftOpen()', 'pool.connect()'] as const;
    const said = await lab.expect('transaction-left-open', { line });
    await lab.repairCode(said, /COMMIT on the good path/);
  });
  incident('remote-call-in-transaction', async (lab) => {
    runs(lab, 'remoteCall');
    const said = await lab.expect('remote-call-in-transaction');
    await lab.repairCode(said, /call first, then BEGIN/);
  });
  incident('poisoned-connection: still open', async (lab) => {
    runs(lab, 'poisoned');
    const said = await lab.expect('poisoned-connection');
    await lab.repairCode(said, /ROLLBACK in the catch/);
  });
  incident('poisoned-connection: aborted', async (lab) => {
    runs(lab, 'aborted');
    const said = await lab.expect('poisoned-connection');
    await lab.repairCode(said, /ROLLBACK in the catch/);
  });
  incident('listen-takes-a-place', async (lab) => {
    runs(lab, 'listen');
    const said = await lab.expect('listen-takes-a-place', {
      line: ['pg.mjs', 'async listen()', 'pool.connect()'],
    });
    await lab.repairCode(said, /a new pg\.Client\(directUrl\) of its own/);
  });
  incident('pool-per-request', async (lab) => {
    runs(lab, 'poolPerRequest');
    const said = await lab.expect('pool-per-request', { says: /12 pools .* made at/ });
    await lab.repairCode(said, /make the pool once/);
  });
  incident('pool-made-twice', async (lab) => {
    runs(lab, 'madeTwice');
    const said = await lab.expect('pool-made-twice', { says: /dist\/db\.cjs.*esm\/db\.mjs/ });
    await lab.repairCode(said, /make the pool once, in a module that is loaded once/);
  });
  incident('second-pool-hidden', async (lab) => {
    inLibrary(lab, 'secondPool');
    await lab.expect('second-pool-hidden');
  });
  incident('fan-out-promise-all', async (lab) => {
    runs(lab, 'fanOut');
    const said = await lab.expect('fan-out-promise-all', {
      line: ['pg.mjs', 'async fanOut()', 'else await Promise.all('],
    });
    await lab.repairCode(said, /one query with = ANY\(\$1\)/);
  });
  incident(
    'acquire-limit-none, behind the leak',
    async (lab) => {
      runs(lab, 'leak');
      await lab
        .expect('leak-missing-release', { also: ['acquire-limit-none'], limitMs: 45_000 })
        .catch(() => {});
      await new Promise((resolve) => void setTimeout(resolve, 20_000));
      await lab.expect('leak-missing-release', { also: ['acquire-limit-none'] });
    },
    { timeoutMs: 120_000 },
  );
  incident(
    'zombies-after-connect-timeout',
    async (lab) => {
      runs(lab, 'zombies');
      const said = await lab.expect('zombies-after-connect-timeout', { limitMs: 80_000 });
      await lab.repairSql(said);
    },
    { timeoutMs: 120_000 },
  );
  incident('pool-ended-too-early', async (lab) => {
    runs(lab, 'ended');
    const said = await lab.expect('pool-ended-too-early');
    await lab.repairCode(said, /pool\.end\(\) once/);
  });
  incident('wrapper-hides-call-site', async (lab) => {
    runs(lab, 'helper');
    const line = ['pg.mjs', 'async function profile()', 'await getClient()'] as const;
    await lab.expect('leak-missing-release', { line });
  });
  incident('health-check-uses-pool', async (lab) => {
    runs(lab, 'probe');
    await lab.expect('slow-query', { also: ['health-check-uses-pool'] });
  });
  incident('jobs-starve-requests', async (lab) => {
    runs(lab, 'jobs');
    const said = await lab.expect('jobs-starve-requests', { says: /callers of other places wait/ });
    await lab.repairCode(said, /a second pool with its own small size for the jobs/);
  });
  incident('limit-not-in-force', async (lab) => {
    lab.env = { DB_POOL_SIZE: '50', DB_MAX_OVERFLOW: '0' };
    runs(lab, 'misplacedSize');
    const said = await lab.expect('limit-not-in-force');
    await lab.repairCode(said, /at the top level of the options/);
  });
  incident('slow-query', async (lab) => {
    runs(lab, 'sleep');
    await lab.expect('slow-query', { says: /pg_sleep\(30\)/ });
  });
  incident('lock-chain-row', async (lab) => {
    await own.session(lab, 'begin', 'update accounts set balance = 1 where id = 1');
    runs(lab, 'update');
    await lab.repairSql(await lab.expect('lock-chain-row'));
  });
  incident('deadlock-storm', async (lab) => {
    runs(lab, 'deadlock');
    const said = await lab.expect('deadlock-storm');
    await lab.repairCode(said, /lock in one order everywhere/, { limitMs: 25_000 });
  });
  incident('cached-plan-after-migration', async (lab) => {
    runs(lab, 'cachedPlan');
    const said = await lab.expect('cached-plan-after-migration');
    await lab.repairCode(said, /name the columns instead of \*/);
  });
  incident('statement-limit-vs-acquire', async (lab) => {
    inLibrary(lab, 'knexImpatient');
    await lab.expect('slow-query');
  });
  incident('prepared-statement-transaction-mode', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 2 });
    lab.sources = [own.root(), console];
    runs(lab, 'named', app);
    const said = await lab.expect('prepared-statement-transaction-mode');
    await lab.repairCode(said, /no name in query objects/);
  });
  incident('listen-through-transaction-pool', async (lab) => {
    const { app, console } = await own.bouncer(lab, { default_pool_size: 2 });
    lab.sources = [own.root(), console];
    runs(lab, 'listenPooled', app);
    await lab.expect('listen-through-transaction-pool');
  });
  incident('pooler-file-limit', async (lab) => {
    const { app, console } = await own.bouncer(lab, {}, { shell: 'ulimit -n 20' });
    lab.sources = [own.root(), console];
    runs(lab, 'idle', app);
    await new Promise((resolve) => void setTimeout(resolve, 2000));
    lab.app('pg.mjs', [app, 'manyFiles'], { name: 'second' });
    await lab.expect('connections-reset');
  });
  incident(
    'pooler-dns-stale',
    async (lab) => {
      // The name of the server is that of a relay, which leads to another node after a failover.
      const standby = await own.server.standby();
      await own.reconnect();
      lab.defer(() => standby.remove());
      const relay = await relayTo(lab, standby.port);
      const database = `* = host=127.0.0.1 port=${relay.port}`;
      const { app, console } = await own.bouncer(lab, {}, { database });
      lab.sources = [own.root(), console];
      runs(lab, 'insert', app);
      await lab.expect('pooler-dns-stale').catch((error: unknown) => {
        throw error;
      });
      relay.leadTo(own.server.port);
      const said = await lab.look();
      await lab.repairSql(said, { limitMs: 80_000 });
    },
    { timeoutMs: 150_000 },
  );
  incident(
    'serverless-fan-out',
    async (lab) => {
      lab.sources = [own.root()];
      const instances: pg.Client[] = [];
      lab.defer(() => Promise.all(instances.map((one) => one.end().catch(() => {}))));
      for (let n = 0; n < 54; n++) {
        const application_name = `function-${n >> 1}`;
        const client = new pg.Client({ connectionString: own.url('billing'), application_name });
        client.on('error', () => {});
        await client.connect();
        await client.query('select 1');
        instances.push(client);
      }
      await new Promise((resolve) => void setTimeout(resolve, 60_000));
      lab.app('pg.mjs', [own.url(), 'sleep']);
      lab.app('pg.mjs', [own.url(), 'sleep']);
      await lab.expect('serverless-fan-out', { limitMs: 30_000 });
    },
    { timeoutMs: 150_000 },
  );
  incident('connection-churn', async (lab) => {
    runs(lab, 'churn');
    const said = await lab.expect('connection-churn');
    await lab.repairCode(said, /idleTimeoutMillis of 10 to 30 s or more/);
  });
  incident('half-open-connection', async (lab) => {
    const relay = await relayTo(lab, own.server.port);
    runs(lab, 'read', own.url('app', 'app', relay.port));
    await lab.expect(null);
    relay.swallow();
    await lab.expect('half-open-connection');
  });
  incident(
    'abandoned-session',
    async (lab) => {
      lab.sources = [own.root()];
      const relay = await relayTo(lab, own.server.port, { keepsServer: true });
      const url = own.url('app', 'app', relay.port);
      const gone = new pg.Client({ connectionString: url, application_name: 'shop' });
      gone.on('error', () => {});
      await gone.connect();
      await gone.query('begin; update accounts set balance = 1 where id = 1');
      relay.cutClients();
      lab.app('pg.mjs', [`${own.url()}?application_name=shop`, 'update']);
      const said = await lab.expect('abandoned-session', { limitMs: 45_000 });
      await lab.repairSql(said);
    },
    { timeoutMs: 120_000 },
  );
  incident(
    'idle-session-timeout',
    async (lab) => {
      await own.set(
        lab,
        ["alter role app set idle_session_timeout = '200ms'"],
        ['alter role app reset idle_session_timeout'],
      );
      runs(lab, 'idleForLong');
      const said = await lab.expect('idle-session-timeout');
      await lab.repairSql(said, { limitMs: 90_000 });
    },
    { timeoutMs: 150_000 },
  );
  incident('idle-transaction-killed', async (lab) => {
    runs(lab, 'killedIdle');
    const said = await lab.expect('idle-transaction-killed');
    await lab.repairCode(said, /COMMIT on the good path/);
  });
  incident('process-file-limit', async (lab) => {
    lab.sources = [own.root()];
    lab.app('pg.mjs', [own.url(), 'manyFiles'], { shell: 'ulimit -n 40' });
    await lab.expect('process-file-limit');
  });
  incident(
    'proxy-pins-sessions',
    async (lab) => {
      const { port } = await own.bouncer(lab, { pool_mode: 'session', default_pool_size: 20 });
      lab.sources = [own.root()];
      const url = own
        .url('app', 'app', port)
        .replace('127.0.0.1', 'shop.proxy-abc.eu-west-1.rds.amazonaws.com');
      lab.app('pg.mjs', [url, 'behindProxy']);
      await lab.expect('proxy-pins-sessions', { limitMs: 60_000 });
    },
    { timeoutMs: 120_000 },
  );
  incident('ok-short-burst', async (lab) => {
    runs(lab, 'burst');
    await lab.expect(null);
  });
  incident('ok-full-pool', async (lab) => {
    runs(lab, 'full');
    await lab.expect(null);
  });
  incident(
    'ok-old-connect-error',
    async (lab) => {
      await own.set(lab, ['alter role app nologin'], ['alter role app login']);
      runs(lab, 'read');
      await lab.expect('role-cannot-connect');
      await own.run('alter role app login');
      await lab.expect(null);
    },
    { timeoutMs: 120_000 },
  );
  incident('ok-long-report', async (lab) => {
    runs(lab, 'longReport');
    await lab.expect(null);
  });
});

describe('an autovacuum against wraparound', () => {
  const own = new OwnPostgres([
    ...['autovacuum=on', 'autovacuum_naptime=1s', 'autovacuum_freeze_max_age=100000'],
    ...['autovacuum_vacuum_cost_delay=100ms', 'autovacuum_vacuum_cost_limit=1', 'deadlock_timeout=200ms'],
  ]);
  printTable();

  incident(
    'wraparound-vacuum-blocks',
    async (lab) => {
      lab.sources = [own.root()];
      const shop = await connectAdmin('shop', own.server);
      lab.defer(() => shop.end());
      await shop.query(
        "create table big as select i as id, repeat('x', 500) as x from generate_series(1, 60000) i; grant all on big to app",
      );
      await shop.query(
        'do $$ begin for i in 1..130000 loop begin insert into log values (i); exception when others then null; end; end loop; end $$',
      );
      const ddl = await connectAdmin('shop', own.server);
      ddl.on('error', () => {});
      lab.defer(() => ddl.end().catch(() => {}));
      const isBlocked =
        "select 1 from pg_stat_activity where query like '%to prevent wraparound%' and query like '%big%' and backend_type = 'autovacuum worker'";
      while ((await own.run(isBlocked)).length === 0)
        await new Promise((resolve) => void setTimeout(resolve, 200));
      ddl.query('alter table big add column y int').catch(() => {});
      lab.app('pg.mjs', [own.url(), 'readBig']);
      await lab.repairSql(await lab.expect('wraparound-vacuum-blocks'));
    },
    { timeoutMs: 120_000 },
  );
});

interface Relay {
  readonly port: number;
  /** New connections go to this port; those that are open stay. */
  leadTo(port: number): void;
  /** From now on no byte gets through, and nobody learns of it. */
  swallow(): void;
  /** Cuts all clients; with `keepsServer` the server learns nothing of it. */
  cutClients(): void;
}

/** Stands between a client and a server, as a firewall or a name does. */
async function relayTo(
  lab: Lab,
  target: number,
  { keepsServer = false }: { readonly keepsServer?: boolean } = {},
): Promise<Relay> {
  let to = target;
  let isDeaf = false;
  const clients = new Set<Socket>();
  const servers = new Set<Socket>();
  const relay = createServer((client) => {
    const server = connect(to, '127.0.0.1');
    clients.add(client);
    servers.add(server);
    client.on('data', (data) => void (isDeaf || server.write(data)));
    server.on('data', (data) => void (isDeaf || client.write(data)));
    client.on('error', () => {});
    server.on('error', () => {});
    client.on('close', () => {
      if (!keepsServer && !isDeaf) server.destroy();
    });
    server.on('close', () => {
      if (!isDeaf) client.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  lab.defer(() => {
    for (const one of [...clients, ...servers]) one.destroy();
    relay.close();
  });
  return {
    port: (relay.address() as AddressInfo).port,
    leadTo(port) {
      to = port;
    },
    swallow() {
      isDeaf = true;
    },
    cutClients() {
      for (const one of clients) one.destroy();
    },
  };
}
