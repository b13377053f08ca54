import type { AcquirePattern, ResourceSpec } from '../../types.js';

const HANDED = ['$handover'];
const QUIET = [
  'cursor',
  'rollback',
  'set_session',
  'set_isolation_level',
  'begin',
  'start',
  'transaction',
  'ping',
];

function connects(...from: string[]): AcquirePattern {
  return { kind: 'function', name: 'connect', from };
}

/** The parts that the drivers of the DB-API have in common. */
function connection(
  spec: Pick<ResourceSpec, 'id' | 'title' | 'acquire'> & {
    readonly isKeptByBlock?: boolean;
    /** Work on it is awaited. */
    readonly isAsync?: boolean;
    readonly takes?: readonly string[];
    readonly methods?: readonly string[];
    readonly why: string;
    readonly example?: string;
    /** The whole of both examples, for drivers that are awaited. */
    readonly examples?: readonly [leaks: string, fixed: string];
    readonly exceptions: string;
  },
): ResourceSpec {
  const {
    examples,
    isKeptByBlock = false,
    isAsync = false,
    takes = [],
    methods = ['close'],
    why,
    example = '',
    exceptions,
    ...rest
  } = spec;
  return {
    ...rest,
    language: 'python',
    release: { methods, takes, ofParent: ['closeall'], ...(isKeptByBlock ? { isKeptByBlock } : {}) },
    handoff: HANDED,
    protocol: QUIET,
    isSync: true,
    ...(isAsync ? {} : { block: 'closing' }),
    docs: {
      why,
      leaks:
        examples?.[0] ??
        `${example}
    rows = connection.execute("select name from users").fetchall()
    connection.close()
    return rows`,
      fixed:
        examples?.[1] ??
        `from contextlib import closing
${example.replace(/connection = (.*)$/, 'with closing($1) as connection:')}
        return connection.execute("select name from users").fetchall()`,
      exceptions,
    },
  };
}

export const psycopg2 = connection({
  id: 'psycopg2-connection',
  title: 'a psycopg2 connection',
  acquire: [
    connects('psycopg2'),
    {
      kind: 'method',
      name: 'getconn',
      on: ['psycopg2/pool#*', 'psycopg2#*'],
      named: /pool/i,
    },
  ],
  takes: ['putconn'],
  isKeptByBlock: true,
  why: 'A pool keeps a reference to every connection that it has lent, so nothing but putconn() brings it back. `with connection` ends the transaction only.',
  example: `import psycopg2

def names(dsn):
    connection = psycopg2.connect(dsn)`,
  exceptions: 'closeall() of the pool closes all of its connections.',
});

export const psycopgPool = connection({
  id: 'psycopg-pool',
  title: 'a connection of a psycopg pool',
  acquire: [{ kind: 'method', name: 'getconn', on: ['psycopg_pool#*'], named: /(?!)/ }],
  takes: ['putconn'],
  isKeptByBlock: true,
  why: 'A connection that getconn() lends comes back by putconn() only. `with connection` ends the transaction.',
  examples: [
    `from psycopg_pool import ConnectionPool
pool = ConnectionPool("dbname=shop")

def names():
    connection = pool.getconn()
    rows = connection.execute("select name from users").fetchall()
    pool.putconn(connection)
    return rows`,
    `from psycopg_pool import ConnectionPool
pool = ConnectionPool("dbname=shop")

def names():
    with pool.connection() as connection:
        return connection.execute("select name from users").fetchall()`,
  ],
  exceptions: '`with pool.connection() as connection` gives it back.',
});

export const psycopg = connection({
  id: 'psycopg-connection',
  title: 'a psycopg connection',
  acquire: [
    connects('psycopg'),
    { kind: 'method', name: 'connect', on: ['psycopg#Connection', 'psycopg#AsyncConnection'], named: /(?!)/ },
  ],
  why: 'A connection holds a server process until close().',
  example: `import psycopg

def names(dsn):
    connection = psycopg.connect(dsn)`,
  exceptions: '`with psycopg.connect(...)` closes it, other than in psycopg2.',
});

export const asyncpg = connection({
  id: 'asyncpg-connection',
  isAsync: true,
  title: 'an asyncpg connection',
  acquire: [connects('asyncpg'), { kind: 'method', name: 'acquire', on: ['asyncpg#*'], named: /pool/i }],
  takes: ['release'],
  methods: ['close', 'terminate'],
  why: 'A pool keeps every connection that it has lent; only release() or the end of `async with` brings it back.',
  examples: [
    `import asyncpg

async def names(dsn):
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select name from users")
    await connection.close()
    return rows`,
    `import asyncpg

async def names(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch("select name from users")
    finally:
        await connection.close()`,
  ],
  exceptions: '`async with pool.acquire() as connection` gives it back.',
});

