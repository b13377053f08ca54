import { formatDuration, formatMs } from '../../base/units.js';
import { backendText, queryText } from '../backend-text.js';
import { fail, forEach, known, pass, skip, sqlStep } from '../outcome.js';
import type { Check } from '../types.js';

const MOST_SHOWN = 10;

export const longQueriesNow: Check = {
  id: 'long-queries-now',
  title: 'no query has been running for very long, at this moment',
  needs: ['postgres'],
  why:
    'Each keeps a connection of its pool, and mostly the processor or the disk too. A few of them are enough to have ' +
    'everybody else wait, with nothing wrong in the pool.',
  details:
    'Sessions that are active for longer than --long-query, but for those that wait for a lock (lock-waits-now). ' +
    'Backups, migrations and reports may have good reasons: give them roles of their own, and leave the check out ' +
    'meanwhile. Those of other roles are seen with pg_monitor only.',
  run: forEach('postgres', (target, { options }) => {
    const { backends } = known(target.reading);
    const limitMs = options.longQueryMs;
    const long = backends
      .filter(
        ({ state, queryMs, blockedBy }) =>
          state === 'active' && blockedBy.length === 0 && (queryMs ?? 0) > limitMs,
      )
      .sort((a, b) => (b.queryMs ?? 0) - (a.queryMs ?? 0));
    const longest = long[0];
    if (longest === undefined) {
      if (!target.seesAll && backends.some(({ state, user }) => state === null && user !== target.role))
        return skip(`${target.role} does not see the sessions of others: see the check pg-monitor`);
      return pass(`none for longer than ${formatDuration(limitMs)}`);
    }
    const many = long.length === 1 ? '1 query runs' : `${long.length} queries run`;
    const rest = long.length - MOST_SHOWN;
    const evidence = [
      ...long
        .slice(0, MOST_SHOWN)
        .map((one) => `${backendText(one)}, for ${formatMs(one.queryMs)}: ${queryText(one)}`),
      ...(rest > 0 ? [`and ${rest} more`] : []),
    ];
    const pids = long.map(({ pid }) => pid);
    return fail(`${many}, the longest for ${formatMs(longest.queryMs)}`, evidence, {
      steps: [
        sqlStep(
          target,
          pids.length === 1
            ? `SELECT pg_cancel_backend(${pids[0]})`
            : `SELECT pid, pg_cancel_backend(pid) FROM unnest(ARRAY[${pids.join(', ')}]) AS pid`,
        ),
      ],
      risk:
        'The numbers are of this moment. What they have done is lost, and their clients see an error. statement_timeout ' +
        'bounds the next ones.',
    });
  }),
};
