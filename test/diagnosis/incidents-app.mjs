// An application with no word of poolctl that runs into one of the catalog's incidents: `node incidents-app.mjs URL STATE`.
// It goes on until it is ended.
import pg from 'pg';

const [, , connectionString, state = ''] = process.argv;

/** @param {import('pg').PoolConfig} options */
const open = (options) => {
  const pool = new pg.Pool({ connectionString, ...options });
  pool.on('error', () => {});
  return pool;
};
/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** So many at once, each again and again; what fails is tried again. */
const crowd = (/** @type {number} */ count, /** @type {(at: number) => Promise<unknown>} */ work) =>
  Promise.all(
    Array.from({ length: count }, async (_, at) => {
      for (;;) await work(at).catch(() => wait(50));
    }),
  );

/** @type {Readonly<Record<string, () => Promise<unknown>>>} */
const states = {
  /** A branch leaves out COMMIT and release. */
  async leftOpen() {
    const pool = open({ max: 3 });
    await crowd(6, async function reserve(at) {
      const client = await pool.connect();
      await client.query('begin');
      await client.query('update accounts set balance = balance + 1 where id = $1', [at + 1]);
      await new Promise(() => {});
    });
  },
  /** A call to another service inside a transaction. */
  async remoteCall() {
    const pool = open({ max: 3 });
    await crowd(12, async (at) => {
      const client = await pool.connect();
      await client.query('begin');
      await client.query('update accounts set balance = balance + 1 where id = $1', [(at % 9) + 1]);
      await wait(200 + at * 40);
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
    client.release();
    await crowd(1, async () => {
      await pool.query('insert into log values (2)');
      await wait(100);
    });
  },
  async listen() {
    const pool = open({ max: 2 });
    const client = await pool.connect();
    await client.query('listen jobs');
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(200);
    });
  },
  async poolPerRequest() {
    const kept = [];
    for (let i = 0; i < 12; i++) {
      const pool = open({ max: 3 });
      await pool.query('select 1');
      kept.push(pool);
    }
    await crowd(1, () => wait(1000));
    return kept;
  },
  async fanOut() {
    const pool = open({ max: 5 });
    await crowd(1, () => Promise.all(Array.from({ length: 300 }, () => pool.query('select pg_sleep(0.05)'))));
  },
  async ended() {
    const pool = open({ max: 2 });
    await pool.query('select 1');
    await pool.end();
    await crowd(1, () => pool.query('select 1'));
  },
  async nested() {
    const pool = open({ max: 3 });
    await crowd(3, async () => {
      const outer = await pool.connect();
      await outer.query('select 1');
      await wait(100);
      const inner = await pool.connect();
      inner.release();
      outer.release();
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
  async named() {
    const pool = open({ max: 5 });
    await crowd(5, async (at) => {
      await pool.query({ name: 'a', text: 'select $1::int', values: [at] });
      await wait(5);
    });
  },
  async churn() {
    const pool = open({ max: 5, idleTimeoutMillis: 1 });
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(30);
    });
  },
  async deadlock() {
    const pool = open({ max: 6 });
    await crowd(4, async (at) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        const [a, b] = at % 2 === 0 ? [1, 2] : [2, 1];
        await client.query('update accounts set balance = balance + 1 where id = $1', [a]);
        await client.query('select pg_sleep(0.1)');
        await client.query('update accounts set balance = balance + 1 where id = $1', [b]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    });
  },
  async cachedPlan() {
    const pool = open({ max: 2 });
    await pool.query({ name: 'q', text: 'select * from log' });
    await pool.query('alter table log add column if not exists c1 int');
    await pool.query({ name: 'q', text: 'select * from log' }).catch(() => {});
    await pool.query('alter table log drop column c1');
    await crowd(1, async () => {
      await wait(200);
      await pool.query({ name: 'q', text: 'select * from log' });
    });
  },
  async killedIdle() {
    const pool = open({ max: 2 });
    await crowd(1, async () => {
      const client = await pool.connect();
      client.on('error', () => {});
      await client.query("set idle_in_transaction_session_timeout = '200ms'");
      await client.query('begin');
      await client.query('select 1');
      await wait(600);
      await client.query('select 1').finally(() => client.release(true));
    });
  },
  async idleCut() {
    const pool = open({ max: 2 });
    await crowd(1, async () => {
      await pool.query("set idle_session_timeout = '200ms'");
      await wait(700);
      await pool.query('select 1');
    });
  },
  async row() {
    const pool = open({ max: 5 });
    await crowd(9, () => pool.query('update accounts set balance = balance + 1 where id = 1'));
  },
  /** Needs others to hold the database up; only connects. */
  async ask() {
    const pool = open({ max: 3 });
    await crowd(6, async () => {
      await pool.query('select 1');
      await wait(20);
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
    const { default: Cursor } = await import('pg-cursor');
    const pool = open({ max: 2 });
    await crowd(4, async () => {
      const client = await pool.connect();
      const cursor = client.query(new Cursor('select * from generate_series(1, 100000)'));
      await cursor.read(10);
      await new Promise(() => {});
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
    void crowd(4, async function nightly() {
      await pool.query('select pg_sleep(20)');
    });
    await wait(100);
    await crowd(8, async function route() {
      await pool.query('select 1');
    });
  },
};

await states[state]?.();
