import type { ResourceSpec } from '../types.js';

export const firebird: ResourceSpec = {
  id: 'firebird-database',
  title: 'a Firebird connection',
  acquire: [
    {
      kind: 'method',
      name: 'attach',
      on: ['node-firebird#*', 'firebird#*'],
      named: /firebird/i,
      callback: { lease: 1 },
    },
    {
      kind: 'method',
      name: 'get',
      inFilesWith: 'firebird',
      on: ['node-firebird#pool()'],
      callback: { lease: 1 },
    },
  ],
  release: { methods: ['detach', 'release', 'close'], takes: [], ofParent: ['destroy'] },
  protocol: ['transaction'],
  docs: {
    why: 'An attached database holds a connection until detach().',
    leaks: `import Firebird from 'node-firebird';
export function names(options: Firebird.Options, done: (error: unknown, rows?: unknown[]) => void) {
  Firebird.attach(options, (error, db) => {
    if (error) return done(error);
    db.query('select name from users', [], (failed, rows) => {
      if (failed) return done(failed);
      db.detach();
      done(null, rows);
    });
  });
}`,
    fixed: `import Firebird from 'node-firebird';
export function names(options: Firebird.Options, done: (error: unknown, rows?: unknown[]) => void) {
  Firebird.attach(options, (error, db) => {
    if (error) return done(error);
    db.query('select name from users', [], (failed, rows) => {
      db.detach();
      if (failed) return done(failed);
      done(null, rows);
    });
  });
}`,
    exceptions: 'A database of a pool goes back to it by detach().',
  },
};
