import type { Backend } from '../../snapshot/server.js';
import { backendText, endSessions, queryText } from '../backend-text.js';
import {
  about,
  codeStep,
  type Finding,
  fail,
  judged,
  known,
  knownOrNull,
  pass,
  sqlStep,
} from '../outcome.js';
import { figureOf, pooledDatabases, textOf } from '../pooler-facts.js';
import type { Check, PgBouncerTarget, PostgresTarget } from '../types.js';

/** State that outlives a transaction. SET LOCAL and SET TRANSACTION do not. */
export const OUTLIVES: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^\s*listen\b/i, 'LISTEN'],
  [
    // From application_name on PgBouncer follows them from client to client, and sets them itself.
    /^\s*set\s+(?:session\s+)?(?!(?:session|local|transaction|constraints|characteristics|application_name|client_encoding|datestyle|intervalstyle|timezone|time\s+zone|names|standard_conforming_strings)\b)/i,
    'SET',
  ],
  [/^\s*prepare\s+(?!transaction\b)/i, 'PREPARE'],
  [/^\s*create\s+(?:(?:local|global)\s+)?temp(?:orary)?\b/i, 'a temporary table'],
  [/^\s*declare\b.*\bwith\s+hold\b/is, 'a cursor WITH HOLD'],
];

export const sessionState: Check = {
  id: 'session-state',
  title: 'no client leaves session state on shared servers',
  needs: ['postgres', 'pgbouncer'],
  why:
    'In transaction mode, the next transaction may run on another server. LISTEN then receives nothing, an ' +
    'advisory lock is never released by its owner, and a SET affects other clients.',
  details:
    'Looks at the servers of PgBouncer in transaction or statement mode. It reports idle servers that hold ' +
    'an advisory lock. It also reports servers whose last statement was LISTEN, SET, PREPARE, a temporary ' +
    'table or a cursor WITH HOLD. A pass proves nothing, since the check sees one moment. Every role sees ' +
    'the locks; the queries need pg_monitor.',
  run: ({ targets }) =>
    Promise.all(
      targets.postgres.flatMap((server) =>
        targets.pgbouncer.map(async (pooler) =>
          about([server, pooler], await judged(() => judge(server, pooler))),
        ),
      ),
    ),
};

function judge(server: PostgresTarget, pooler: PgBouncerTarget): Finding {
  const shared = pooledDatabases(pooler)
    .filter(({ mode }) => mode !== 'session')
    .map(({ name }) => name);
  const rows = known(pooler.servers).filter((row) => shared.includes(textOf(row.database)));
  const servers = known(server.reading).backends.filter(({ pid }) =>
    rows.some((row) => figureOf(row.remote_pid) === pid),
  );
  const lockers = knownOrNull(server.advisoryLockers) ?? [];
  const found = servers.flatMap((backend) => {
    const what = leftBehind(backend, lockers);
    return what === null ? [] : [{ backend, what }];
  });
  if (found.length === 0) return pass(`${servers.length} shared servers hold no session state`);
  const all = [...new Set(found.map(({ what }) => what))].join(', ');
  return fail(
    `left behind on shared servers: ${all}`,
    found.slice(0, 10).map(({ backend, what }) => `${what}: ${backendText(backend)}: ${queryText(backend)}`),
    {
      steps: [
        codeStep(
          'Use pg_advisory_xact_lock for locks. Use SET LOCAL within the transaction, or ALTER ROLE ... ' +
            'SET. Give LISTEN its own direct connection that bypasses PgBouncer.',
        ),
        sqlStep(server, endSessions(found.map(({ backend }) => backend.pid))),
      ],
      risk:
        'The pids are those of this moment: a query that runs on such a server now is canceled. PgBouncer ' +
        'opens new servers.',
    },
  );
}

/** Within a transaction it may be meant for that alone. */
function leftBehind(backend: Backend, lockers: readonly number[]): string | null {
  if (backend.state !== null && backend.state !== 'idle') return null;
  if (backend.state === 'idle' && lockers.includes(backend.pid)) return 'an advisory lock';
  const query = backend.query ?? '';
  return OUTLIVES.find(([pattern]) => pattern.test(query))?.[1] ?? null;
}
