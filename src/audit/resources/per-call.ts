import type { ResourceSpec } from '../types.js';

// Pools and clients that serve a whole process: one that is made per call has to be ended on every path.

const SHARED =
  'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.';

export const pgPoolPerCall: ResourceSpec = {
  id: 'pg-pool-per-call',
  title: 'a node-postgres pool',
  acquire: [
    {
      kind: 'new',
      name: 'Pool',
      from: ['pg', 'pg-pool', '@neondatabase/serverless'],
      isWhole: true,
      lazy: true,
    },
  ],
  repair: { acquire: ['Pool'], release: 'end', awaits: true, endsTransaction: true },
  release: { methods: ['end'], takes: [], ofParent: [] },
  protocol: [],
  docs: {
    why: 'A pool that is made in a call and not ended keeps its connections until each has been idle long enough. Every call adds more.',
    leaks: `import { Pool } from 'pg';
export async function report(url: string) {
  const pool = new Pool({ connectionString: url });
  const { rows } = await pool.query('select count(*) from orders');
  await pool.end();
  return rows;
}`,
    fixed: `import { Pool } from 'pg';
export async function report(url: string) {
  const pool = new Pool({ connectionString: url });
  try {
    const { rows } = await pool.query('select count(*) from orders');
    return rows;
  } finally {
    await pool.end();
  }
}`,
    exceptions: SHARED,
  },
};

export const mysqlPoolPerCall: ResourceSpec = {
  id: 'mysql-pool-per-call',
  title: 'a MySQL or MariaDB pool',
  acquire: [
    {
      kind: 'function',
      name: 'createPool',
      from: ['mysql2/promise', 'mysql2', 'mysql', 'mariadb', 'promise-mysql'],
      isWhole: true,
      lazy: true,
    },
  ],
  repair: { acquire: ['createPool'], release: 'end', awaits: true, endsTransaction: true },
  release: { methods: ['end'], takes: [], ofParent: [] },
  protocol: [],
  docs: {
    why: 'A pool that is made in a call and not ended keeps its connections open. Every call adds more, until the server refuses them.',
    leaks: `import mysql from 'mysql2/promise';
export async function report(uri: string) {
  const pool = mysql.createPool({ uri });
  const [rows] = await pool.query('select count(*) from orders');
  await pool.end();
  return rows;
}`,
    fixed: `import mysql from 'mysql2/promise';
export async function report(uri: string) {
  const pool = mysql.createPool({ uri });
  try {
    const [rows] = await pool.query('select count(*) from orders');
    return rows;
  } finally {
    await pool.end();
  }
}`,
    exceptions: SHARED,
  },
};

