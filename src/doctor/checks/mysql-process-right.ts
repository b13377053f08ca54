import { mysqlStep } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlProcessRight: Check = {
  id: 'mysql-process-right',
  title: 'the account sees the transactions and sessions of others',
  needs: ['mysql'],
  why: 'Without the right PROCESS nobody sees who holds a lock, or a transaction open, so the checks of that are skipped.',
  details: 'Passes where information_schema.innodb_trx can be read.',
  run: forEach('mysql', (target) => {
    if (target.seesAll) return pass(`${target.account} has PROCESS`);
    const [user = '', host = '%'] = target.account.split('@');
    const quoted = (name: string) => `'${name.replaceAll("'", "''")}'`;
    return warn(`${target.account} sees only its own sessions`, [], {
      steps: [mysqlStep(target, `GRANT PROCESS ON *.* TO ${quoted(user)}@${quoted(host)}`)],
      risk: 'It also shows the texts of the queries of others.',
    });
  }),
};
