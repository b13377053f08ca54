import type { ResourceSpec } from '../types.js';

export const sqlite: ResourceSpec = {
  id: 'sqlite-database',
  title: 'an SQLite database handle',
  acquire: [
    {
      kind: 'new',
      name: 'Database',
      from: ['better-sqlite3', 'better-sqlite3-multiple-ciphers', 'libsql', 'bun:sqlite'],
    },
    { kind: 'new', name: 'DatabaseSync', from: ['sqlite', 'node:sqlite'] },
  ],
  repair: {
    acquire: ['Database', 'DatabaseSync'],
    release: 'close',
    awaits: false,
    endsTransaction: true,
    isSync: true,
  },
  release: {
    methods: ['close'],
    takes: [],
    ofParent: [],
    usedAfter: 'a handle that is closed cannot be used',
  },
  protocol: ['defaultSafeIntegers', 'unsafeMode', 'function', 'aggregate', 'table'],
  answers: [{ asked: 'inTransaction', trueAfter: [], falseAfter: [], afterFailedCommit: true }],
  isSync: true,
  docs: {
    why: 'An open handle keeps its file descriptors and locks; in WAL mode it also keeps the log from being cut.',
    leaks: `import Database from 'better-sqlite3';
export function count(file: string) {
  const db = new Database(file);
  const row = db.prepare('select count(*) as n from orders').get();
  db.close();
  return row;
}`,
    fixed: `import Database from 'better-sqlite3';
export function count(file: string) {
  const db = new Database(file);
  try {
    return db.prepare('select count(*) as n from orders').get();
  } finally {
    db.close();
  }
}`,
    exceptions: 'A handle that a module keeps for the life of the process is no leak.',
  },
};

export const sqlite3: ResourceSpec = {
  id: 'sqlite3-database',
  title: 'an SQLite database handle',
  acquire: [{ kind: 'new', name: 'Database', from: ['sqlite3', '@vscode/sqlite3'] }],
  release: {
    methods: ['close'],
    takes: [],
    ofParent: [],
    usedAfter: 'a handle that is closed cannot be used',
  },
  protocol: ['configure', 'loadExtension'],
  // Statements that follow wait for those before them, and errors go to callbacks.
  docs: {
    why: 'An open handle keeps its file descriptors and locks; in WAL mode it also keeps the log from being cut.',
    leaks: `import { Database } from 'sqlite3';
export function count(file: string, done: (error: Error | null, row?: unknown) => void) {
  const db = new Database(file);
  db.get('select count(*) as n from orders', (error, row) => {
    if (error) return done(error);
    db.close();
    done(null, row);
  });
}`,
    fixed: `import { Database } from 'sqlite3';
export function count(file: string, done: (error: Error | null, row?: unknown) => void) {
  const db = new Database(file);
  db.get('select count(*) as n from orders', (error, row) => {
    db.close();
    if (error) return done(error);
    done(null, row);
  });
}`,
    exceptions: 'A handle that a module keeps for the life of the process is no leak.',
  },
};

export const libsqlTransaction: ResourceSpec = {
  id: 'libsql-transaction',
  title: 'a libSQL transaction',
  acquire: [{ kind: 'method', name: 'transaction', on: ['@libsql/client#*'], managedByFunction: true }],
  release: {
    methods: ['commit', 'rollback', 'close'],
    takes: [],
    ofParent: ['close'],
    usedAfter: 'a transaction that has ended cannot be used',
  },
  protocol: [],
  docs: {
    why: 'A transaction holds a connection, and locks out other writers, until it ends.',
    leaks: `import { createClient } from '@libsql/client';
const client = createClient({ url: 'file:app.db' });
export async function rename(id: number, name: string) {
  const transaction = await client.transaction('write');
  await transaction.execute({ sql: 'update users set name = ? where id = ?', args: [name, id] });
  await transaction.commit();
}`,
    fixed: `import { createClient } from '@libsql/client';
const client = createClient({ url: 'file:app.db' });
export async function rename(id: number, name: string) {
  const transaction = await client.transaction('write');
  try {
    await transaction.execute({ sql: 'update users set name = ? where id = ?', args: [name, id] });
    await transaction.commit();
  } finally {
    transaction.close();
  }
}`,
    exceptions: 'close() rolls back what is open, and does nothing after commit() or rollback().',
  },
};
