import { formatCount, formatSize } from '../../base/units.js';
import { fail, forEach, pass, skip, sqlStep, warn } from '../outcome.js';
import { sqliteFile } from '../sqlite-file.js';
import type { Check, Fix } from '../types.js';

const WARNS_ABOVE = 64_000_000;
const FAILS_ABOVE = 1_000_000_000;

export const sqliteWalSize: Check = {
  id: 'sqlite-wal-size',
  title: "SQLite's write-ahead log is short",
  needs: ['sqlite'],
  why:
    'The log grows while a reader keeps a transaction open, because SQLite cannot move later pages into ' +
    'the database. Reads become slower, and the disk fills up.',
  details:
    'Looks at the size of the -wal file. The usual size is about 4 MB (1,000 pages). Warns above ' +
    `${formatSize(WARNS_ABOVE)} and fails above ${formatSize(FAILS_ABOVE)}.`,
  run: forEach('sqlite', async (target) => {
    const [row] = await target.ask('PRAGMA journal_mode');
    if (row?.journal_mode !== 'wal') return skip('not in WAL mode: see the check sqlite-journal-mode');
    const { walBytes, path } = await sqliteFile(target);
    if (walBytes === null) return pass('no -wal file');
    const summary = `${formatSize(walBytes)}`;
    if (walBytes <= WARNS_ABOVE) return pass(summary);
    const evidence = [`${path}-wal: ${formatCount(walBytes)} bytes`];
    const fix: Fix = {
      steps: [sqlStep(target, 'PRAGMA wal_checkpoint(TRUNCATE)')],
      risk:
        'The checkpoint waits for readers and writers, and blocks new ones meanwhile. If the file grows ' +
        'again, a transaction is left open: run the check pool-leaks.',
    };
    return walBytes > FAILS_ABOVE ? fail(summary, evidence, fix) : warn(summary, evidence, fix);
  }),
};
