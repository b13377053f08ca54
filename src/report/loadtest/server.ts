import { formatCount, formatMs, formatShare } from '../../base/units.js';
import type {
  Gauge,
  LoadResult,
  PgBouncerFigures,
  ServerFigures,
  StatementFigures,
} from '../../loadtest/result.js';
import { printable, wrap } from '../text.js';
import type { Sheet } from './sheet.js';
import { counted } from './words.js';

/** The figures of the server, fact by fact: the same in every format. Nothing where there was no server. */
export function serverFacts({ server }: LoadResult): readonly (readonly [label: string, text: string])[] {
  if (server === null) return [];
  const { product = 'PostgreSQL', version, connections, backends, transactions, pgbouncer, gaps } = server;
  const { statements = null } = server;
  const facts: readonly (readonly [string, string | null])[] = [
    [product, version],
    ['connections', connections && connectionWords(connections)],
    ['backends', backends && stateWords(backends)],
    ['active ones', backends && waitWords(backends)],
    ['transactions', transactions && transactionWords(transactions)],
    ['statements', transactions && workWords(transactions)],
    ['statements', statements && statementWords(statements)],
    ['it also saw', statements && eventWords(statements)],
    ...(pgbouncer === null ? [] : pgbouncerFacts(pgbouncer)),
    ...gaps.map((gap) => ['not seen', gap] as const),
  ];
  return facts.flatMap(([label, text]) =>
    text === null || text === '' ? [] : [[label, printable(text)] as const],
  );
}

const LABEL_WIDTH = 14;

export function serverLines(result: LoadResult, { paint, width }: Sheet): string[] {
  const facts = serverFacts(result);
  if (facts.length === 0) return [];
  const lines = facts.flatMap(([label, text]) =>
    wrap(text, width - LABEL_WIDTH - 2).map((line, at) => [at === 0 ? label : '', line] as const),
  );
  return [paint.strong('server'), ...lines.map(([label, line]) => `  ${label.padEnd(LABEL_WIDTH)}${line}`)];
}

function connectionWords({
  most,
  reserved,
  used,
  left,
  narrowest,
}: NonNullable<ServerFigures['connections']>) {
  const why = narrowest === 'server' ? '' : ` by the limit of the ${narrowest}`;
  const kept = reserved === 0 ? '' : `, ${formatCount(reserved)} reserved`;
  return `${formatCount(most)} at most${kept}, ${formatCount(used)} in use before, ${formatCount(left)} left${why}`;
}

function stateWords({ states }: NonNullable<ServerFigures['backends']>): string {
  return states.map((of) => `${of.state} ${gaugeWords(of)}`).join(', ');
}

const EVENTS_SHOWN = 4;

function waitWords({ waits }: NonNullable<ServerFigures['backends']>): string {
  const shown = waits.slice(0, EVENTS_SHOWN);
  return shown.map(({ event, share }) => `${event ?? 'running'} ${formatShare(share, 0)}`).join(', ');
}

function transactionWords({
  committed,
  rolledBack,
  own,
}: NonNullable<ServerFigures['transactions']>): string {
  const others = committed + rolledBack - own;
  const whose = others === 0 ? ", all of them poolctl's" : `, ${formatCount(own)} of them by poolctl's count`;
  return `${formatCount(committed)} committed, ${formatCount(rolledBack)} rolled back${whose}`;
}

function workWords({ activeMs, spanMs }: NonNullable<ServerFigures['transactions']>): string | null {
  if (activeMs === null) return null;
  return `at work for ${formatMs(activeMs)} in ${formatMs(spanMs)}, set-up and warm-up included`;
}

function statementWords({ counted, own, selects }: StatementFigures): string {
  const whose =
    counted === own ? ", all of them poolctl's" : `, ${formatCount(own)} of them by poolctl's count`;
  return `${formatCount(counted)} counted by the server (${formatCount(selects)} SELECT)${whose}`;
}

function eventWords(figures: StatementFigures): string {
  const { connections, abortedClients, rowLockWaits, rowLockMs, temporaryDiskTables } = figures;
  return [
    counted(connections, 'new connection'),
    ...(abortedClients === 0 ? [] : [counted(abortedClients, 'aborted client')]),
    ...(rowLockWaits === 0
      ? []
      : [`${counted(rowLockWaits, 'row lock wait')} of ${formatMs(rowLockMs)} in all`]),
    ...(temporaryDiskTables === 0 ? [] : [`${counted(temporaryDiskTables, 'temporary table')} on disk`]),
  ].join(', ');
}

function pgbouncerFacts(figures: PgBouncerFigures): readonly (readonly [string, string | null])[] {
  const { version, poolMode, poolSize, clients, samples, waiting, longestWaitMs } = figures;
  const about = [
    version?.replace(/^PgBouncer /i, '') ?? null,
    poolMode && `${poolMode} mode`,
    poolSize === null ? null : `${counted(poolSize, 'server connection')} for each user and database`,
    clients && `${formatCount(clients.most)} clients at most`,
  ];
  const { transactions, waitMeanMs, serverActive, serverIdle } = figures;
  const waited = waitMeanMs === null ? '' : `, each waited ${formatMs(waitMeanMs)} for one on average`;
  return [
    ['PgBouncer', about.filter((part) => part !== null).join(', ')],
    ['its queue', samples === 0 ? null : queueWords(waiting, longestWaitMs)],
    [
      'its servers',
      samples === 0 ? null : `active ${gaugeWords(serverActive)}, idle ${gaugeWords(serverIdle)}`,
    ],
    ['it counted', transactions === null ? null : `${counted(transactions, 'transaction')}${waited}`],
  ];
}

function queueWords(waiting: Gauge, longestWaitMs: number): string {
  if (waiting.most === 0) return 'nobody was seen waiting';
  return `${gaugeWords(waiting)} clients, the longest wait seen was ${formatMs(longestWaitMs)}`;
}

/** `3.8 (most 8)`; where it never changed, the number alone. */
function gaugeWords({ mean, most }: Gauge): string {
  return mean === most ? formatCount(most) : `${mean.toFixed(1)} (most ${formatCount(most)})`;
}
