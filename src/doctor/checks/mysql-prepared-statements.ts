import { formatCount, formatShare } from '../../base/units.js';
import { setGlobal, statusNumber, statusText, variableNumber, variableText } from '../mysql-settings.js';
import { forEach, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

const WARNS_AT = 0.8;

export const mysqlPreparedStatements: Check = {
  id: 'mysql-prepared-statements',
  title: 'MySQL has room for prepared statements',
  needs: ['mysql'],
  why:
    'One limit applies to all connections, and drivers keep a statement per text and connection. At the ' +
    'limit, preparing fails with 1461 for everybody.',
  details: `Compares Prepared_stmt_count with max_prepared_stmt_count. Warns from ${formatShare(WARNS_AT, 0)}.`,
  run: forEach('mysql', (target) => {
    const used = statusNumber(target, 'Prepared_stmt_count');
    const most = variableNumber(target, 'max_prepared_stmt_count');
    const words = `${formatCount(used)} of ${formatCount(most)} are prepared`;
    const evidence = [
      statusText(target, 'Prepared_stmt_count'),
      variableText(target, 'max_prepared_stmt_count'),
    ];
    if (used < WARNS_AT * most) return pass(words, evidence);
    return warn(words, evidence, {
      steps: setGlobal(target, 'max_prepared_stmt_count', Math.max(16_382, used * 4)),
      risk:
        'Each statement needs memory. If the texts differ only by values, bind the values as parameters ' +
        'instead.',
    });
  }),
};
