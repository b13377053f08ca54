import { formatDuration } from '../../base/units.js';
import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { settingMs, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'idle_in_transaction_session_timeout';

export const idleTransactionTimeout: Check = {
  id: 'idle-transaction-timeout',
  title: 'PostgreSQL ends abandoned transactions',
  needs: ['postgres'],
  why:
    'An open transaction keeps its locks, its connection and the dead rows that VACUUM may not remove. ' +
    'Without a limit, one forgotten COMMIT lasts until somebody looks.',
  details:
    `${NAME} must not be 0, its default. A limit for a single role or database is not enough, because any ` +
    'other one may forget a COMMIT.',
  run: forEach('postgres', (target) => {
    const limitMs = settingMs(target, NAME);
    const evidence = [settingText(target, NAME)];
    if (limitMs > 0) return pass(`after ${formatDuration(limitMs)}`, evidence);
    return fail('a transaction may stay open forever', evidence, {
      steps: alterSystem(target, { [NAME]: '10min' }),
      risk:
        'The server ends a session that waits longer within a transaction, and rolls it back. Some batch ' +
        'jobs and people at psql do that: give their roles a limit of their own (ALTER ROLE ... SET).',
    });
  }),
};
