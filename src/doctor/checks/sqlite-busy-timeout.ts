import { formatDuration } from '../../base/units.js';
import { codeStep, fail, forEach, pass, warn } from '../outcome.js';
import type { Check, Fix } from '../types.js';

const LEAST_MS = 1000;
const WANTED = '5s';

export const sqliteBusyTimeout: Check = {
  id: 'sqlite-busy-timeout',
  title: 'SQLite waits for a writer in the place of failing',
  needs: ['sqlite'],
  why: 'There is one writer at a time. Without a busy time-out the second fails at once with SQLITE_BUSY, under any load.',
  details: `A busy time-out belongs to a connection, and not to the file: looked at is what the URL of the target asks for, \
which should be that of the application. Fails without one, warns below ${formatDuration(LEAST_MS)}. Other libraries have their own: \
PRAGMA busy_timeout on each of their connections.`,
  run: forEach('sqlite', async (target) => {
    const [row] = await target.ask('PRAGMA busy_timeout');
    const ms = Number(Object.values(row ?? {})[0] ?? 0);
    const fix: Fix = {
      steps: [codeStep(`name the database by ${withTimeout(target.url)}`)],
      risk: 'A statement that meets a writer takes longer, up to that time, and then still fails.',
    };
    if (ms === 0) return fail('a statement that meets a writer fails at once', [], fix);
    if (ms < LEAST_MS)
      return warn(`a statement waits for a writer for ${formatDuration(ms)} at most`, [], fix);
    return pass(`waits for up to ${formatDuration(ms)}`);
  }),
};

function withTimeout(url: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const others = query.split('&').filter((one) => one !== '' && !one.startsWith('busyTimeout='));
  return `${path}?${[...others, `busyTimeout=${WANTED}`].join('&')}`;
}
