import type { ResourceSpec } from '../types.js';

export const knex: ResourceSpec = {
  id: 'knex-transaction',
  title: 'a Knex transaction',
  acquire: [
    {
      kind: 'method',
      name: 'transaction',
      on: ['knex#*', 'objection#*'],
      named: /knex|^trx$|^tx$/i,
      managedByFunction: true,
    },
    { kind: 'method', name: 'startTransaction', on: ['objection#*'], named: /(?!)/ },
  ],
  pools: [{ kind: 'function', name: 'knex', from: ['knex'] }],
  repair: {
    acquire: ['transaction', 'startTransaction'],
    release: 'rollback',
    commit: 'commit',
    awaits: true,
    isOpen: { test: '!$.isCompleted()', isTyped: true },
  },
  release: {
    methods: ['commit', 'rollback'],
    takes: ['commit', 'rollback'],
    ofParent: ['destroy'],
    twice: { methods: ['commit', 'rollback'], does: 'a transaction that has ended cannot be ended again' },
    usedAfter: 'a transaction that has ended cannot be used',
  },
  protocol: [],
  docs: {
    why: 'A transaction holds a connection until it is committed or rolled back.',
    leaks: `import type { Knex } from 'knex';
export async function rename(knex: Knex, id: number, name: string) {
  const trx = await knex.transaction();
  await trx('users').where({ id }).update({ name });
  await trx.commit();
}`,
    fixed: `import type { Knex } from 'knex';
export async function rename(knex: Knex, id: number, name: string) {
  const trx = await knex.transaction();
  try {
    await trx('users').where({ id }).update({ name });
    await trx.commit();
  } catch (error) {
    await trx.rollback();
    throw error;
  }
}`,
    exceptions:
      'commit and rollback release the connection. transaction(async (trx) => ...) ends it by itself.',
  },
};
