import { mysqlStep } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlProcessRight: Check = {
  id: 'mysql-process-right',
  title: 'the account can see transactions and sessions of others',
  needs: ['mysql'],
  why:
    'Without the privilege PROCESS, the account cannot see who holds a lock or an open transaction. The ' +
    'checks that need it are skipped.',
  details: 'Passes if information_schema.innodb_trx is readable.',
  run: forEach('mysql', (target) => {
    if (target.seesAll) return pass(`${target.account} has PROCESS`);
    const [user = '', host = '%'] = target.account.split('@');
    const quoted = (name: string) => `'${name.replaceAll("'", "''")}'`;
    return warn(`${target.account} sees only its own sessions`, [], {
      steps: [mysqlStep(target, `GRANT PROCESS ON *.* TO ${quoted(user)}@${quoted(host)}`)],
      risk: 'The privilege also shows the query texts of others.',
    });
  }),
};
