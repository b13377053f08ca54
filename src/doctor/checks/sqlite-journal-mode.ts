import { fail, forEach, pass, sqlStep } from '../outcome.js';
import type { Check } from '../types.js';

export const sqliteJournalMode: Check = {
  id: 'sqlite-journal-mode',
  title: 'SQLite lets readers work beside a writer',
  needs: ['sqlite'],
  why:
    'With a rollback journal, a writer blocks all readers, and readers block a writer. Only one connection ' +
    'of a pool works, and the others get SQLITE_BUSY.',
  details: 'The file must be in WAL mode. The file keeps that mode for everyone who opens it.',
  run: forEach('sqlite', async (target) => {
    const [row] = await target.ask('PRAGMA journal_mode');
    const mode = String(row?.journal_mode ?? '');
    if (mode === 'wal') return pass('WAL');
    return fail(`its journal mode is ${mode}`, [], {
      steps: [sqlStep(target, 'PRAGMA journal_mode = WAL')],
      risk:
        'The database then has two more files (-wal and -shm), which belong into backups. WAL does not ' +
        'work on network file systems. The change needs a moment in which nobody else uses the file.',
    });
  }),
};
