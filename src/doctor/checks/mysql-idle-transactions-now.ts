import { formatDuration, formatMs } from '../../base/units.js';
import { backendText } from '../backend-text.js';
import { mysqlStep } from '../mysql-settings.js';
import { fail, forEach, known, pass, skip } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlIdleTransactionsNow: Check = {
  id: 'mysql-idle-transactions-now',
  title: 'nobody holds a transaction of MySQL open without working on it, at this moment',
  needs: ['mysql'],
  why:
    'Such a session keeps its locks, and InnoDB keeps old versions of all rows for it. It comes from a COMMIT or ROLLBACK ' +
    'that some path of the code leaves out, or from work done in between.',
  details:
    'Sessions that sleep and have a transaction in information_schema.innodb_trx, for longer than --idle-transaction. ' +
    'Transactions that have touched no table of InnoDB are not in it.',
  run: forEach('mysql', (target, { options }) => {
    if (!target.seesAll) return skip('needs the right PROCESS: see the check mysql-process-right');
    const { backends } = known(target.reading);
    const held = backends
      .filter(
        ({ state, stateMs }) => state === 'idle in transaction' && (stateMs ?? 0) > options.idleTransactionMs,
      )
      .sort((a, b) => (b.stateMs ?? 0) - (a.stateMs ?? 0));
    const [oldest] = held;
    if (oldest === undefined)
      return pass(
        `none for longer than ${formatDuration(options.idleTransactionMs)}, of ${backends.length} sessions`,
      );
    const many = held.length === 1 ? '1 session is' : `${held.length} sessions are`;
    return fail(
      `${many} idle in a transaction, for ${formatMs(oldest.stateMs)}`,
      held.slice(0, 10).map((one) => `${backendText(one)}, for ${formatMs(one.stateMs)}`),
      {
        steps: held.map(({ pid }) => mysqlStep(target, `KILL ${pid}`)),
        risk:
          'The numbers are of this moment. Their transactions are rolled back, and their clients see a broken connection. It ' +
          'is over only when the code that forgets is repaired; idle_transaction_timeout of MariaDB bounds it until then.',
      },
    );
  }),
};
