import { formatDuration, formatMs } from '../../base/units.js';
import type { Backend } from '../../snapshot/server.js';
import { backendText, endSessions, queryText } from '../backend-text.js';
import { fail, forEach, known, pass, skip, sqlStep } from '../outcome.js';
import type { Check } from '../types.js';

export const idleTransactionsNow: Check = {
  id: 'idle-transactions-now',
  title: 'no transaction is open and idle at this moment',
  needs: ['postgres'],
  why:
    'Such a session keeps its locks and its place in the pool. This is the most frequent reason for an ' +
    'empty pool. The cause is a code path without COMMIT or ROLLBACK, or other work done inside the ' +
    'transaction.',
  details:
    'Lists sessions that are "idle in transaction", also after an error, for longer than ' +
    '--idle-transaction. Sessions of other roles need pg_monitor. poolctl audit-leaks finds such paths in ' +
    'source code, and poolctl top shows the line that holds a connection.',
  run: forEach('postgres', (target, { options }) => {
    const { backends } = known(target.reading);
    const limitMs = options.idleTransactionMs;
    const held = backends
      .filter(({ state, stateMs }) => state?.startsWith('idle in transaction') && (stateMs ?? 0) > limitMs)
      .sort((a, b) => (b.stateMs ?? 0) - (a.stateMs ?? 0));
    const oldest = held[0];
    if (oldest !== undefined) {
      const many = held.length === 1 ? '1 session is' : `${held.length} sessions are`;
      return fail(`${many} idle in a transaction, for ${formatMs(oldest.stateMs)}`, shownOf(held), {
        steps: [sqlStep(target, endSessions(held.map(({ pid }) => pid)))],
        risk:
          'The pids are those of this moment. The server rolls back their transactions, and their clients ' +
          'see a broken connection. Repair the code that forgets. Until then, ' +
          'idle_in_transaction_session_timeout limits the damage.',
      });
    }
    if (!target.seesAll && backends.some(({ state, user }) => state === null && user !== target.role))
      return skip(`${target.role} cannot see the sessions of others: see the check pg-monitor`);
    return pass(
      `none for longer than ${formatDuration(limitMs)}, of ${backends.length} other ${backends.length === 1 ? 'session' : 'sessions'}`,
    );
  }),
};

const MOST_SHOWN = 10;

function shownOf(held: readonly Backend[]): readonly string[] {
  const rest = held.length - MOST_SHOWN;
  return [...held.slice(0, MOST_SHOWN).map(heldText), ...(rest > 0 ? [`and ${rest} more`] : [])];
}

function heldText(backend: Backend): string {
  return `${backendText(backend)}, ${backend.state} for ${formatMs(backend.stateMs)}: ${queryText(backend)}`;
}
