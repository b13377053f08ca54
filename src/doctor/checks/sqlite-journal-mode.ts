import { fail, forEach, pass, sqlStep } from '../outcome.js';
import type { Check } from '../types.js';

export const sqliteJournalMode: Check = {
  id: 'sqlite-journal-mode',
  title: 'SQLite lets readers and a writer work side by side',
  needs: ['sqlite'],
  why:
    'With a rollback journal a writer locks out all readers, and readers a writer: of a pool only one connection works, ' +
    'and the others get SQLITE_BUSY.',
  details: 'The file must be in WAL mode, which it keeps for all who open it.',
  run: forEach('sqlite', async (target) => {
    const [row] = await target.ask('PRAGMA journal_mode');
    const mode = String(row?.journal_mode ?? '');
    if (mode === 'wal') return pass('WAL');
    return fail(`its journal mode is ${mode}`, [], {
      steps: [sqlStep(target, 'PRAGMA journal_mode = WAL')],
      risk:
        'Two files more stand beside the database (-wal and -shm) and belong to it in a backup; it does not work on ' +
        'network file systems. Needs a moment in which nobody else uses the file.',
    });
  }),
};
