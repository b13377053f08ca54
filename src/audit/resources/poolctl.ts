import type { ResourceSpec } from '../types.js';

const SESSION = /^(db)?_?session$|^(lease|conn|connection|client)$/i;

export const poolctl: ResourceSpec = {
  id: 'poolctl-session',
  title: 'a session',
  acquire: [
    { kind: 'method', name: 'getDb', on: ['poolctl#*'], usedAs: SESSION, usedBy: /(close|release)\b/ },
    { kind: 'function', name: 'getDb', from: ['poolctl'] },
    // A factory of one's own: by the name of what it gives, or because that is closed.
    { kind: 'function', name: 'getDb', from: ['*'], usedAs: SESSION, usedBy: /(close|release)\b/ },
    { kind: 'function', name: 'getSession', from: ['*'], usedAs: /(?!)/, usedBy: /(close|release)\b/ },
    { kind: 'method', name: 'acquire', on: ['poolctl#*'], named: /(?!)/ },
    { kind: 'method', name: 'tryAcquire', on: ['poolctl#*'], named: /pool$/i },
  ],
  pools: [
    { kind: 'function', name: 'createDatabase', from: ['poolctl'] },
    { kind: 'new', name: 'QueuePool', from: ['poolctl'] },
  ],
  isPersonal: true,
  repair: {
    acquire: ['getDb'],
    release: 'close',
    awaits: true,
    endsTransaction: true,
    using: { module: null, since: null },
  },
  release: {
    methods: ['close', 'release', 'invalidate', 'detach'],
    takes: [],
    ofParent: ['close'],
    usedAfter: 'a session that is closed cannot be used',
  },
  protocol: [],
  docs: {
    why: 'A session holds a connection of the pool until it is closed.',
    leaks: `import { createDatabase } from 'poolctl';
const db = createDatabase('sqlite:app.db');
export async function orders() {
  const session = await db.getDb();
  const { rows } = await session.query('select * from orders');
  await session.close();
  return rows;
}`,
    fixed: `import { createDatabase } from 'poolctl';
const db = createDatabase('sqlite:app.db');
export async function orders() {
  await using session = await db.getDb();
  const { rows } = await session.query('select * from orders');
  return rows;
}`,
    exceptions:
      'db.withSession(work) closes the session by itself. A failing close() still gives the connection back.',
  },
};
