import type { ResourceSpec } from '../types.js';

export const kysely: ResourceSpec = {
  id: 'kysely-transaction',
  title: 'a controlled Kysely transaction',
  acquire: [
    {
      kind: 'method',
      name: 'execute',
      inFilesWith: 'startTransaction',
      on: ['kysely#startTransaction()'],
      named: /^startTransaction$/,
      managedByFunction: true,
    },
    {
      kind: 'method',
      name: 'execute',
      inFilesWith: 'startTransaction',
      on: ['kysely#setIsolationLevel()', 'kysely#setAccessMode()'],
      managedByFunction: true,
    },
  ],
  release: {
    methods: ['commit', 'rollback'],
    takes: [],
    ofParent: ['destroy'],
    // commit() only makes the command: where its execute() fails, a rollback is right.
  },
  protocol: [],
  docs: {
    why: 'A controlled transaction holds a connection until it is committed or rolled back.',
    leaks: `import type { Kysely } from 'kysely';
export async function rename(db: Kysely<{ users: { id: number; name: string } }>, id: number, name: string) {
  const trx = await db.startTransaction().execute();
  await trx.updateTable('users').set({ name }).where('id', '=', id).execute();
  await trx.commit().execute();
}`,
    fixed: `import type { Kysely } from 'kysely';
export async function rename(db: Kysely<{ users: { id: number; name: string } }>, id: number, name: string) {
  const trx = await db.startTransaction().execute();
  try {
    await trx.updateTable('users').set({ name }).where('id', '=', id).execute();
    await trx.commit().execute();
  } catch (error) {
    await trx.rollback().execute();
    throw error;
  }
}`,
    exceptions:
      'commit and rollback release the connection. transaction().execute(work) and connection().execute(work) end by themselves.',
  },
};
