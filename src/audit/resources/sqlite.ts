import type { ResourceSpec } from '../types.js';

export const sqlite: ResourceSpec = {
  id: 'sqlite-database',
  title: 'an SQLite database handle',
  acquire: [
    {
      kind: 'new',
      name: 'Database',
      from: ['better-sqlite3', 'better-sqlite3-multiple-ciphers', 'sqlite3', 'libsql', 'bun:sqlite'],
    },
    { kind: 'new', name: 'DatabaseSync', from: ['sqlite', 'node:sqlite'] },
  ],
  release: {
    methods: ['close'],
    takes: [],
    ofParent: [],
    usedAfter: 'a handle that is closed cannot be used',
  },
  protocol: [],
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
