import { formatDuration, formatMs } from '../../base/units.js';
import { backendText, queryText } from '../backend-text.js';
import { fail, forEach, known, pass, skip, sqlStep } from '../outcome.js';
import type { Check } from '../types.js';

const MOST_SHOWN = 10;

export const longQueriesNow: Check = {
  id: 'long-queries-now',
  title: 'no query has run for very long at this moment',
  needs: ['postgres'],
  why:
    'Each long query holds a connection of its pool, and mostly a CPU core or the disk too. A few are ' +
    'enough to make all others wait, although the pool is healthy.',
  details:
    'Lists sessions that have been active for longer than --long-query, except those that wait for a lock ' +
    '(see lock-waits-now). Backups, migrations and reports may have good reasons: give them their own ' +
    'roles, and skip the check meanwhile. Sessions of other roles need pg_monitor.',
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
        return skip(`${target.role} cannot see the sessions of others: see the check pg-monitor`);
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
        'The pids are those of this moment. The work of these queries is lost, and their clients see an ' +
        'error. statement_timeout limits the next ones.',
    });
  }),
};
