// An application on pg that runs into an incident: `node pg-app.mjs URL STATE`. It goes on until it is ended.
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
    await new Promise(() => {});
  },
  async idle() {
    const pool = open({ max: 3, idleTimeoutMillis: 0 });
    await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.1)')));
    await new Promise(() => setInterval(() => {}, 1000));
  },
  async quiet() {
    const pool = open({ max: 3, idleTimeoutMillis: 0 });
    for (;;) {
      await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.05)').catch(() => {})));
      await wait(1700);
    }
  },
  async advisory() {
    const pool = open({ max: 4 });
    await crowd(3, () => pool.query('select pg_advisory_lock(42)'));
  },
  async schemaParameter() {
    const pool = open({ max: 2, options: '-c search_path=app' });
    await crowd(2, () => pool.query('select 1'));
  },
  async limited() {
    const pool = open({ max: 3, statement_timeout: 1000 });
    await crowd(4, () => pool.query('select pg_sleep(30)'));
  },
  async slowDns() {
    const { default: dns } = await import('node:dns');
    /** A resolver that loses every look-up. @type {(...args: unknown[]) => void} */
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
  async replica() {
    const pool = open({ max: 3 });
    await crowd(3, () => pool.query('select count(*), pg_sleep(3) from accounts'));
  },
};

setInterval(() => {}, 1000);
await states[state]?.();
