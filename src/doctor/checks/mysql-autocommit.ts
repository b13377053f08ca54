import { NEW_SESSIONS, setGlobal, variableOf, variableText } from '../mysql-settings.js';
import { fail, forEach, pass } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlAutocommit: Check = {
  id: 'mysql-autocommit',
  title: 'each single statement is its own transaction',
  needs: ['mysql'],
  why:
    'Without autocommit, the first SELECT opens a transaction. It stays open when the connection returns ' +
    'to its pool. The next borrower sees old rows, and writes are lost.',
  details: 'The global autocommit must be ON. A session may still turn it off.',
  run: forEach('mysql', (target) => {
    const evidence = [variableText(target, 'autocommit')];
    if (/^(?:ON|1)$/i.test(variableOf(target, 'autocommit'))) return pass('autocommit is on', evidence);
    return fail('autocommit is off for all new sessions', evidence, {
      steps: setGlobal(target, 'autocommit', 1),
      risk: `${NEW_SESSIONS} Programs that rely on it must begin their transactions explicitly.`,
    });
  }),
};
