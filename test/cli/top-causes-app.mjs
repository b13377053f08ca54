// An application with no word of poolctl whose pool runs dry, in one way or another: `node top-causes-app.mjs URL STATE`.
// It goes on until it is ended; more want a connection than its pool has.
import pg from 'pg';

const [, , connectionString, state = ''] = process.argv;

/** @param {number} max */
const open = (max) => new pg.Pool({ connectionString, max });
/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** So many at once, each again and again. */
const crowd = (/** @type {number} */ count, /** @type {() => Promise<unknown>} */ work) =>
  Promise.all(
    Array.from({ length: count }, async () => {
      for (;;) await work();
    }),
  );

/** @type {Readonly<Record<string, () => Promise<unknown>>>} */
const states = {
  /** Whoever gets a connection keeps it. */
  async leak() {
    const pool = open(3);
    await crowd(7, async function reserve() {
      const client = await pool.connect();
      await client.query('select id from accounts limit 1');
      await new Promise(() => {});
    });
  },

  /** All change the same row, which somebody else has changed and not committed. */
  async locks() {
    const pool = open(3);
    await crowd(7, () => pool.query('update accounts set balance = balance + 1 where id = 1'));
  },

  async slow() {
    const pool = open(5);
    await crowd(9, () => pool.query('select count(*), pg_sleep(600) from accounts'));
  },

  /** Quick queries, of which more come than two connections have time for. */
  async small() {
    const pool = open(2);
    await crowd(12, () => pool.query('select pg_sleep(0.01)'));
  },

  /** Six connections, for which the pooler has two. */
  async pooler() {
    const pool = open(6);
    await crowd(9, () => pool.query('select pg_sleep(0.1)'));
  },

  /** The pool may have more connections than the server. */
  async limit() {
    const pool = open(30);
    await crowd(30, async function hold() {
      try {
        const client = await pool.connect();
        await client.query('select pg_sleep(0.5)').finally(() => client.release());
      } catch {
        await wait(100);
      }
    });
  },

  /** Each keeps its connection while it asks somebody who takes his time. */
  async elsewhere() {
    const pool = open(3);
    await crowd(7, async function ask() {
      const client = await pool.connect();
      await client.query('select id from accounts limit 1');
      await wait(4000);
      client.release();
    });
  },
};

await states[state]?.();
