// An application on another library that runs into an incident: `node libraries.mjs URL STATE [repaired]`.
import { crowd, forget, isRepaired, never, runState, uri, wait } from './kit.mjs';

/** Only the library of the state is loaded: all of them take seconds. */
const load = {
  generic: async () => (await import('generic-pool')).default,
  knex: async () => (await import('knex')).default,
  mariadb: async () => (await import('mariadb')).default,
  mysql: async () => (await import('mysql2/promise')).default,
  pg: async () => (await import('pg')).default,
  postgres: async () => (await import('postgres')).default,
  sequelize: async () => (await import('sequelize')).Sequelize,
  typeorm: async () => (await import('typeorm')).DataSource,
};

const place = new URL(uri);
const account = {
  host: place.hostname,
  port: Number(place.port),
  user: decodeURIComponent(place.username),
  password: decodeURIComponent(place.password),
  database: place.pathname.slice(1),
};
const isMysql = uri.startsWith('mysql:');

const openKnex = async () =>
  (await load.knex())({ client: isMysql ? 'mysql2' : 'pg', connection: account, pool: { min: 0, max: 3 } });
const openSequelize = async () =>
  new (await load.sequelize())(account.database, account.user, account.password, {
    ...{ host: account.host, port: account.port, dialect: isMysql ? 'mysql' : 'postgres', logging: false },
    pool: { max: 3 },
  });
const openTypeorm = async () =>
  new (await load.typeorm())(
    /** @type {import('typeorm').DataSourceOptions} */ ({
      ...{
        type: isMysql ? 'mysql' : 'postgres',
        host: account.host,
        port: account.port,
        username: account.user,
      },
      ...{ password: account.password, database: account.database, poolSize: 3, connectorPackage: 'mysql2' },
    }),
  ).initialize();
const openMariadb = async () => (await load.mariadb()).createPool({ ...account, connectionLimit: 3 });
const SLEEP = isMysql ? 'select sleep(20)' : 'select pg_sleep(20)';

