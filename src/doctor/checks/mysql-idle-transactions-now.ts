import { formatDuration, formatMs } from '../../base/units.js';
import { backendText } from '../backend-text.js';
import { mysqlStep } from '../mysql-settings.js';
import { fail, forEach, known, pass, skip } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlIdleTransactionsNow: Check = {
  id: 'mysql-idle-transactions-now',
  title: 'no transaction of MySQL is open and idle at this moment',
  needs: ['mysql'],
  why:
    'Such a session keeps its locks, and InnoDB keeps old row versions for it. The cause is a code path ' +
    'without COMMIT or ROLLBACK, or other work done inside the transaction.',
  details:
    'Lists sleeping sessions with a transaction in information_schema.innodb_trx that is older than ' +
    '--idle-transaction. Transactions that have not touched an InnoDB table are not listed there.',
  run: forEach('mysql', (target, { options }) => {
    if (!target.seesAll) return skip('needs the privilege PROCESS: see the check mysql-process-right');
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
          'The ids are those of this moment. The server rolls back their transactions, and their clients ' +
          'see a broken connection. Repair the code that forgets. Until then, idle_transaction_timeout of ' +
          'MariaDB limits the damage.',
      },
    );
  }),
};
