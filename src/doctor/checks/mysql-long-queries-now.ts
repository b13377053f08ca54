import { formatDuration, formatMs } from '../../base/units.js';
import { backendText, queryText } from '../backend-text.js';
import { mysqlStep } from '../mysql-settings.js';
import { forEach, known, pass, warn } from '../outcome.js';
import type { Check } from '../types.js';

export const mysqlLongQueriesNow: Check = {
  id: 'mysql-long-queries-now',
  title: 'no query of MySQL has run for very long at this moment',
  needs: ['mysql'],
  why:
    'Each long query holds a connection of a pool. Often its caller has given up long ago, and MySQL does ' +
    'not notice.',
  details:
    'Lists statements that have run for longer than --long-query, in the sessions that the account can see.',
  run: forEach('mysql', (target, { options }) => {
    const { backends } = known(target.reading);
    const long = backends
      .filter(({ state, queryMs }) => state === 'active' && (queryMs ?? 0) > options.longQueryMs)
      .sort((a, b) => (b.queryMs ?? 0) - (a.queryMs ?? 0));
    const [oldest] = long;
    if (oldest === undefined) return pass(`none for longer than ${formatDuration(options.longQueryMs)}`);
    const many = long.length === 1 ? '1 query runs' : `${long.length} queries run`;
    return warn(
      `${many} for ${formatMs(oldest.queryMs)}`,
      long.slice(0, 10).map((one) => `${backendText(one)}, for ${formatMs(one.queryMs)}: ${queryText(one)}`),
      {
        steps: long.map(({ pid }) => mysqlStep(target, `KILL QUERY ${pid}`)),
        risk:
          'The ids are those of this moment. The work of these statements is lost, and their clients see an ' +
          'error.',
      },
    );
  }),
};