/** @type {Readonly<Record<string, () => Promise<unknown>>>} */
const states = {
  async knexTransactionForgotten() {
    const db = await openKnex();
    await crowd(5, async function order(at) {
      const trx = await db.transaction();
      await trx('accounts')
        .where({ id: at + 1 })
        .update({ balance: 1 });
      await never();
    });
  },
  /** Inside a transaction a statement goes past it, and needs a second connection. */
  async knexPastItsTransaction() {
    const db = await openKnex();
    await crowd(3, () =>
      db.transaction(async (trx) => {
        await trx.raw('select 1');
        await wait(100);
        await db('accounts').where({ id: 1 });
      }),
    );
  },
  async knexSlow() {
    const db = await openKnex();
    await crowd(6, () => db.raw(SLEEP));
  },
  async knexLocked() {
    const db = await openKnex();
    await crowd(6, () => db('accounts').where({ id: 1 }).update({ balance: 2 }));
  },
  async sequelizeUnmanaged() {
    const db = await openSequelize();
    await crowd(5, async function cart() {
      const transaction = await db.transaction();
      await db.query('update accounts set balance = 1 where id = 7', { transaction });
      await never();
    });
  },
  async sequelizePastItsTransaction() {
    const db = await openSequelize();
    await crowd(3, async function order() {
      await db.transaction(async (transaction) => {
        await db.query('select 1', { transaction });
        await wait(100);
        await db.query('select 1');
      });
    });
  },
  async typeormRunnerKept() {
    const source = await openTypeorm();
    await crowd(5, async function report() {
      const runner = source.createQueryRunner();
      await runner.query('select 1');
      await never();
    });
  },
  async typeormRemoteCall() {
    const source = await openTypeorm();
    await crowd(9, (at) =>
      source.transaction(async (manager) => {
        await manager.query(`update accounts set balance = 1 where id = ${at + 1}`);
        await wait(400);
      }),
    );
  },
  async postgresReserved() {
    const sql = (await load.postgres())(uri, { max: 3 });
    await crowd(5, async function job() {
      const own = await sql.reserve();
      await own`select 1`;
      await never();
    });
  },
  async postgresBeginPastIt() {
    const sql = (await load.postgres())(uri, { max: 3 });
    await crowd(3, () =>
      sql.begin(async (own) => {
        await own`select 1`;
        await wait(100);
        await sql`select 1`;
      }),
    );
  },
  async postgresListen() {
    const sql = (await load.postgres())(uri, { max: 3 });
    await sql.listen('jobs', () => {});
    await crowd(1, async () => {
      await sql`select 1`;
      await wait(100);
    });
  },
  async mariadbErrorPath() {
    const pool = await openMariadb();
    await crowd(5, async function place() {
      const connection = await pool.getConnection();
      await connection.beginTransaction();
      await connection.query('update accounts set balance = 1 where id = 3');
      await never();
    });
  },
  async mariadbSlow() {
    const pool = (await load.mariadb()).createPool({ ...account, connectionLimit: 3, acquireTimeout: 1000 });
    await crowd(6, () => pool.query(SLEEP));
  },
  async mariadbLeak() {
    const pool = await openMariadb();
    await crowd(5, async function profile() {
      const connection = await pool.getConnection();
      await connection.query('select 1');
      await never();
    });
  },
  /** A statement of the flow waits for the lock of its own transaction, on another connection. */
  async mysqlWaitsForItself() {
    const pool = (await load.mysql()).createPool({ uri, connectionLimit: 4 });
    await crowd(1, async () => {
      const connection = await pool.getConnection();
      await connection.beginTransaction();
      await connection.query('update accounts set balance = 1 where id = 5');
      await pool.query('update accounts set balance = 2 where id = 5');
      await connection.commit();
      connection.release();
    });
  },
  async mysqlIdleTimeoutTiny() {
    const pool = (await load.mysql()).createPool({ uri, connectionLimit: 10, maxIdle: 1, idleTimeout: 100 });
    await crowd(1, async () => {
      await Promise.all([1, 2, 3, 4, 5].map(() => pool.query('select 1')));
      await wait(1200);
    });
  },
  /** A transaction inside another one, each on a connection of its own. */
  async sequelizeNested() {
    const db = await openSequelize();
    await crowd(5, async function place() {
      await db.transaction(async () => {
        await wait(100);
        await db.transaction(async () => {});
      });
    });
  },
  /** A helper for tests rolls back, and never releases its runner. */
  async typeormWithTx() {
    const source = await openTypeorm();
    const withTx = async (
      /** @type {(runner: import('typeorm').QueryRunner) => Promise<unknown>} */ work,
    ) => {
      const runner = source.createQueryRunner();
      await runner.connect();
      await runner.startTransaction();
      try {
        await work(runner);
      } finally {
        await runner.rollbackTransaction();
        if (isRepaired) await runner.release();
      }
    };
    await crowd(5, async function creates() {
      await withTx((runner) => runner.query('select 1'));
    });
  },
  /** The promise of the transaction is not awaited before its handler answers, and nobody ends it. */
  async knexNotEnded() {
    const db = await openKnex();
    await crowd(5, async function handler(at) {
      const trx = await db.transaction();
      await trx('accounts')
        .where({ id: at + 1 })
        .update({ balance: 1 });
      await forget();
      await trx.commit();
    });
  },
  /** The server ends what waits inside begin. */
  async postgresBeginKilled() {
    // It writes to a socket that is gone.
    process.on('uncaughtException', () => {});
    const sql = (await load.postgres())(uri, { max: 3, onnotice() {} });
    await crowd(3, async function enroll() {
      await sql.begin(async (own) => {
        await own`select 1`;
        await wait(isRepaired ? 10 : 700);
        await own`select 1`;
      });
      await wait(20);
    });
  },
  /** Connections that live for a second. */
  async postgresLifetime() {
    const sql = (await load.postgres())(uri, { max: 3, idle_timeout: 0.02 });
    await crowd(1, async () => {
      await sql`select 1`;
      await wait(120);
    });
  },
  async genericPoolLeak() {
    const pool = (await load.generic()).createPool(
      {
        create: async () => {
          const client = new (await load.pg()).Client(uri);
          client.on('error', () => {});
          await client.connect();
          return client;
        },
        destroy: (client) => client.end(),
      },
      { max: 3 },
    );
    await crowd(5, async function invoice() {
      const client = await pool.acquire();
      await client.query('select 1');
      await forget();
      await pool.release(client);
    });
  },
  /** An acquire limit below the time that the statement takes. */
  async knexImpatient() {
    const db = (await load.knex())({
      ...{ client: isMysql ? 'mysql2' : 'pg', connection: account, pool: { min: 0, max: 3 } },
      acquireConnectionTimeout: 1000,
    });
    await crowd(8, () => db.raw(SLEEP));
  },
  /** A session store and a job runner of their own, beside the pool of the application. */
  async secondPool() {
    const db = await openKnex();
    const own = new (await load.pg()).Pool({ connectionString: uri, max: 10 });
    const sql = (await load.postgres())(uri, { max: 10, onnotice() {} });
    await crowd(2, async () => {
      await Promise.all([db.raw('select 1'), own.query('select 2'), sql`select 3`]);
      await wait(50);
    });
  },
  async steady() {
    const db = await openKnex();
    await crowd(2, async () => {
      await db('accounts').where({ id: 1 });
      await wait(10);
    });
  },
};

await runState(states);
