import type { ResourceSpec } from '../types.js';

export const mysql: ResourceSpec = {
  id: 'mysql-pool',
  title: 'a connection of a MySQL or MariaDB pool',
  acquire: [
    {
      kind: 'method',
      name: 'getConnection',
      on: ['mysql2#*', 'mysql#*', 'mariadb#*', 'promise-mysql#*', '@mysql/xdevapi#*'],
      named: /pool|cluster|^db$|database|mysql|mariadb/i,
      usedBy: /(release|destroy)\b/,
      callback: { lease: 1 },
    },
    { kind: 'function', name: 'createConnection', from: ['mysql2/promise', 'promise-mysql', 'mariadb'] },
    { kind: 'method', name: 'createConnection', on: ['mysql2/promise#', 'mariadb#', 'promise-mysql#'] },
  ],
  pools: [
    {
      kind: 'function',
      name: 'createPool',
      from: ['mysql2', 'mysql2/promise', 'mysql', 'mariadb', 'promise-mysql'],
    },
  ],
  isPersonal: true,
  repair: {
    acquire: ['getConnection'],
    release: 'release',
    awaits: false,
    rollback: 'await $.rollback();',
    using: { module: 'mysql2/promise', since: '3.18.0' },
  },
  release: {
    methods: ['release', 'destroy', 'end', 'close'],
    takes: ['releaseConnection'],
    ofParent: ['end', 'close'],
    twice: {
      methods: ['release'],
      does: 'the second release throws, or puts the connection into the pool twice',
    },
    usedAfter: 'the connection may already be in use by somebody else',
  },
  protocol: ['beginTransaction', 'connect', 'rollback', 'ping'],
  docs: {
    why: 'A connection that is not released counts against connectionLimit for ever; then every getConnection() waits.',
    leaks: `import mysql from 'mysql2/promise';
const pool = mysql.createPool({ uri: 'mysql://localhost/shop' });
export async function stock(id: number) {
  const connection = await pool.getConnection();
  const [rows] = await connection.query('select stock from items where id = ?', [id]);
  connection.release();
  return rows;
}`,
    fixed: `import mysql from 'mysql2/promise';
const pool = mysql.createPool({ uri: 'mysql://localhost/shop' });
export async function stock(id: number) {
  const connection = await pool.getConnection();
  try {
    const [rows] = await connection.query('select stock from items where id = ?', [id]);
    return rows;
  } finally {
    connection.release();
  }
}`,
    exceptions:
      'commit() and rollback() do not release. destroy() closes the connection, and so gives its place back.',
  },
};

export const mysqlConnection: ResourceSpec = {
  id: 'mysql-connection',
  title: 'a MySQL connection of its own',
  acquire: [
    { kind: 'function', name: 'createConnection', from: ['mysql2', 'mysql'], isWhole: true, lazy: true },
    { kind: 'method', name: 'createConnection', on: ['mysql2#', 'mysql#'], isWhole: true, lazy: true },
  ],
  release: { methods: ['end', 'destroy'], takes: [], ofParent: [] },
  protocol: ['connect', 'beginTransaction', 'rollback', 'ping'],
  docs: {
    why: 'A connection stays open until end(), and counts against max_connections of the server. Every call adds one.',
    leaks: `import mysql from 'mysql2';
export async function count(uri: string) {
  const connection = mysql.createConnection({ uri });
  const [rows] = await connection.promise().query('select count(*) as n from orders');
  connection.end();
  return rows;
}`,
    fixed: `import mysql from 'mysql2';
export async function count(uri: string) {
  const connection = mysql.createConnection({ uri });
  try {
    const [rows] = await connection.promise().query('select count(*) as n from orders');
    return rows;
  } finally {
    connection.end();
  }
}`,
    exceptions:
      'A connection that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};
