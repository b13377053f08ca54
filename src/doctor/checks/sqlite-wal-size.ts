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
    'The log grows for as long as some reader keeps a transaction open, since it cannot be taken over into the database ' +
    'past that point. Reads get slower with its length, and the disk fills up.',
  details: `Looks at the size of the file -wal. Usually it is about 4 MB (1,000 pages). Warns above ${formatSize(WARNS_ABOVE)}, \
fails above ${formatSize(FAILS_ABOVE)}.`,
  run: forEach('sqlite', async (target) => {
    const [row] = await target.ask('PRAGMA journal_mode');
    if (row?.journal_mode !== 'wal') return skip('it is not in WAL mode: look at sqlite-journal-mode');
    const { walBytes, path } = await sqliteFile(target);
    if (walBytes === null) return pass('there is none');
    const summary = `${formatSize(walBytes)}`;
    if (walBytes <= WARNS_ABOVE) return pass(summary);
    const evidence = [`${path}-wal: ${formatCount(walBytes)} bytes`];
    const fix: Fix = {
      steps: [sqlStep(target, 'PRAGMA wal_checkpoint(TRUNCATE)')],
      risk:
        'It waits for readers and writers to come to an end, and holds up new ones for that time. If it grows again, a ' +
        'transaction is left open: look at pool-leaks.',
    };
    return walBytes > FAILS_ABOVE ? fail(summary, evidence, fix) : warn(summary, evidence, fix);
  }),
};
