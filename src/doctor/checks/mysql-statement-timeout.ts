import { formatDuration } from '../../base/units.js';
import { NEW_SESSIONS, setGlobal, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlStatementTimeout: Check = {
  id: 'mysql-statement-timeout',
  title: 'a limit exists for the run time of queries on MySQL',
  needs: ['mysql'],
  uses: ['settings'],
  why:
    'A runaway query holds its connection, and its retries take the others. The server goes on even if the ' +
    'client gave up.',
  details:
    'Passes with max_statement_time of MariaDB, or with max_execution_time of MySQL, which limits only ' +
    'SELECT. Also passes with --statement-timeout, if the application asks for it on connect.',
  run: forEach('mysql', (target, { targets }) => {
    const [name, unitMs] = target.isMariaDb
      ? (['max_statement_time', 1000] as const)
      : (['max_execution_time', 1] as const);
    const limitMs = variableNumber(target, name) * unitMs;
    const evidence = [variableText(target, name)];
    if (limitMs > 0) return pass(`${name} is ${formatDuration(limitMs)}`, evidence);
    const asked = targets.settings?.statementTimeoutMs ?? null;
    if (asked !== null) return pass(`the application asks for ${formatDuration(asked)}`, evidence);
    return warn('a query may run forever', evidence, {
      steps: setGlobal(target, name, 60_000 / unitMs),
      risk:
        `${NEW_SESSIONS} Dumps and migrations need a longer limit. Choose a time that no regular query ` +
        'reaches.',
    });
  }),
};
