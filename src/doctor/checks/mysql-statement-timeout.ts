import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlStatementTimeout: Check = {
  id: 'mysql-statement-timeout',
  title: 'something bounds how long a query of MySQL may run',
  needs: ['mysql'],
  uses: ['settings'],
  why:
    'A query that runs away keeps its connection, and its retries take the others. Clients that gave up long ago do not ' +
    'end it: the server goes on.',
  details:
    'Passes with max_statement_time of MariaDB, or max_execution_time of MySQL, which bounds SELECT alone; or with ' +
    '--statement-timeout, what the application asks for when it connects.',
  run: forEach('mysql', (target, { targets }) => {
    const [name, unitMs] = target.isMariaDb
      ? (['max_statement_time', 1000] as const)
      : (['max_execution_time', 1] as const);
    const limitMs = variableNumber(target, name) * unitMs;
    const evidence = [variableText(target, name)];
    if (limitMs > 0) return pass(`${name} is ${formatDuration(limitMs)}`, evidence);
    const asked = targets.settings?.statementTimeoutMs ?? null;
    if (asked !== null) return pass(`the application asks for ${formatDuration(asked)}`, evidence);
    return warn('a query may run for ever', evidence, {
      steps: setGlobal(target, name, 60_000 / unitMs),
      risk: `${NEW_SESSIONS} Dumps and migrations need a longer one. Choose a time that no honest query of yours takes.`,
    });
  }),
};
