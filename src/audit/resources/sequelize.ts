import type { ResourceSpec } from '../types.js';

export const sequelize: ResourceSpec = {
  id: 'sequelize-transaction',
  title: 'an unmanaged Sequelize transaction',
  acquire: [
    {
      kind: 'method',
      name: 'transaction',
      on: ['sequelize#*', 'sequelize-typescript#*', '@sequelize/core#*'],
      named: /sequelize|orm$/i,
      managedByFunction: true,
    },
    {
      kind: 'method',
      name: 'startUnmanagedTransaction',
      on: ['sequelize#*', '@sequelize/core#*'],
      named: /sequelize|orm$/i,
    },
  ],
  pools: [{ kind: 'new', name: 'Sequelize', from: ['sequelize', 'sequelize-typescript', '@sequelize/core'] }],
  repair: {
    acquire: ['transaction', 'startUnmanagedTransaction'],
    release: 'rollback',
    commit: 'commit',
    awaits: true,
    isOpen: { test: '!$.finished', isTyped: false },
  },
  release: {
    methods: ['commit', 'rollback'],
    takes: ['commit', 'rollback'],
    ofParent: ['close'],
    twice: { methods: ['commit', 'rollback'], does: 'a transaction that has ended cannot be ended again' },
    usedAfter: 'a transaction that has ended cannot be used',
  },
  protocol: [],
  docs: {
    why: 'A transaction holds a connection until it is committed or rolled back.',
    leaks: `import { Sequelize } from 'sequelize';
export async function rename(sequelize: Sequelize, id: number, name: string) {
  const transaction = await sequelize.transaction();
  await sequelize.query('update users set name = ? where id = ?', { replacements: [name, id], transaction });
  await transaction.commit();
}`,
    fixed: `import { Sequelize } from 'sequelize';
export async function rename(sequelize: Sequelize, id: number, name: string) {
  const transaction = await sequelize.transaction();
  try {
    await sequelize.query('update users set name = ? where id = ?', { replacements: [name, id], transaction });
    await transaction.commit();
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}`,
    exceptions:
      'commit and rollback release the connection. transaction(async (t) => ...) ends it by itself.',
  },
};
