// An application on pg that runs into an incident: `node pg.mjs URL STATE [repaired]`.
import dns from 'node:dns';
import pg from 'pg';
import Cursor from 'pg-cursor';
import { ready } from './healthz.mjs';
import { crowd, forget, isRepaired, never, runState, uri, wait } from './kit.mjs';

/** @param {import('pg').PoolConfig} options */
const open = (options) => {
  const pool = new pg.Pool({ connectionString: uri, ...options });
  pool.on('error', () => {});
  return pool;
};
const fail = /** @param {unknown} _error */ (_error) => {};

/** @type {Readonly<Record<string, () => Promise<unknown>>>} */
const states = {
  async read() {
    const pool = open({ max: 3 });
    await crowd(4, async () => {
      await pool.query('select * from accounts where id = 1');
      await wait(20);
    });
  },
  /** Each use opens a connection anew, as after a quiet night. */
  async fresh() {
    const pool = open({ max: 3, connectionTimeoutMillis: 3000 });
    await crowd(3, async () => {
      const client = await pool.connect();
      client.release(true);
      await wait(50);
    });
  },
  async one() {
    const pool = open({ max: 3 });
    await crowd(3, async () => {
      await pool.query('select 1');
      await wait(50);
    });
  },
  async tls() {
    const pool = open({ max: 2, ssl: { rejectUnauthorized: true } });
    await crowd(2, () => pool.query('select 1'));
  },
  async write() {
    const pool = open({ max: 3 });
    await crowd(3, async () => {
      await pool.query("insert into big select i, repeat('x', 1000) from generate_series(1, 2000) i");
      await wait(20);
    });
  },
  async insert() {
    const pool = open({ max: 3 });
    await crowd(3, async () => {
      await pool.query('insert into log values (1)');
      await wait(20);
    });
  },
  async update() {
    const pool = open({ max: 4 });
    await crowd(6, () => pool.query('update accounts set balance = balance + 1 where id = 1'));
  },
  async sleep() {
    const pool = open({ max: 3 });
    await crowd(6, () => pool.query('select pg_sleep(30)'));
  },
  async short() {
    const pool = open({ max: 20 });
    await crowd(20, () => pool.query('select pg_sleep(0.02)'));
  },
  async hold() {
    const pool = open({ max: 3 });
    for (let n = 0; n < 3; n++) {
      const client = await pool.connect();
      await client.query(`begin; update accounts set balance = 1 where id = ${n + 50}`);
    }
    await never();
  },
  async idle() {
    const pool = open({ max: 3, idleTimeoutMillis: 0 });
    await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.1)')));
    await never();
  },
  async quiet() {
    const pool = open({ max: 3, idleTimeoutMillis: 0 });
    for (;;) {
      await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.05)').catch(fail)));
      await wait(1700);
    }
  },
  async advisory() {
    const pool = open({ max: 4 });
    await crowd(3, async () => {
      await pool.query('select pg_advisory_lock(42)');
      await pool.query('select pg_advisory_unlock_all()');
      await wait(50);
    });
  },
  async schemaParameter() {
    const pool = open(isRepaired ? { max: 2 } : { max: 2, options: '-c search_path=app' });
    await crowd(2, async () => {
      await pool.query('select 1');
      await wait(20);
    });
  },
  async limited() {
    const pool = open({ max: 3, statement_timeout: 1000 });
    await crowd(4, () => pool.query('select pg_sleep(30)'));
  },
  /** A resolver that loses every look-up. */
  async slowDns() {
    /** @type {(...args: unknown[]) => void} */
    const lookup = (name, ...more) => {
      const done = /** @type {(error: Error) => void} */ (more.at(-1));
      setTimeout(() => {
        done(Object.assign(new Error(`getaddrinfo EAI_AGAIN ${name}`), { code: 'EAI_AGAIN' }));
      }, 300);
    };
    Object.assign(dns, { lookup });
    const pool = open({ max: 2 });
    await crowd(2, () => pool.query('select 1'));
  },
  /** A resolver that knows one name more. */
  async behindProxy() {
    /** @type {(...args: unknown[]) => void} */
    const lookup = (...args) => {
      const done = /** @type {(error: null, ...found: unknown[]) => void} */ (args.at(-1));
      const { all = false } = /** @type {{ all?: boolean }} */ (args[1]);
      if (all) done(null, [{ address: '127.0.0.1', family: 4 }]);
      else done(null, '127.0.0.1', 4);
    };
    Object.assign(dns, { lookup });
    const pool = open({ max: 4, idleTimeoutMillis: 0 });
    await Promise.all([1, 2, 3, 4].map(() => pool.query('select pg_sleep(0.1)')));
    await never();
  },
  async replica() {
    const pool = open({ max: 3 });
    await crowd(3, () => pool.query('select count(*), pg_sleep(3) from accounts'));
  },
  async readBig() {
    const pool = open({ max: 3 });
    await crowd(4, async () => {
      await pool.query('select * from big where id = 1');
      await wait(20);
    });
  },
  /** A path leaves out the release. */
  async leak() {
    const pool = open({ max: 3 });
    await crowd(5, async function cart() {
      const client = await pool.connect();
      try {
        await client.query('select 1');
        await forget();
      } finally {
        client.release();
      }
    });
  },
  /** The same, and one helper acquires for all. */
  async helper() {
    const pool = open({ max: 5 });
    const getClient = async () => {
      const client = await pool.connect();
      return client;
    };
    void crowd(1, async function correct() {
      const client = await getClient();
      await client.query('select pg_sleep(0.05)');
      client.release();
    });
    await crowd(5, async function profile() {
      const client = await getClient();
      await client.query('select 1');
      await never();
    });
  },
  /** A branch leaves out COMMIT and release. */
  async leftOpen() {
    const pool = open({ max: 3 });
    await crowd(6, async function reserve(at) {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query('update accounts set balance = balance + 1 where id = $1', [at + 1]);
        await forget();
        await client.query('commit');
      } finally {
        client.release();
      }
    });
  },
  /** A call to another service inside a transaction. */
  async remoteCall() {
    const pool = open({ max: 3 });
    await crowd(12, async (at) => {
      const call = () => wait(200 + at * 40);
      if (isRepaired) await call();
      const client = await pool.connect();
      await client.query('begin');
      await client.query('update accounts set balance = balance + 1 where id = $1', [(at % 9) + 1]);
      if (!isRepaired) await call();
      await client.query('commit');
      client.release();
    });
  },
  /** Released with its transaction still open. */
  async poisoned() {
    const pool = open({ max: 1 });
    const client = await pool.connect();
    await client.query('begin');
    await client.query('insert into log values (1)');
    if (isRepaired) await client.query('rollback');
    client.release();
    await crowd(1, async () => {
      await pool.query('insert into log values (2)');
      await wait(100);
    });
  },
  /** The same with an aborted transaction; victims catch, and give back. */
  async aborted() {
    const pool = open({ max: 1 });
    const client = await pool.connect();
    await client.query('begin');
    await client.query('select 1 / 0').catch(fail);
    if (isRepaired) await client.query('rollback');
    client.release();
    await crowd(1, async function victim() {
      const again = await pool.connect();
      await again.query('select 1').catch(fail);
      again.release();
      await wait(100);
    });
  },
  async listen() {
    const pool = open({ max: 2 });
    const client = isRepaired ? new pg.Client(uri) : await pool.connect();
    if (isRepaired) await client.connect();
    await client.query('listen jobs');
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(200);
    });
  },
  /** LISTEN has the only place there is. */
  async listenStarves() {
    const pool = open({ max: 1 });
    const client = await pool.connect();
    await client.query('listen jobs');
    await crowd(2, () => pool.query('select 1'));
  },
  /** LISTEN through a pooler, by an application that also works. */
  async listenPooled() {
    const pool = open({ max: 2 });
    pool.on('connect', (client) => void client.query('listen jobs').catch(fail));
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(200);
    });
  },
  async poolPerRequest() {
    const kept = isRepaired ? [open({ max: 3 })] : Array.from({ length: 12 }, () => open({ max: 3 }));
    for (const pool of kept) await pool.query('select 1');
    await never();
    return kept;
  },
  /** A pool for each tenant's database, each of an honest size. */
  async poolPerTenant() {
    /** @type {import('pg').Pool[]} */
    const kept = [];
    for (let n = 0; n < 8; n++) {
      const url = new URL(uri);
      url.pathname = `/tenant${n % 4}`;
      kept.push(open({ connectionString: url.href, max: 5, idleTimeoutMillis: 0 }));
    }
    await crowd(40, (at) => (kept[at % 8] ?? open({ max: 1 })).query('select pg_sleep(0.2)'));
  },
  async fanOut() {
    const pool = open({ max: 5 });
    await crowd(1, async () => {
      if (isRepaired) await pool.query('select pg_sleep(0.05) where 1 = any($1)', [[1]]);
      else await Promise.all(Array.from({ length: 300 }, () => pool.query('select pg_sleep(0.05)')));
    });
  },
  async ended() {
    const pool = open({ max: 2 });
    await pool.query('select 1');
    if (!isRepaired) await pool.end();
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(20);
    });
  },
  async nested() {
    const pool = open({ max: 3 });
    await crowd(3, async () => {
      const outer = await pool.connect();
      await outer.query('select 1');
      await wait(100);
      if (!isRepaired) {
        const inner = await pool.connect();
        inner.release();
      }
      outer.release();
    });
  },
  /** A worker with a pool of one: the launch rotates a key while it is in its transaction. */
  async nestedInOne() {
    const pool = open({ max: 1, connectionTimeoutMillis: 30_000 });
    const rotateKey = () => pool.query('select 1');
    await crowd(1, async function launch() {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query('update accounts set balance = 0 where id = 3');
        await rotateKey();
        await client.query('commit');
      } finally {
        client.release();
      }
    });
  },
  async blocked() {
    const pool = open({ max: 3 });
    void crowd(9, () => pool.query('select 1'));
    await crowd(1, async () => {
      const until = Date.now() + 400;
      while (Date.now() < until);
      await wait(5);
    });
  },
  /** Transactions lie open while the loop computes. */
  async blockedInTransactions() {
    const pool = open({ max: 3 });
    void crowd(6, async function wakeUp(at) {
      const client = await pool.connect();
      await client.query('begin');
      await client.query('update accounts set balance = balance + 1 where id = $1', [at + 1]);
      await client.query('commit');
      client.release();
    });
    await crowd(1, async () => {
      const until = Date.now() + 700;
      while (Date.now() < until);
      await wait(2);
    });
  },
  async named() {
    const pool = open({ max: 5 });
    await crowd(5, async (at) => {
      await pool.query({ ...(isRepaired ? {} : { name: 'a' }), text: 'select $1::int', values: [at] });
      await wait(5);
    });
  },
  async churn() {
    const pool = open({ max: 5, idleTimeoutMillis: isRepaired ? 10_000 : 1 });
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(30);
    });
  },
  /** A pool that throws each connection away after its first use, as for functions. */
  async usedOnce() {
    const pool = open({ max: 5, maxUses: 1 });
    await crowd(2, async () => {
      await pool.query('select 1');
      await wait(20);
    });
  },
  async deadlock() {
    const pool = open({ max: 6 });
    await crowd(4, async (at) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        const [a, b] = at % 2 === 0 || isRepaired ? [1, 2] : [2, 1];
        await client.query('update accounts set balance = balance + 1 where id = $1', [a]);
        if (!isRepaired) await client.query('select pg_sleep(0.1)');
        await client.query('update accounts set balance = balance + 1 where id = $1', [b]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
      if (isRepaired) await wait(50);
    });
  },
  async cachedPlan() {
    const pool = open({ max: 2 });
    const text = isRepaired ? 'select x from log' : 'select * from log';
    await pool.query({ name: 'q', text });
    await pool.query('alter table log add column if not exists c1 int');
    await pool.query({ name: 'q', text }).catch(fail);
    await pool.query('alter table log drop column c1');
    await crowd(1, async () => {
      await wait(200);
      const client = await pool.connect();
      await client.query({ name: 'q', text }).catch(fail);
      client.release();
    });
  },
  async killedIdle() {
    const pool = open({ max: 2 });
    await crowd(1, async () => {
      const client = await pool.connect();
      client.on('error', fail);
      await client.query("set idle_in_transaction_session_timeout = '200ms'");
      await client.query('begin');
      await client.query('select 1');
      await wait(isRepaired ? 20 : 600);
      if (isRepaired) await client.query('commit');
      await client.query('select 1').finally(() => client.release(!isRepaired));
    });
  },
  /** Limited by its role. */
  async idleForLong() {
    const pool = open({ max: 2, idleTimeoutMillis: 0 });
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(700);
    });
  },
  async burst() {
    const pool = open({ max: 5 });
    await crowd(1, async () => {
      await Promise.all(Array.from({ length: 8 }, () => pool.query('select pg_sleep(0.01)')));
      await wait(300);
    });
  },
  async full() {
    const pool = open({ max: 4 });
    await crowd(4, () => pool.query('select pg_sleep(0.1)'));
  },
  async cursor() {
    const pool = open({ max: 2 });
    await crowd(4, async () => {
      const client = await pool.connect();
      const cursor = client.query(new Cursor('select * from generate_series(1, 100000)'));
      await cursor.read(10);
      await forget();
      await cursor.close();
      client.release();
    });
  },
  /** Given back with its cursor half read: the next borrower waits behind it. */
  async cursorReleased() {
    const pool = open({ max: 2 });
    const both = await Promise.all([pool.connect(), pool.connect()]);
    for (const client of both) {
      const cursor = client.query(new Cursor('select * from generate_series(1, 100000)'));
      await cursor.read(10);
      if (isRepaired) await cursor.close();
      client.release();
    }
    await crowd(4, async () => {
      await pool.query('select 1');
      await wait(20);
    });
  },
  async clientTimeout() {
    const pool = open({ max: 2, query_timeout: 300 });
    await crowd(2, async () => {
      await pool.query('select pg_sleep(60)');
    });
  },
  async jobs() {
    const pool = open({ max: 4 });
    const ofJobs = isRepaired ? open({ max: 4 }) : pool;
    void crowd(4, async function nightly() {
      await ofJobs.query('select pg_sleep(20)');
    });
    await wait(100);
    await crowd(8, async function route() {
      await pool.query('select 1');
      await wait(isRepaired ? 20 : 0);
    });
  },
  async probe() {
    const pool = open({ max: 2 });
    void crowd(6, () => pool.query('select pg_sleep(3)'));
    await wait(100);
    await crowd(2, () => ready(pool));
  },
  /** Made by two copies of one module. */
  async madeTwice() {
    const { createRequire } = await import('node:module');
    const { pool: one } = createRequire(import.meta.url)('./copies/dist/db.cjs');
    const { pool: other } = isRepaired ? { pool: one } : await import('./copies/esm/db.mjs');
    await crowd(2, async () => {
      await Promise.all([one.query('select 1'), other.query('select pg_sleep(0.05)')]);
      await wait(50);
    });
  },
  /** The size stands where nobody reads it. */
  async misplacedSize() {
    const options = isRepaired ? { max: 50 } : { pool: { max: 50 } };
    const pool = open(/** @type {import('pg').PoolConfig} */ (options));
    await crowd(20, () => pool.query('select pg_sleep(0.1)'));
  },
  /** Many more sockets than files may be open. */
  async manyFiles() {
    const pool = open({ max: 60 });
    await crowd(60, () => pool.query('select pg_sleep(30)'));
  },
  /** Sessions that came up and belong to nobody, beside a pool. */
  async zombies() {
    for (let n = 0; n < 3; n++) await new pg.Client(uri).connect();
    const pool = open({ max: 2 });
    await crowd(2, async () => {
      await pool.query('select 1');
      await wait(50);
    });
  },
  /** A session lock for the leader, in the pool that everybody uses. */
  async leader() {
    const pool = open({ max: 2 });
    const client = await pool.connect();
    await client.query('select pg_advisory_lock(42)');
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(50);
    });
  },
  /** `begin` stands before the try: where it fails nobody gives back. */
  async beginFails() {
    const pool = open({ max: 3 });
    const transaction = async (/** @type {(client: import('pg').PoolClient) => Promise<unknown>} */ work) => {
      const client = await pool.connect();
      client.on('error', fail);
      await client.query('select pg_sleep(0.02)');
      await client.query('select pg_terminate_backend(pg_backend_pid())').catch(fail);
      await client.query('begin');
      try {
        await work(client);
        await client.query('commit');
      } finally {
        client.release();
      }
    };
    await crowd(5, async function checkOut() {
      await transaction((client) => client.query('select 1'));
    });
  },
  async searchPath() {
    const pool = open({ max: 3 });
    pool.on('connect', (client) => void client.query('set search_path = public').catch(fail));
    await crowd(3, async () => {
      await pool.query('select 1');
      await wait(30);
    });
  },
  /** Statements that touch more tables than the server has locks for. */
  async manyLocks() {
    const pool = open({ max: 2 });
    await crowd(2, async () => {
      await pool.query(
        'do $$ begin for i in 1..9000 loop perform pg_advisory_xact_lock(hashint4(i), (random() * 1000000)::int); end loop; end $$',
      );
      await wait(50);
    });
  },
  /** A crowd of workers takes the first job each, without SKIP LOCKED. */
  async jobQueue() {
    const pool = open({ max: 5 });
    await crowd(5, async function worker() {
      const client = await pool.connect();
      await client.query('begin');
      await client.query('select * from accounts order by id limit 1 for update');
      await client.query('select pg_sleep(1)');
      await client.query('commit');
      client.release();
    });
  },
  /** Duplicate keys that the code expects. */
  async duplicates() {
    const pool = open({ max: 3 });
    await crowd(3, async (at) => {
      for (let n = 0; n < 9; n++) await pool.query('select 1');
      await pool.query('insert into accounts values ($1, 0)', [at + 1]).catch(fail);
      await wait(30);
    });
  },
  /** Reads and writes go through two pools of two roles. */
  async readWriteSplit() {
    const other = new URL(uri);
    other.username = 'billing';
    other.password = 'billing';
    const [reads, writes] = [open({ max: 3 }), open({ connectionString: other.href, max: 3 })];
    await crowd(2, async () => {
      await Promise.all([reads.query('select 1'), writes.query('select 2')]);
      await wait(30);
    });
  },
  /** Server time-outs of one role, which a report runs into. */
  async roleTimeout() {
    const pool = open({ max: 3 });
    await crowd(3, () => pool.query('select count(*), pg_sleep(20) from accounts'));
  },
  async waitsForItself() {
    const pool = open({ max: 4 });
    await crowd(1, async () => {
      const client = await pool.connect();
      await client.query('begin; update accounts set balance = balance where id = 5');
      await (isRepaired ? client : pool).query('update accounts set balance = 2 where id = 5');
      await client.query('commit');
      client.release();
    });
  },
  async hourlyFanOut() {
    const pool = open({ max: 10 });
    const summarize = () => pool.query('select pg_sleep(0.4)');
    await crowd(1, () => Promise.all(Array.from({ length: 200 }, summarize)));
  },
  /** A nightly report in a transaction of a minute, in a pool that has room. */
  async longReport() {
    const pool = open({ max: 10 });
    void crowd(1, () => pool.query('select pg_sleep(60)'));
    await crowd(2, async () => {
      await pool.query('select 1');
      await wait(20);
    });
  },
};

await runState(states);
