import type { ResourceSpec } from '../types.js';

export const oracledb: ResourceSpec = {
  id: 'oracledb-connection',
  title: 'an Oracle connection',
  acquire: [
    { kind: 'method', name: 'getConnection', on: ['oracledb#*'], named: /oracle/i, callback: { lease: 1 } },
  ],
  pools: [{ kind: 'function', name: 'createPool', from: ['oracledb'] }],
  isPersonal: true,
  repair: { acquire: ['getConnection'], release: 'close', awaits: true },
  release: {
    methods: ['close', 'release'],
    takes: [],
    ofParent: ['close', 'terminate'],
    twice: { methods: ['close', 'release'], does: 'closing a connection that is closed throws' },
    usedAfter: 'a connection that is closed cannot be used',
  },
  protocol: ['ping', 'rollback'],
  docs: {
    why: 'A connection that is not closed stays out of the pool.',
    leaks: `import oracledb from 'oracledb';
export async function today() {
  const connection = await oracledb.getConnection();
  const result = await connection.execute('select sysdate from dual');
  await connection.close();
  return result.rows;
}`,
    fixed: `import oracledb from 'oracledb';
export async function today() {
  const connection = await oracledb.getConnection();
  try {
    const result = await connection.execute('select sysdate from dual');
    return result.rows;
  } finally {
    await connection.close();
  }
}`,
    exceptions: 'commit() and rollback() do not close a connection.',
  },
};
