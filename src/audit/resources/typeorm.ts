import type { ResourceSpec } from '../types.js';

export const typeorm: ResourceSpec = {
  id: 'typeorm-query-runner',
  title: 'a TypeORM query runner',
  acquire: [
    {
      kind: 'method',
      name: 'createQueryRunner',
      on: ['typeorm#*', '@nestjs/typeorm#*'],
      named: /./,
      isUnique: true,
      lazy: true,
    },
  ],
  pools: [{ kind: 'new', name: 'DataSource', from: ['typeorm'] }],
  isPersonal: true,
  repair: {
    acquire: ['createQueryRunner'],
    release: 'release',
    awaits: true,
    rollback: 'if ($.isTransactionActive) await $.rollbackTransaction();',
  },
  release: {
    methods: ['release'],
    takes: ['releaseQueryRunner'],
    ofParent: ['destroy', 'close'],
    usedAfter: 'a query runner that was released throws when it is used',
  },
  protocol: ['connect', 'startTransaction', 'rollbackTransaction'],
  answers: [
    {
      asked: 'isTransactionActive',
      trueAfter: ['startTransaction'],
      falseAfter: ['commitTransaction', 'rollbackTransaction'],
      afterFailedCommit: true,
    },
  ],
  docs: {
    why: 'A query runner takes a connection from the pool when it is first used, and keeps it until release().',
    leaks: `import { DataSource } from 'typeorm';
export async function close(source: DataSource, id: number) {
  const runner = source.createQueryRunner();
  await runner.startTransaction();
  await runner.query('update orders set open = false where id = $1', [id]);
  await runner.commitTransaction();
}`,
    fixed: `import { DataSource } from 'typeorm';
export async function close(source: DataSource, id: number) {
  const runner = source.createQueryRunner();
  try {
    await runner.startTransaction();
    await runner.query('update orders set open = false where id = $1', [id]);
    await runner.commitTransaction();
  } catch (error) {
    await runner.rollbackTransaction();
    throw error;
  } finally {
    await runner.release();
  }
}`,
    exceptions:
      'commitTransaction() and rollbackTransaction() do not release. A runner that is never used takes no connection.',
  },
};
