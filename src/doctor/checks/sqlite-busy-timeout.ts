import { formatDuration } from '../../base/units.js';
import { codeStep, fail, forEach, pass, warn } from '../outcome.js';
import type { Check, Fix } from '../types.js';

const LEAST_MS = 1000;
const WANTED = '5s';

export const sqliteBusyTimeout: Check = {
  id: 'sqlite-busy-timeout',
  title: 'SQLite waits for a writer instead of failing',
  needs: ['sqlite'],
  why:
    'Only one writer can work at a time. Without a busy timeout, the second one fails at once with ' +
    'SQLITE_BUSY.',
  details:
    "A busy timeout belongs to a connection, not to the file. The check reads it from the target's URL, " +
    'which should be that of the application. Fails without a timeout, and warns below ' +
    `${formatDuration(LEAST_MS)}. Other libraries set it themselves: PRAGMA busy_timeout on each connection.`,
  run: forEach('sqlite', async (target) => {
    const [row] = await target.ask('PRAGMA busy_timeout');
    const ms = Number(Object.values(row ?? {})[0] ?? 0);
    const fix: Fix = {
      steps: [codeStep(`use the URL ${withTimeout(target.url)}`)],
      risk: 'A statement that meets a writer takes longer, up to that time, and then still fails.',
    };
    if (ms === 0) return fail('a statement that meets a writer fails at once', [], fix);
    if (ms < LEAST_MS) return warn(`a statement waits at most ${formatDuration(ms)} for a writer`, [], fix);
    return pass(`waits up to ${formatDuration(ms)}`);
  }),
};

function withTimeout(url: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const others = query.split('&').filter((one) => one !== '' && !one.startsWith('busyTimeout='));
  return `${path}?${[...others, `busyTimeout=${WANTED}`].join('&')}`;
}
