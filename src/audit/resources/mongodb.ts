import type { ResourceSpec } from '../types.js';

export const mongodb: ResourceSpec = {
  id: 'mongodb-session',
  title: 'a MongoDB session or client',
  acquire: [
    {
      kind: 'method',
      name: 'startSession',
      on: ['mongodb#*', 'mongoose#*', '@nestjs/mongoose#*'],
      named: /./,
    },
    { kind: 'function', name: 'startSession', from: ['mongoose'] },
    { kind: 'new', name: 'MongoClient', from: ['mongodb'], lazy: true, isWhole: true },
  ],
  repair: { acquire: ['startSession'], release: 'endSession', awaits: true, endsTransaction: true },
  release: { methods: ['endSession', 'close', 'destroy'], takes: [], ofParent: ['close', 'disconnect'] },
  returnsItself: ['connect'],
  protocol: ['startTransaction', 'connect', 'abortTransaction'],
  answers: [
    {
      asked: 'inTransaction()',
      trueAfter: ['startTransaction'],
      falseAfter: ['commitTransaction', 'abortTransaction', 'withTransaction'],
      afterFailedCommit: false,
    },
  ],
  docs: {
    why: 'A session that is not ended stays in the server until it times out, and with a transaction open it holds a connection.',
    leaks: `import mongoose from 'mongoose';
export async function move(work: () => Promise<void>) {
  const session = await mongoose.startSession();
  await session.withTransaction(work);
}`,
    fixed: `import mongoose from 'mongoose';
export async function move(work: () => Promise<void>) {
  const session = await mongoose.startSession();
  try {
    await session.withTransaction(work);
  } finally {
    await session.endSession();
  }
}`,
    exceptions: 'withTransaction() does not end the session; client.withSession() does.',
  },
};
