import { formatDuration } from '../../base/units.js';
import { alterSystem, fail, forEach, pass } from '../outcome.js';
import { settingMs, settingText } from '../postgres-settings.js';
import type { Check } from '../types.js';

const NAME = 'idle_in_transaction_session_timeout';

export const idleTransactionTimeout: Check = {
  id: 'idle-transaction-timeout',
  title: 'PostgreSQL ends transactions that nobody works on',
  needs: ['postgres'],
  why:
    'A transaction that was left open keeps its locks, its connection, and the rows that VACUUM may not remove. ' +
    'With no limit, one forgotten COMMIT lasts until somebody looks.',
  details: `${NAME} must not be 0, its default. A limit for a single role or database is not enough: the one that \
forgets is another one.`,
  run: forEach('postgres', (target) => {
    const limitMs = settingMs(target, NAME);
    const evidence = [settingText(target, NAME)];
    if (limitMs > 0) return pass(`after ${formatDuration(limitMs)}`, evidence);
    return fail('a transaction may stand open for ever', evidence, {
      steps: alterSystem(target, { [NAME]: '10min' }),
      risk:
        'A session that waits for longer within a transaction, as some batch jobs and people at psql do, is ended and ' +
        'its transaction rolled back. Give such a role a limit of its own: ALTER ROLE ... SET.',
    });
  }),
};
