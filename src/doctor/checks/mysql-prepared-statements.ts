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
    'The limit is one for all connections, and drivers keep a statement for each text on each connection. When it is ' +
    'reached, preparing fails with 1461, for everybody.',
  details: `Prepared_stmt_count against max_prepared_stmt_count. Warns from ${formatShare(WARNS_AT, 0)}.`,
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
      risk: 'Each takes memory. Where texts differ by values, bind those as parameters instead.',
    });
  }),
};
