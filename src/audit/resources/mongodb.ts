import type { ResourceSpec } from '../types.js';

export const mongodb: ResourceSpec = {
  id: 'mongodb-session',
  title: 'a MongoDB session',
  acquire: [
    {
      kind: 'method',
      name: 'startSession',
      on: ['mongodb#*', 'mongoose#*', '@nestjs/mongoose#*'],
      named: /./,
    },
    { kind: 'function', name: 'startSession', from: ['mongoose'] },
  ],
  repair: { acquire: ['startSession'], release: 'endSession', awaits: true, endsTransaction: true },
  release: { methods: ['endSession', 'close', 'destroy'], takes: [], ofParent: ['close', 'disconnect'] },
  protocol: ['startTransaction', 'abortTransaction'],
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

export const mongoClient: ResourceSpec = {
  id: 'mongodb-client',
  title: 'a MongoDB client with its pool',
  acquire: [
    { kind: 'new', name: 'MongoClient', from: ['mongodb'], lazy: true, isWhole: true },
    {
      kind: 'method',
      name: 'connect',
      on: ['mongodb#MongoClient'],
      isStatic: true,
      isWhole: true,
      callback: { lease: 1 },
      inFilesWith: 'MongoClient',
    },
  ],
  repair: { acquire: ['MongoClient', 'connect'], release: 'close', awaits: true, endsTransaction: true },
  release: { methods: ['close', 'destroy'], takes: [], ofParent: [] },
  returnsItself: ['connect'],
  protocol: ['connect'],
  docs: {
    why: 'A client holds a pool of connections, and others that monitor the servers, until close(). Every call adds another pool.',
    leaks: `import { MongoClient } from 'mongodb';
export async function count(url: string) {
  const client = await MongoClient.connect(url);
  const found = await client.db('shop').collection('orders').countDocuments();
  await client.close();
  return found;
}`,
    fixed: `import { MongoClient } from 'mongodb';
export async function count(url: string) {
  const client = await MongoClient.connect(url);
  try {
    const found = await client.db('shop').collection('orders').countDocuments();
    return found;
  } finally {
    await client.close();
  }
}`,
    exceptions:
      'A client that the whole process shares, in a module or a field, is no leak. Neither is one that a function hands on.',
  },
};
