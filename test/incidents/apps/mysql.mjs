// An application on mysql2 that runs into an incident: `node mysql.mjs URL STATE [repaired]`.
import callbacks from 'mysql2';
import mysql from 'mysql2/promise';
import { crowd, forget, isRepaired, runState, uri, wait } from './kit.mjs';

/** @param {import('mysql2').PoolOptions} options */
const open = (options) => mysql.createPool({ uri, waitForConnections: true, ...options });
/** @type {Readonly<Record<string, () => Promise<unknown>>>} */
const states = {
  async leak() {
    const pool = open({ connectionLimit: 3 });
    await crowd(6, async function cart() {
      const connection = await pool.getConnection();
      await connection.query('select 1');
      await forget();
      connection.release();
    });
  },
  async leftOpen() {
    const pool = open({ connectionLimit: 3 });
    await crowd(6, async function reserve(at) {
      const connection = await pool.getConnection();
      await connection.beginTransaction();
      await connection.query('update accounts set balance = balance + 1 where id = ?', [at + 1]);
      await forget();
      await connection.commit();
      connection.release();
    });
  },
  async remoteCall() {
    const pool = open({ connectionLimit: 3 });
    await crowd(12, async (at) => {
      const connection = await pool.getConnection();
      await connection.beginTransaction();
      await connection.query('update accounts set balance = balance + 1 where id = ?', [(at % 9) + 1]);
      await wait(200 + at * 40);
      await connection.commit();
      connection.release();
    });
  },
  async poisoned() {
    const pool = open({ connectionLimit: 1 });
    const connection = await pool.getConnection();
    await connection.beginTransaction();
    await connection.query('insert into log values (1)');
    if (isRepaired) await connection.rollback();
    connection.release();
    await crowd(1, async () => {
      await pool.query('insert into log values (2)');
      await wait(100);
    });
  },
  async slow() {
    const pool = open({ connectionLimit: 3 });
    await crowd(6, () => pool.query('select benchmark(300000000, md5(1))'));
  },
  async sleep() {
    const pool = open({ connectionLimit: 3 });
    await crowd(6, () => pool.query('select sleep(20)'));
  },
  async row() {
    const pool = open({ connectionLimit: 3 });
    await crowd(6, () => pool.query('update accounts set balance = balance + 1 where id = 1'));
  },
  async read() {
    const pool = open({ connectionLimit: 3 });
    await crowd(6, async () => {
      await pool.query('select * from accounts where id = 1');
      await wait(20);
    });
  },
  async write() {
    const pool = open({ connectionLimit: 3 });
    await crowd(3, async () => {
      await pool.query('insert into log values (1)');
      await wait(20);
    });
  },
  async userLock() {
    const pool = open({ connectionLimit: 3 });
    await crowd(3, () => pool.query("select get_lock('nightly', 60)"));
  },
  async deadlock() {
    const pool = open({ connectionLimit: 4 });
    await crowd(4, async (at) => {
      const connection = await pool.getConnection();
      try {
        await connection.beginTransaction();
        const [a, b] = at % 2 === 0 || isRepaired ? [1, 2] : [2, 1];
        await connection.query('update accounts set balance = balance + 1 where id = ?', [a]);
        await wait(isRepaired ? 0 : 100);
        await connection.query('update accounts set balance = balance + 1 where id = ?', [b]);
        await connection.commit();
      } catch (error) {
        await connection.rollback();
        throw error;
      } finally {
        connection.release();
      }
    });
  },
  async lockTimeout() {
    const pool = open({ connectionLimit: 3 });
    pool.on('connection', (connection) => void connection.query('set innodb_lock_wait_timeout = 1'));
    await crowd(3, () => pool.query('update accounts set balance = balance + 1 where id = 1'));
  },
  async idleCut() {
    const pool = open({ connectionLimit: 3 });
    pool.on('connection', (connection) => void connection.query('set wait_timeout = 1'));
    for (;;) {
      await Promise.all([1, 2, 3].map(() => pool.query('select 1').catch(() => {})));
      await wait(2500);
    }
  },
  async idleTransactionCut() {
    const pool = open({ connectionLimit: 3 });
    await crowd(2, async () => {
      const connection = await pool.getConnection();
      try {
        await connection.query('set idle_transaction_timeout = 1');
        await connection.beginTransaction();
        await connection.query('insert into log values (1)');
        await wait(2500);
        await connection.query('insert into log values (1)');
      } finally {
        connection.release();
      }
    });
  },
  async statements() {
    const pool = open({ connectionLimit: 3, maxPreparedStatements: 10000 });
    let n = 0;
    await crowd(3, async () => {
      await pool.execute(`select ${n++}`);
    });
  },
  async statementTimeout() {
    const pool = open({ connectionLimit: 3 });
    await crowd(3, () => pool.query('set statement max_statement_time = 0.3 for select sleep(30)'));
  },
  async clientTimeout() {
    const pool = open({ connectionLimit: 2 });
    await crowd(2, () => pool.query({ sql: 'select sleep(60)', timeout: 300 }));
  },
  async nested() {
    const pool = open({ connectionLimit: 3 });
    await crowd(3, async () => {
      const outer = await pool.getConnection();
      await outer.query('select 1');
      await wait(100);
      if (!isRepaired) {
        const inner = await pool.getConnection();
        inner.release();
      }
      outer.release();
    });
  },
  async fanOut() {
    const pool = open({ connectionLimit: 5 });
    await crowd(1, () => Promise.all(Array.from({ length: 300 }, () => pool.query('select sleep(0.05)'))));
  },
  async poolPerRequest() {
    const kept = [];
    for (let i = 0; i < (isRepaired ? 1 : 12); i++) {
      const pool = open({ connectionLimit: 3 });
      await pool.query('select 1');
      kept.push(pool);
    }
    await crowd(1, () => wait(1000));
    return kept;
  },
  async ended() {
    const pool = open({ connectionLimit: 2 });
    await pool.query('select 1');
    if (!isRepaired) await pool.end();
    await crowd(1, async () => {
      await pool.query('select 1');
      await wait(20);
    });
  },
  /** A pool that refuses instead of queuing, under more callers than it has places. */
  async refusing() {
    const pool = open({ connectionLimit: 2, waitForConnections: false });
    await crowd(6, () => pool.query('select sleep(3)'));
  },
  async queueLimit() {
    const pool = open({ connectionLimit: 2, queueLimit: 2 });
    await crowd(10, () => pool.query('select sleep(0.2)'));
  },
  async burst() {
    const pool = open({ connectionLimit: 5 });
    await crowd(1, async () => {
      await Promise.all(Array.from({ length: 8 }, () => pool.query('select sleep(0.01)')));
      await wait(300);
    });
  },
  async full() {
    const pool = open({ connectionLimit: 4 });
    await crowd(4, () => pool.query('select sleep(0.1)'));
  },
  async stream() {
    const pool = callbacks.createPool({ uri, connectionLimit: 2 });
    await crowd(
      4,
      () =>
        new Promise(() => {
          pool.getConnection((_error, connection) => {
            const rows = connection
              .query('select a.id, repeat("x", 1000) from accounts a, accounts b, accounts c, accounts d')
              .stream({ highWaterMark: 5 });
            rows.once('data', () => rows.pause());
          });
        }),
    );
  },
};

await runState(states);