export const aioPools = connection({
  id: 'async-pool',
  isAsync: true,
  title: 'a connection of an asyncio pool',
  acquire: [
    {
      kind: 'method',
      name: 'acquire',
      on: ['aiopg#*', 'aiomysql#*', 'asyncmy#*', 'aioredis#*', 'oracledb#*'],
      named: /(?!)/,
    },
    connects('aiopg', 'aiomysql', 'asyncmy'),
  ],
  takes: ['release'],
  methods: ['close', 'ensure_closed'],
  why: 'A pool keeps every connection that it has lent; only release() or the end of `async with` brings it back.',
  examples: [
    `import aiopg

async def name(dsn):
    pool = await aiopg.create_pool(dsn)
    connection = await pool.acquire()
    cursor = await connection.cursor()
    await cursor.execute("select name from users")
    row = await cursor.fetchone()
    pool.release(connection)
    return row`,
    `import aiopg

async def name(dsn):
    pool = await aiopg.create_pool(dsn)
    async with pool.acquire() as connection:
        cursor = await connection.cursor()
        await cursor.execute("select name from users")
        return await cursor.fetchone()`,
  ],
  exceptions: '`async with pool.acquire() as connection` gives it back.',
});

export const sqlite3 = connection({
  id: 'sqlite3-connection',
  title: 'a sqlite3 connection',
  acquire: [connects('sqlite3', 'pysqlite2', 'pysqlite3', 'sqlcipher3', 'pyodbc')],
  isKeptByBlock: true,
  why: 'An open connection keeps its file descriptor, and its locks while a transaction is open. `with connection` ends the transaction and does not close.',
  example: `import sqlite3

def names(path):
    connection = sqlite3.connect(path)`,
  exceptions: 'A connection that a module keeps for the life of the process is no leak.',
});

export const aiosqlite = connection({
  id: 'aiosqlite-connection',
  isAsync: true,
  title: 'an aiosqlite connection',
  acquire: [connects('aiosqlite')],
  why: 'An open connection keeps a thread, a file descriptor and its locks.',
  examples: [
    `import aiosqlite

async def names(path):
    connection = await aiosqlite.connect(path)
    rows = await connection.execute_fetchall("select name from users")
    await connection.close()
    return rows`,
    `import aiosqlite

async def names(path):
    async with aiosqlite.connect(path) as connection:
        return await connection.execute_fetchall("select name from users")`,
  ],
  exceptions: '`async with aiosqlite.connect(...)` closes it.',
});

export const mysqlConnection = connection({
  id: 'python-mysql-connection',
  title: 'a MySQL connection',
  acquire: [
    connects('pymysql', 'MySQLdb', 'mysql', 'mariadb', 'pymssql', 'cymysql'),
    { kind: 'function', name: 'Connection', from: ['pymysql', 'MySQLdb'] },
    {
      kind: 'method',
      name: 'get_connection',
      on: ['mysql#*', 'mariadb#*'],
      named: /(cnx|mysql|connection)_?pool/i,
    },
  ],
  why: 'A connection holds a session on the server until close(). A pooled one goes back to its pool by close().',
  example: `import pymysql

def names(settings):
    connection = pymysql.connect(**settings)`,
  exceptions: '`with pymysql.connect(...)` closes it, from version 1.0 on.',
});

export const oracle = connection({
  id: 'python-oracle-connection',
  title: 'an Oracle connection',
  acquire: [
    connects('oracledb', 'cx_Oracle'),
    { kind: 'method', name: 'acquire', on: ['oracledb#*', 'cx_Oracle#*'], named: /(?!)/ },
  ],
  takes: ['release'],
  why: 'A connection holds a session on the server until close() or, of a pool, release().',
  example: `import oracledb

def names(settings):
    connection = oracledb.connect(**settings)`,
  exceptions: '`with oracledb.connect(...)` closes it.',
});

export const warehouses = connection({
  id: 'python-warehouse-connection',
  title: 'a connection to an analytical database',
  acquire: [
    connects(
      'duckdb',
      'snowflake',
      'clickhouse_driver',
      'clickhouse_connect',
      'redshift_connector',
      'trino',
      'databricks',
      'vertica_python',
      'teradatasql',
    ),
  ],
  why: 'A connection holds a session on the server, or the lock on the database file, until close().',
  example: `import duckdb

def names(path):
    connection = duckdb.connect(path)`,
  exceptions: '`with duckdb.connect(...)` closes it.',
});
