import { formatDuration, formatMs } from '../../base/units.js';
import type { Finding } from '../../diagnosis/types.js';
import type { Backend } from '../../snapshot/server.js';
import { backendText, endSessions, queryText } from '../backend-text.js';
import { fail, forEach, known, pass, skip, sqlStep } from '../outcome.js';
import type { Check, FixStep, PostgresTarget } from '../types.js';

export const lockWaitsNow: Check = {
  id: 'lock-waits-now',
  title: 'no session waits long for a lock at this moment',
  needs: ['postgres'],
  why:
    'Each waiting session holds a connection of its pool. A larger pool does not help: more sessions would ' +
    'wait.',
  details:
    'Lists sessions that have waited for another one for longer than --queue-wait, by pg_blocking_pids. ' +
    'The check calls it only for sessions that wait for a lock. The repair ends the session at the root, ' +
    'which blocks others and waits for nobody.',
  run: forEach('postgres', (target, { options, targets }) => {
    const { backends } = known(target.reading);
    const limitMs = options.queueWaitMs;
    const waiting = backends.filter(
      ({ blockedBy, queryMs }) => blockedBy.length > 0 && (queryMs ?? 0) > limitMs,
    );
    const hidden = backends.some(({ blockedBy, queryMs }) => blockedBy.length > 0 && queryMs === null);
    if (waiting.length === 0 && hidden)
      return skip(`${target.role} cannot see how long others wait: see the check pg-monitor`);
    if (waiting.length === 0) return pass(`none for longer than ${formatDuration(limitMs)}`);
    const waiters = new Set(backends.filter(({ blockedBy }) => blockedBy.length > 0).map(({ pid }) => pid));
    const all = new Set(waiting.flatMap(({ blockedBy }) => blockedBy));
    const found = [...all].filter((pid) => pid !== 0 && !waiters.has(pid));
    // In a circle there is no root; PostgreSQL ends one of them by itself within deadlock_timeout.
    const roots = found.length > 0 ? found : [...all].filter((pid) => pid !== 0).slice(0, 1);
    const longest = Math.max(...waiting.map(({ queryMs }) => queryMs ?? 0));
    const rooted = targets.diagnosis?.findings.find(
      ({ cause, subject, explains }) =>
        LOCK_CAUSES.has(cause) &&
        (subject.source === target.label || explains.includes(target.label) || explains.length > 0),
    );
    const evidence = [
      ...roots.map((pid) => {
        const root = backends.find((one) => one.pid === pid);
        if (root === undefined) return `blocks: pid ${pid}`;
        return `blocks: ${backendText(root)}, ${root.state ?? '?'} for ${formatMs(root.stateMs)}: ${queryText(root)}`;
      }),
      ...(rooted === undefined ? [] : [`${rooted.cause}: ${rooted.words}`]),
      ...waiting
        .slice(0, 10)
        .map((one) => `waits for ${formatMs(one.queryMs)}: ${backendText(one)}: ${queryText(one)}`),
    ];
    const many = waiting.length === 1 ? '1 session waits' : `${waiting.length} sessions wait`;
    return fail(`${many} for locks, for ${formatMs(longest)}`, evidence, {
      steps: stepsFor(target, roots, backends, rooted),
      risk:
        'The pid is that of this moment. The server rolls back its transaction, and its client sees a broken ' +
        'connection.',
    });
  }),
};

/** Causes that are about locks: their steps know who stands at the root. */
const LOCK_CAUSES: ReadonlySet<string> = new Set([
  'prepared-transaction-orphan',
  'wraparound-vacuum-blocks',
  'server-process-blocks',
  'advisory-lock-through-pooler',
  'advisory-lock-held',
  'ddl-lock-queue',
  'transaction-left-open',
  'lock-chain-row',
]);

/**
 * The steps that end the wait. A prepared transaction has no session, and a process of the server must not be ended.
 */
function stepsFor(
  target: PostgresTarget,
  roots: readonly number[],
  backends: readonly Backend[],
  rooted: Finding | undefined,
): readonly FixStep[] {
  const server = target.label.replace(/\/[^/]*$/, '/');
  const own = (rooted?.steps ?? []).filter(({ at }) => at === null || at.startsWith(server));
  const isSpecial = roots.length === 0 || roots.some((pid) => !backends.some((one) => one.pid === pid));
  if (own.length > 0 && isSpecial) return own;
  const ended = roots.filter((pid) => backends.some((one) => one.pid === pid));
  if (ended.length > 0) return [sqlStep(target, endSessions(ended))];
  // Not the backend of a client, as far as that is seen: what it is decides.
  const look =
    roots.length > 0
      ? `SELECT pid, backend_type, query FROM pg_stat_activity WHERE pid IN (${roots.join(', ')})`
      : 'SELECT gid, prepared, owner, database FROM pg_prepared_xacts';
  return [sqlStep(target, look), ...own];
}
