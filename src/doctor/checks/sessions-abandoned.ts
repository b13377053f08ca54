import { formatCount, formatRate, formatShare } from '../../base/units.js';
import { codeStep, fail, forEach, known, pass, skip, sqlStep } from '../outcome.js';
import type { Check, DatabaseCounters } from '../types.js';

const SHARE = 0.01;
const LEAST = 5;

export const sessionsAbandoned: Check = {
  id: 'sessions-abandoned',
  title: 'clients close their sessions',
  needs: ['postgres'],
  why:
    'A session is abandoned if its client vanished: a killed or crashed application, a pool that nobody ' +
    'closed, or a network failure. Until the server notices, the session keeps its locks and its ' +
    'connection.',
  details:
    `sessions_abandoned of pg_stat_database (PostgreSQL 14 and later) must be below ${formatShare(SHARE, 0)} ` +
    `of the sessions since the reset of the counters, or below ${LEAST}. The evidence also has sessions ` +
    'ended by an administrator or by a server error.',
  run: forEach('postgres', (target) => {
    const counters = known(target.counters).filter(({ sessions }) => (sessions ?? 0) > 0);
    if (counters.length === 0) {
      const without = known(target.counters).some(({ sessions }) => sessions === null);
      return skip(without ? 'needs PostgreSQL 14' : 'no session has been counted yet');
    }
    const bad = counters.filter(
      ({ sessions, sessionsAbandoned: count }) =>
        (count ?? 0) >= LEAST && (count ?? 0) > (sessions ?? 0) * SHARE,
    );
    const evidence = (bad.length > 0 ? bad : counters).slice(0, 10).map(counterText);
    const sum = (of: readonly DatabaseCounters[]): number =>
      of.reduce((all, one) => all + (one.sessionsAbandoned ?? 0), 0);
    if (bad.length === 0) return pass(`${formatCount(sum(counters))} abandoned in all databases`, evidence);
    return fail(`${formatCount(sum(bad))} sessions were abandoned`, evidence, {
      steps: [
        codeStep(
          'Close the pool when the application ends, also on SIGTERM. Give its container time to finish. ' +
            'If the network is the cause, set keepalives on both sides.',
        ),
        ...bad.map(({ name }) =>
          sqlStep({ ...target, label: withDatabase(target.label, name) }, 'SELECT pg_stat_reset()'),
        ),
      ],
      risk:
        'The reset clears all counters of that database, so that only new sessions count. Monitoring sees ' +
        'them restart at 0.',
    });
  }),
};

function counterText({
  name,
  sessions,
  sessionsAbandoned: abandoned,
  sessionsKilled,
  sessionsFatal,
  countedMs,
}: DatabaseCounters): string {
  const perHour = countedMs === null || countedMs < 1 ? null : ((abandoned ?? 0) * 1000) / countedMs;
  const rate = perHour === null ? '' : `, ${formatRate(perHour * 3600).replace('/s', ' an hour')}`;
  return (
    `database ${name}: ${formatCount(abandoned)} of ${formatCount(sessions)} sessions abandoned${rate}; ` +
    `${formatCount(sessionsKilled)} killed, ${formatCount(sessionsFatal)} by errors`
  );
}

function withDatabase(label: string, database: string): string {
  return label.replace(/\/[^/]*$/, `/${database}`);
}
