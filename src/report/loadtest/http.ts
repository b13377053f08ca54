import { formatCount, formatMs, formatRate, formatShare, formatSize } from '../../base/units.js';
import type { HttpLoad, HttpPoolLoad } from '../../loadtest/http/types.js';
import type { LoadResult } from '../../loadtest/result.js';
import { tableLines } from '../table.js';
import { truncate, wrap } from '../text.js';
import type { Sheet } from './sheet.js';
import { counted } from './words.js';

const STATUSES_SHOWN = 6;
const TRANSITIONS_SHOWN = 6;

/** The section that only a load over HTTP has: statuses, connections and whether they were used again, retries, the breaker. */
export function httpLines(result: LoadResult, { paint, width, unicode }: Sheet): string[] {
  const facts = httpFacts(result);
  if (facts.length === 0) return [];
  const labelWidth = Math.max(...facts.map(([label]) => label.length));
  const lines = facts.flatMap(([label, text]) =>
    wrap(text, Math.max(20, width - labelWidth - 4)).map(
      (line, at) => `  ${(at === 0 ? label : '').padEnd(labelWidth)}  ${truncate(line, width, { unicode })}`,
    ),
  );
  return [
    paint.strong('HTTP'),
    ...lines,
    ...phaseLines(result.http?.pool ?? null, { paint, width, unicode }),
  ];
}

/** The same as pairs of words, for tables of any format. */
export function httpFacts(result: LoadResult): (readonly [label: string, text: string])[] {
  const { http } = result;
  if (http === null) return [];
  const { pool, autocannon } = http;
  return [
    ['statuses', statusWords(http)],
    ['received', formatSize(http.bytes)],
    ...(pool === null ? [] : poolFacts(result, pool)),
    ...(autocannon === null
      ? []
      : [
          [
            'autocannon says',
            `${counted(autocannon.completed, 'request')}, ${formatRate(autocannon.requestsPerSecond)}; ` +
              `${counted(autocannon.errors, 'error')}, ${counted(autocannon.timeouts, 'timeout')}`,
          ] as const,
        ]),
  ];
}

function statusWords({ statuses }: HttpLoad): string {
  if (statuses.length === 0) return 'none';
  const all = statuses.reduce((sum, { count }) => sum + count, 0);
  const shown = statuses
    .slice(0, STATUSES_SHOWN)
    .map(({ status, count }) => `${status}: ${formatCount(count)} (${formatShare(count / all)})`);
  const hidden = statuses.length - shown.length;
  return [...shown, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join(', ');
}

function poolFacts(result: LoadResult, pool: HttpPoolLoad): (readonly [string, string])[] {
  const { figures, options } = result.pool;
  if (figures === null) return [];
  const most = pool.unpooled ? '' : ` of ${formatCount(options.size)}`;
  const before = figures.createdBefore ? `, and ${formatCount(figures.createdBefore)} before` : '';
  return [
    ['most in use', `${formatCount(figures.peakInUse)}${most}`],
    [
      'waited',
      `${formatCount(figures.waited)} of ${counted(figures.acquired ?? 0, 'request')} for a connection, up to ${formatCount(figures.peakWaiting)} at once; ` +
        `${formatCount(figures.timedOut)} timed out`,
    ],
    [
      'used again',
      `${formatShare(pool.reuseRatio)} of ${counted(pool.sent, 'request')} went over a connection that was open`,
    ],
    [
      'opened',
      `${formatCount(figures.created)}${before}; ${formatCount(figures.createFailed)} failed; ` +
        `closed ${countsWords(pool.closed, CLOSE_WORDS)}`,
    ],
    [
      'retries',
      options.http?.retries == null
        ? 'off'
        : `${countsWords(pool.retried, RETRY_WORDS)}${pool.retriesDenied === 0 ? '' : `; ${formatCount(pool.retriesDenied)} more would have been beyond the budget`}`,
    ],
    ['breaker', breakerWords(pool)],
  ];
}

const CLOSE_WORDS: Readonly<Record<keyof HttpPoolLoad['closed'], string>> = {
  expiry: 'idle too long',
  maxIdle: 'beyond those kept',
  maxLifetime: 'too old',
  evicted: 'for another origin',
  server: 'by the server',
  aborted: 'given up',
  timeout: 'too slow',
  error: 'broken',
  shutdown: 'at the end',
};

const RETRY_WORDS: Readonly<Record<keyof HttpPoolLoad['retried'], string>> = {
  connect: 'not connected',
  stale: 'closed by the server when used again',
  lost: 'broken',
  timeout: 'too slow',
  status: 'for their status',
};

/** `12: 10 by the server, 2 broken`, or `none`. */
function countsWords<Key extends string>(
  counts: Readonly<Record<Key, number>>,
  words: Readonly<Record<Key, string>>,
): string {
  const keys = (Object.keys(words) as Key[]).filter((key) => counts[key] > 0);
  if (keys.length === 0) return 'none';
  const all = keys.reduce((sum, key) => sum + counts[key], 0);
  return `${formatCount(all)}: ${keys.map((key) => `${formatCount(counts[key])} ${words[key]}`).join(', ')}`;
}

function breakerWords({
  breakerBefore,
  transitions,
  transitionsInAll,
  circuitRefused,
}: HttpPoolLoad): string {
  if (breakerBefore === null) return 'off';
  if (transitionsInAll === 0 && circuitRefused === 0) return 'stayed closed';
  const shown = transitions
    .slice(0, TRANSITIONS_SHOWN)
    .map(({ atMs, to }) => `${to} at ${formatMs(Math.max(0, atMs))}`);
  const hidden = transitionsInAll - shown.length;
  return [
    ...(breakerBefore === 'closed' ? [] : [`${breakerBefore} from the beginning`]),
    ...shown,
    ...(hidden > 0 ? [`and ${hidden} changes more`] : []),
    `${formatCount(circuitRefused)} requests were refused meanwhile`,
  ].join(', ');
}

function phaseLines(pool: HttpPoolLoad | null, { paint }: Sheet): string[] {
  if (pool === null) return [];
  const rows = [
    { label: 'connecting', of: pool.connect },
    { label: '  of that TLS', of: pool.tls },
    { label: 'first byte', of: pool.firstByte },
  ].filter(({ of }) => of.count > 0);
  if (rows.length === 0) return [];
  const ms = (title: string, value: (of: HttpPoolLoad['connect']) => number | null) => ({
    title,
    align: 'right' as const,
    cell: ({ of }: (typeof rows)[number]) => formatMs(value(of)),
  });
  return tableLines(
    rows,
    [
      { title: '', cell: ({ label }) => label },
      { title: 'times', align: 'right', cell: ({ of }) => formatCount(of.count) },
      ms('mean', ({ meanMs }) => meanMs),
      ms('p50', ({ p50Ms }) => p50Ms),
      ms('p99', ({ p99Ms }) => p99Ms),
      ms('max', ({ maxMs }) => maxMs),
    ],
    { indent: '  ', title: paint.faint },
  );
}
