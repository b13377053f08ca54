import type { ResourceSpec } from '../types.js';

const PACKAGES = ['mssql', 'mssql/msnodesqlv8'];

export const mssqlTransaction: ResourceSpec = {
  id: 'mssql-transaction',
  title: 'a SQL Server transaction',
  acquire: [
    { kind: 'new', name: 'Transaction', from: PACKAGES, armedBy: ['begin'] },
    { kind: 'method', name: 'transaction', on: ['mssql#*'], armedBy: ['begin'] },
  ],
  pools: [{ kind: 'new', name: 'ConnectionPool', from: PACKAGES }],
  release: {
    methods: ['commit', 'rollback'],
    takes: [],
    ofParent: ['close'],
    twice: { methods: ['commit', 'rollback'], does: 'a transaction that has ended cannot be ended again' },
  },
  protocol: ['begin'],
  docs: {
    why: 'From begin() on, a transaction holds a connection of the pool until it is committed or rolled back.',
    leaks: `import sql from 'mssql';
export async function rename(pool: sql.ConnectionPool, name: string) {
  const transaction = new sql.Transaction(pool);
  await transaction.begin();
  await transaction.request().input('name', name).query('update users set name = @name');
  await transaction.commit();
}`,
    fixed: `import sql from 'mssql';
export async function rename(pool: sql.ConnectionPool, name: string) {
  const transaction = new sql.Transaction(pool);
  await transaction.begin();
  try {
    await transaction.request().input('name', name).query('update users set name = @name');
    await transaction.commit();
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}`,
    exceptions:
      'pool.connect() opens the pool and lends nothing. A request of the pool borrows and releases by itself.',
  },
};

export const mssqlStatement: ResourceSpec = {
  id: 'mssql-statement',
  title: 'a prepared statement of SQL Server',
  acquire: [{ kind: 'new', name: 'PreparedStatement', from: PACKAGES, armedBy: ['prepare'] }],
  release: { methods: ['unprepare'], takes: [], ofParent: ['close'] },
  protocol: ['prepare'],
  docs: {
    why: 'From prepare() on, a statement holds a connection of the pool until unprepare().',
    leaks: `import sql from 'mssql';
export async function find(pool: sql.ConnectionPool, id: number) {
  const statement = new sql.PreparedStatement(pool);
  await statement.prepare('select name from users where id = @id');
  const { recordset } = await statement.execute({ id });
  await statement.unprepare();
  return recordset;
}`,
    fixed: `import sql from 'mssql';
export async function find(pool: sql.ConnectionPool, id: number) {
  const statement = new sql.PreparedStatement(pool);
  await statement.prepare('select name from users where id = @id');
  try {
    const { recordset } = await statement.execute({ id });
    return recordset;
  } finally {
    await statement.unprepare();
  }
}`,
    exceptions: 'A statement that is not prepared holds nothing.',
  },
};