export const mssqlPool: ResourceSpec = {
  id: 'mssql-pool',
  title: 'a SQL Server connection pool',
  acquire: [
    {
      kind: 'new',
      name: 'ConnectionPool',
      from: ['mssql', 'mssql/msnodesqlv8'],
      isWhole: true,
      armedBy: ['connect'],
    },
  ],
  repair: { acquire: ['ConnectionPool'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: ['connect'],
  returnsItself: ['connect'],
  docs: {
    why: 'From connect() on, a ConnectionPool keeps connections open until close().',
    leaks: `import sql from 'mssql';
export async function report(config: sql.config) {
  const pool = new sql.ConnectionPool(config);
  await pool.connect();
  const { recordset } = await pool.request().query('select count(*) from orders');
  await pool.close();
  return recordset;
}`,
    fixed: `import sql from 'mssql';
export async function report(config: sql.config) {
  const pool = new sql.ConnectionPool(config);
  await pool.connect();
  try {
    const { recordset } = await pool.request().query('select count(*) from orders');
    return recordset;
  } finally {
    await pool.close();
  }
}`,
    exceptions: SHARED,
  },
};

export const knexPool: ResourceSpec = {
  id: 'knex-instance',
  title: 'a knex instance with its pool',
  acquire: [
    { kind: 'function', name: 'knex', from: ['knex'], isWhole: true, lazy: true },
    { kind: 'function', name: 'Knex', from: ['knex'], isWhole: true, lazy: true },
  ],
  repair: { acquire: ['knex', 'Knex'], release: 'destroy', awaits: true, endsTransaction: true },
  release: { methods: ['destroy'], takes: [], ofParent: [] },
  protocol: [],
  docs: {
    why: 'An instance holds a pool of its own until destroy(). Every call adds another pool.',
    leaks: `import knex from 'knex';
export async function report(connection: string) {
  const db = knex({ client: 'pg', connection });
  const rows = await db.raw('select count(*) from orders');
  await db.destroy();
  return rows;
}`,
    fixed: `import knex from 'knex';
export async function report(connection: string) {
  const db = knex({ client: 'pg', connection });
  try {
    const rows = await db.raw('select count(*) from orders');
    return rows;
  } finally {
    await db.destroy();
  }
}`,
    exceptions: SHARED,
  },
};

export const sequelizeInstance: ResourceSpec = {
  id: 'sequelize-instance',
  title: 'a Sequelize instance with its pool',
  acquire: [
    {
      kind: 'new',
      name: 'Sequelize',
      from: ['sequelize', 'sequelize-typescript', '@sequelize/core'],
      isWhole: true,
      lazy: true,
    },
  ],
  repair: { acquire: ['Sequelize'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: ['authenticate'],
  docs: {
    why: 'An instance holds a pool of its own until close(). Every call adds another pool.',
    leaks: `import { Sequelize } from 'sequelize';
export async function report(url: string) {
  const db = new Sequelize(url);
  const [rows] = await db.query('select count(*) from orders');
  await db.close();
  return rows;
}`,
    fixed: `import { Sequelize } from 'sequelize';
export async function report(url: string) {
  const db = new Sequelize(url);
  try {
    const [rows] = await db.query('select count(*) from orders');
    return rows;
  } finally {
    await db.close();
  }
}`,
    exceptions: SHARED,
  },
};

export const dataSource: ResourceSpec = {
  id: 'typeorm-data-source',
  title: 'a TypeORM data source with its pool',
  acquire: [
    { kind: 'new', name: 'DataSource', from: ['typeorm'], isWhole: true, armedBy: ['initialize', 'connect'] },
    { kind: 'function', name: 'createConnection', from: ['typeorm'], isWhole: true },
    { kind: 'function', name: 'createConnections', from: ['typeorm'], isWhole: true },
  ],
  release: { methods: ['destroy', 'close'], takes: [], ofParent: [] },
  protocol: ['initialize', 'connect'],
  returnsItself: ['initialize', 'connect'],
  docs: {
    why: 'From initialize() on, a data source holds a pool of connections until destroy(). Every call adds another pool.',
    leaks: `import { DataSource } from 'typeorm';
export async function report(url: string) {
  const source = new DataSource({ type: 'postgres', url });
  await source.initialize();
  const rows = await source.query('select count(*) from orders');
  await source.destroy();
  return rows;
}`,
    fixed: `import { DataSource } from 'typeorm';
export async function report(url: string) {
  const source = new DataSource({ type: 'postgres', url });
  await source.initialize();
  try {
    const rows = await source.query('select count(*) from orders');
    return rows;
  } finally {
    await source.destroy();
  }
}`,
    exceptions: SHARED,
  },
};

export const prismaClient: ResourceSpec = {
  id: 'prisma-client',
  title: 'a Prisma client with its pool',
  acquire: [{ kind: 'new', name: 'PrismaClient', from: ['@prisma/client'], isWhole: true, lazy: true }],
  repair: { acquire: ['PrismaClient'], release: '$disconnect', awaits: true, endsTransaction: true },
  release: { methods: ['$disconnect'], takes: [], ofParent: [] },
  protocol: ['$connect'],
  docs: {
    why: 'A client holds a pool of connections from its first query on, until $disconnect(). Every call adds another pool.',
    leaks: `import { PrismaClient } from '@prisma/client';
export async function report() {
  const db = new PrismaClient();
  const rows = await db.$queryRaw\`select count(*) from orders\`;
  await db.$disconnect();
  return rows;
}`,
    fixed: `import { PrismaClient } from '@prisma/client';
export async function report() {
  const db = new PrismaClient();
  try {
    const rows = await db.$queryRaw\`select count(*) from orders\`;
    return rows;
  } finally {
    await db.$disconnect();
  }
}`,
    exceptions: SHARED,
  },
};

export const mongooseConnection: ResourceSpec = {
  id: 'mongoose-connection',
  title: 'a Mongoose connection',
  acquire: [
    { kind: 'function', name: 'createConnection', from: ['mongoose'], isWhole: true },
    { kind: 'method', name: 'createConnection', on: ['mongoose#'], isWhole: true },
  ],
  repair: { acquire: ['createConnection'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close', 'destroy'], takes: [], ofParent: [] },
  protocol: ['asPromise'],
  docs: {
    why: 'createConnection() opens a pool of its own, which stays until close().',
    leaks: `import mongoose from 'mongoose';
export async function report(url: string) {
  const connection = await mongoose.createConnection(url).asPromise();
  const count = await connection.collection('orders').countDocuments();
  await connection.close();
  return count;
}`,
    fixed: `import mongoose from 'mongoose';
export async function report(url: string) {
  const connection = await mongoose.createConnection(url).asPromise();
  try {
    const count = await connection.collection('orders').countDocuments();
    return count;
  } finally {
    await connection.close();
  }
}`,
    exceptions: SHARED,
  },
};

export const mikroOrm: ResourceSpec = {
  id: 'mikro-orm',
  title: 'a MikroORM instance with its pool',
  acquire: [
    {
      kind: 'method',
      name: 'init',
      on: [
        '@mikro-orm/core#MikroORM',
        '@mikro-orm/postgresql#MikroORM',
        '@mikro-orm/mysql#MikroORM',
        '@mikro-orm/mariadb#MikroORM',
        '@mikro-orm/mongodb#MikroORM',
        '@mikro-orm/sqlite#MikroORM',
        '@mikro-orm/better-sqlite#MikroORM',
        '@mikro-orm/libsql#MikroORM',
        '@mikro-orm/mssql#MikroORM',
        '@mikro-orm/knex#MikroORM',
      ],
      isWhole: true,
      inFilesWith: 'mikro-orm',
    },
  ],
  repair: { acquire: ['init'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: [],
  docs: {
    why: 'An instance holds a pool of its own until close(). Every call adds another pool.',
    leaks: `import { MikroORM, type Options } from '@mikro-orm/postgresql';
export async function report(options: Options) {
  const orm = await MikroORM.init(options);
  const rows = await orm.em.fork().execute('select count(*) from orders');
  await orm.close();
  return rows;
}`,
    fixed: `import { MikroORM, type Options } from '@mikro-orm/postgresql';
export async function report(options: Options) {
  const orm = await MikroORM.init(options);
  try {
    const rows = await orm.em.fork().execute('select count(*) from orders');
    return rows;
  } finally {
    await orm.close();
  }
}`,
    exceptions: SHARED,
  },
};

export const clickhouse: ResourceSpec = {
  id: 'clickhouse-client',
  title: 'a ClickHouse client',
  acquire: [
    { kind: 'function', name: 'createClient', from: ['@clickhouse/client'], isWhole: true, lazy: true },
  ],
  repair: { acquire: ['createClient'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close'], takes: [], ofParent: [] },
  protocol: ['ping'],
  docs: {
    why: 'A client keeps its sockets to the server open until close().',
    leaks: `import { createClient } from '@clickhouse/client';
export async function report(url: string) {
  const client = createClient({ url });
  const rows = await client.query({ query: 'select count() from orders' });
  await client.close();
  return rows;
}`,
    fixed: `import { createClient } from '@clickhouse/client';
export async function report(url: string) {
  const client = createClient({ url });
  try {
    const rows = await client.query({ query: 'select count() from orders' });
    return rows;
  } finally {
    await client.close();
  }
}`,
    exceptions: SHARED,
  },
};

export const cassandra: ResourceSpec = {
  id: 'cassandra-client',
  title: 'a Cassandra client',
  acquire: [{ kind: 'new', name: 'Client', from: ['cassandra-driver'], isWhole: true, lazy: true }],
  repair: { acquire: ['Client'], release: 'shutdown', awaits: true, endsTransaction: true },
  release: { methods: ['shutdown'], takes: [], ofParent: [] },
  protocol: ['connect'],
  docs: {
    why: 'A client keeps connections to every node of the cluster until shutdown().',
    leaks: `import { Client, type ClientOptions } from 'cassandra-driver';
export async function report(options: ClientOptions) {
  const client = new Client(options);
  const { rows } = await client.execute('select count(*) from orders');
  await client.shutdown();
  return rows;
}`,
    fixed: `import { Client, type ClientOptions } from 'cassandra-driver';
export async function report(options: ClientOptions) {
  const client = new Client(options);
  try {
    const { rows } = await client.execute('select count(*) from orders');
    return rows;
  } finally {
    await client.shutdown();
  }
}`,
    exceptions: SHARED,
  },
};
