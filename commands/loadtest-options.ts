import { maskSecrets } from '../src/base/secrets.js';
import { parseCount, parseDuration, ValueError } from '../src/base/units.js';
import { type CommandContext, onlyWith, optionalArgument, type Rule } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { flag, flagOf, list, type ValuesOf, value } from '../src/cli/options.js';
import {
  choice,
  count,
  duration,
  durationOrNever,
  rate,
  share,
  text,
  type ValueType,
} from '../src/cli/value-types.js';
import { DEFAULT_TOLERANCE } from '../src/loadtest/compare.js';
import {
  FEED_METRICS,
  type FeedThreshold,
  isFeedMetric,
  parseFeedThreshold,
} from '../src/loadtest/feed/thresholds.js';
import { parseThreshold, type Threshold } from '../src/loadtest/thresholds.js';
import type { Value } from '../src/loadtest/workloads/expression.js';
import {
  BUILT_IN_FEED,
  parseTarget,
  TARGET_FORMS,
  type Target,
  type TargetKind,
} from '../src/loadtest/workloads/registry.js';
import { FEED_LOAD_FORMATS, type FeedLoadFormat } from '../src/report/feed-load/index.js';
import { LOAD_FORMATS } from '../src/report/loadtest/index.js';
import { SWEEP_FORMATS } from '../src/report/sweep/index.js';

/** Far more than one process can drive; a slip of the keyboard should not eat all memory. */
export const MOST_AT_ONCE = 100_000;
/** What timers can wait for; nobody waits for longer. */
const LONGEST_MS = 24 * 86_400_000;

/** Pool settings for kinds of targets, from the systems that poolctl replaces (seeds 003 and 004). */
export const PROFILES = {
  sqlite: { poolSize: 10, maxOverflow: 20, poolTimeout: 10_000, poolRecycle: 600_000, prePing: true },
  direct: { poolSize: 20, maxOverflow: 30, poolTimeout: 30_000, poolRecycle: 3_600_000, prePing: true },
  pgbouncer: { poolSize: 5, maxOverflow: 10, poolTimeout: 10_000, poolRecycle: 1_800_000, prePing: true },
} as const;

export type Profile = keyof typeof PROFILES;

/** The same for HTTP (seed 002). */
export const HTTP_PROFILES = {
  small: { poolSize: 10, maxKeepalive: 5, poolTimeout: 5000, connectTimeout: 10_000 },
  medium: { poolSize: 20, maxKeepalive: 10, poolTimeout: 5000, connectTimeout: 10_000 },
  large: { poolSize: 30, maxKeepalive: 15, poolTimeout: 5000, connectTimeout: 10_000 },
} as const;

export type HttpProfile = keyof typeof HTTP_PROFILES;

/** The defaults for a target over HTTP. */
export function httpPreset(profile: string | null) {
  const name = profile !== null && isHttpProfile(profile) ? profile : 'medium';
  return { name, values: { ...HTTP_PROFILES[name], maxOverflow: 0, poolRecycle: null, prePing: false } };
}

export function isHttpProfile(name: string): name is HttpProfile {
  return Object.hasOwn(HTTP_PROFILES, name);
}

const targetType: ValueType<Target> = {
  placeholder: 'TARGET',
  parse: parseTarget,
  show: (target) =>
    target.kind === 'temporary' ? 'a temporary file' : maskSecrets(target.url ?? BUILT_IN_FEED),
};

/** Of a feed other things are measured; which of the two it is shows when the target is known. */
export type AnyThreshold =
  | { readonly kind: 'load'; readonly threshold: Threshold }
  | { readonly kind: 'feed'; readonly threshold: FeedThreshold };

const thresholdType: ValueType<AnyThreshold> = {
  placeholder: 'EXPRESSION',
  parse: (source) =>
    isFeedMetric(source)
      ? { kind: 'feed', threshold: parseFeedThreshold(source) }
      : { kind: 'load', threshold: parseThreshold(source) },
  show: ({ threshold }) => threshold.expression,
};

/** `--header 'Accept: text/html'`. */
const headerType: ValueType<readonly [name: string, value: string]> = {
  placeholder: "'NAME: VALUE'",
  parse(source) {
    const [, name, given] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(source) ?? [];
    // Neither the whole of it nor its value is quoted: it may be a token.
    if (name === undefined || given === undefined) throw new ValueError("it is not like 'Accept: text/html'");
    if (/[\r\n\0]/.test(given)) throw new ValueError(`the value of ${name} has a line break`);
    return [name, given];
  },
  show: ([name]) => `${name}: ***`,
};

/** `script.sql@3`, as pgbench has it. */
const scriptFileType: ValueType<{ file: string; weight: number }> = {
  placeholder: 'FILE[@WEIGHT]',
  parse(source) {
    const [, file = source, weight = '1'] = /^(.+)@(\d+)$/.exec(source) ?? [];
    if (file.trim() === '') throw new ValueError('the value is empty');
    return { file, weight: parseCount(weight, { least: 1 }) };
  },
  show: ({ file, weight }) => (weight === 1 ? file : `${file}@${weight}`),
};

const definitionType: ValueType<readonly [name: string, value: Value]> = {
  placeholder: 'NAME=VALUE',
  parse(source) {
    const [, name, given] = /^([a-z_]\w*)=(.*)$/is.exec(source) ?? [];
    if (name === undefined || given === undefined) throw new ValueError(`'${source}' is not NAME=VALUE`);
    return [name, /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : given];
  },
  show: ([name, given]) => `${name}=${given}`,
};

/** Sizes to be tried, by the name of the option that they stand for. */
export interface Sweep {
  readonly poolSize: readonly number[];
  readonly maxOverflow: readonly number[];
}

const SWEPT = { 'pool-size': 'poolSize', 'max-overflow': 'maxOverflow' } as const;

const sweepType: ValueType<Sweep> = {
  placeholder: 'pool-size=N,N,...',
  parse(source) {
    const found = { poolSize: [] as number[], maxOverflow: [] as number[] };
    for (const part of source.trim().split(/\s+/)) {
      const [, name = '', values = ''] = /^(pool-size|max-overflow)=(.+)$/.exec(part) ?? [];
      const key = SWEPT[name as keyof typeof SWEPT];
      if (key === undefined)
        throw new ValueError(`'${part}' is not like pool-size=2,4,8 or max-overflow=0,10`);
      const least = key === 'poolSize' ? 1 : -1;
      found[key].push(...values.split(',').map((one) => parseCount(one, { least, most: MOST_AT_ONCE })));
    }
    return found;
  },
  show: ({ poolSize, maxOverflow }) =>
    [
      ...(poolSize.length > 0 ? [`pool-size=${poolSize}`] : []),
      ...(maxOverflow.length > 0 ? [`max-overflow=${maxOverflow}`] : []),
    ].join(' '),
};

export type Warmup = { readonly iterations: number } | { readonly durationMs: number };

const warmupType: ValueType<Warmup> = {
  placeholder: 'DURATION|N',
  parse(source) {
    if (/^none$/i.test(source.trim())) return { iterations: 0 };
    if (/^[\d_]+[kM]?$/.test(source.trim())) return { iterations: parseCount(source) };
    return { durationMs: parseDuration(source, { mostMs: LONGEST_MS }) };
  },
  show: (given) => ('iterations' in given ? `${given.iterations} iterations` : `${given.durationMs / 1000}s`),
};

export const options = {
  testType: value({
    summary:
      'concurrent: workers that never rest; burst: many at once, then a pause; rate: arrivals by the clock; ' +
      'ramp: a rate that rises until something breaks',
    type: choice(['concurrent', 'burst', 'rate', 'ramp']),
    default: 'concurrent',
    group: 'Load',
  }),
  numQueries: value({
    summary: 'concurrent: end after N iterations',
    type: count({ least: 1 }),
    default: null,
    group: 'Load',
  }),
  numWorkers: value({
    summary: 'concurrent: workers, each with one iteration under way at a time',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 50,
    group: 'Load',
  }),
  duration: value({
    summary: 'end after this long; what is under way is waited for',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: null,
    defaultText: '5s, if no number is given',
    group: 'Load',
  }),
  burstSize: value({
    summary: 'burst: iterations that start at once',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 100,
    group: 'Load',
  }),
  numBursts: value({
    summary: 'burst: how many bursts',
    type: count({ least: 1 }),
    default: 10,
    defaultText: '10, without --duration',
    group: 'Load',
  }),
  burstInterval: value({
    summary: 'burst: from the start of one to the start of the next; a number alone is seconds',
    type: duration({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: 2000,
    group: 'Load',
  }),
  rate: value({
    summary: 'rate: arrivals per second, whatever became of those before',
    type: rate({ least: 0.01, most: 1e6 }),
    default: 100,
    group: 'Load',
  }),
  maxInFlight: value({
    summary: 'rate and ramp: arrivals while so many are under way are dropped, and counted',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 10_000,
    group: 'Load',
  }),
  rateFrom: value({
    summary: 'ramp: the first rate',
    type: rate({ least: 1, most: 1e6 }),
    default: 100,
    group: 'Load',
  }),
  rateTo: value({
    summary: 'ramp: the last rate, if nothing breaks before',
    type: rate({ least: 1, most: 1e6 }),
    default: 2000,
    group: 'Load',
  }),
  rateStep: value({
    summary: 'ramp: by how much each step is higher',
    type: rate({ least: 1, most: 1e6 }),
    default: 100,
    group: 'Load',
  }),
  stepDuration: value({
    summary: 'ramp: how long each step lasts',
    type: duration({ leastMs: 200, mostMs: LONGEST_MS }),
    default: 2000,
    group: 'Load',
  }),
  breakP99: value({
    summary: 'ramp: a step is broken when its p99 reaches this',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 500,
    group: 'Load',
  }),
  breakWait: value({
    summary: 'ramp: or when the p99 of waiting for a connection does',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 100,
    group: 'Load',
  }),
  warmup: value({
    summary: 'load beforehand that is not counted: so long, or so many iterations, or none',
    type: warmupType,
    default: null,
    defaultText: '1s, or until connections are open',
    group: 'Load',
  }),
  seed: value({
    summary: 'makes the same data and the same choices in every run with this number',
    type: count({ most: 2 ** 32 - 1 }),
    default: 1,
    group: 'Load',
  }),

  allowRemote: flag({ summary: 'send the load to another machine than this one', group: 'Load' }),

  queryType: value({
    summary: 'simple: a look-up by index; complex: an aggregation; mixed: four to one',
    type: choice(['simple', 'complex', 'mixed']),
    default: 'simple',
    group: 'Queries',
  }),
  sql: list({
    summary: 'run this instead: statements separated by semicolons, one iteration runs all of them',
    type: text('SQL'),
    group: 'Queries',
  }),
  sqlFile: list({
    summary: "run a script instead; several are chosen by weight. It may have pgbench's \\set and \\sleep",
    type: scriptFileType,
    group: 'Queries',
  }),
  params: value({
    summary: 'values for ? or :name in turn, a row an iteration: [["AAPL"],["MSFT"]] or [{"symbol":"AAPL"}]',
    type: text('JSON'),
    default: null,
    group: 'Queries',
  }),
  paramsFile: value({
    summary: 'the same from a file: a JSON list, or one row of JSON to a line',
    type: text('FILE'),
    default: null,
    group: 'Queries',
  }),
  define: list({ summary: 'a value for :NAME in scripts', type: definitionType, group: 'Queries' }),
  allowWrites: flag({
    summary: "let statements, or requests other than GET, HEAD and OPTIONS, write to the target's data",
    group: 'Load',
  }),

  passwordStdin: flag({
    summary: 'read the password from stdin; else it is that of the URL, PGPASSWORD or ~/.pgpass',
    group: 'PostgreSQL',
    config: false,
  }),
  pgbouncer: flag({
    summary: 'PgBouncer in transaction mode is between, or is not',
    default: null,
    defaultText: 'found out',
    negatable: true,
    env: 'USE_PGBOUNCER',
    group: 'PostgreSQL',
  }),
  prepareThreshold: value({
    summary:
      'name a statement that a connection runs more often than this; 0 names none, and so does PgBouncer',
    type: count(),
    default: null,
    defaultText: '0',
    env: 'DB_PREPARE_THRESHOLD',
    group: 'PostgreSQL',
  }),
  connectTimeout: value({
    summary: 'how long opening a connection may take; a number alone is seconds',
    type: duration({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: null,
    defaultText: '30s; 10s over HTTP and of feeds',
    env: 'DB_CONNECT_TIMEOUT',
    group: 'Pool',
  }),
  init: flag({
    summary: 'make a table of made-up candles in the schema poolctl_loadtest first, for the built-in queries',
    group: 'PostgreSQL',
    config: false,
  }),
  cleanup: flag({ summary: 'remove that table afterwards', group: 'PostgreSQL', config: false }),

  symbol: list({ summary: 'subscribe this', type: text('SYMBOL'), group: 'Feeds' }),
  symbolsFile: value({
    summary: 'subscribe those in a file, one to a line',
    type: text('FILE'),
    default: null,
    group: 'Feeds',
  }),
  symbols: value({
    summary: `subscribe N made-up ones, for ${BUILT_IN_FEED} and feeds that take any`,
    type: count({ least: 1, most: 1_000_000 }),
    default: null,
    defaultText: `as many as fit, of ${BUILT_IN_FEED}`,
    group: 'Feeds',
  }),
  maxSymbolsPerWebsocket: value({
    summary: 'symbols on one connection',
    type: count({ least: 1, most: 100_000 }),
    default: 1000,
    env: 'MAX_SYMBOLS_PER_WEBSOCKET',
    group: 'Feeds',
  }),
  maxWebsocketConnections: value({
    summary: 'connections at most',
    type: count({ least: 1, most: 100 }),
    default: 3,
    env: 'MAX_WEBSOCKET_CONNECTIONS',
    group: 'Feeds',
  }),
  placement: value({
    summary: 'where symbols go: first-fit or least-loaded',
    type: choice(['first-fit', 'least-loaded'], 'WORD'),
    default: 'first-fit',
    group: 'Feeds',
  }),
  batchRate: value({
    summary: 'subscribe messages on one connection, of 200 symbols each',
    type: rate({ least: 1, most: 1000 }),
    default: 4,
    group: 'Feeds',
  }),
  stamp: value({
    summary: 'the field of a tick that says when it was made, for its latency',
    type: text('FIELD'),
    default: null,
    defaultText: 'found out',
    group: 'Feeds',
  }),
  refresh: value({
    summary: 'a second consumer takes its ticks this often, and has them conflated; never: there is none',
    type: durationOrNever({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 100,
    group: 'Feeds',
  }),
  tickRate: value({
    summary: `ticks that ${BUILT_IN_FEED} sends, over all symbols`,
    type: rate({ least: 0, most: 1e6 }),
    default: 5000,
    group: 'Feeds',
  }),
  method: value({
    summary: 'what is sent; all but GET, HEAD and OPTIONS need --allow-writes',
    type: choice(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'], 'METHOD'),
    default: 'GET',
    group: 'HTTP and feeds',
    config: false,
  }),
  body: value({
    summary: 'the body of each request',
    type: text('TEXT'),
    default: null,
    group: 'HTTP and feeds',
    config: false,
  }),
  bodyFile: value({
    summary: 'the same from a file, as it is',
    type: text('FILE'),
    default: null,
    group: 'HTTP and feeds',
    config: false,
  }),
  engine: value({
    summary: "pool: through poolctl's own pool; autocannon: over its sockets, one for each of --num-workers",
    type: choice(['pool', 'autocannon']),
    default: 'pool',
    group: 'HTTP and feeds',
  }),
  readTimeout: value({
    summary: 'how long the server may take for the first and for each next piece of its answer',
    type: durationOrNever({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: 30_000,
    group: 'HTTP and feeds',
  }),
  retries: value({
    summary: 'how often a request is tried again at most: 429, 500, 502, 503, 504, and what was not sent',
    type: count({ most: 100 }),
    default: 3,
    group: 'HTTP and feeds',
  }),
  breaker: flag({
    summary: 'leave the server alone for a while when half of its answers are failures',
    default: true,
    negatable: true,
    group: 'HTTP and feeds',
  }),
  http2: flag({ summary: 'offer HTTP/2 to https servers', group: 'HTTP and feeds' }),
  maxKeepalive: value({
    summary: 'idle connections kept',
    type: count({ most: MOST_AT_ONCE }),
    default: HTTP_PROFILES.medium.maxKeepalive as number,
    defaultText: 'by profile',
    group: 'HTTP and feeds',
  }),
  keepaliveExpiry: value({
    summary: 'how long an idle connection is kept; a number alone is seconds',
    type: duration({ bareUnit: 's', mostMs: LONGEST_MS }),
    default: 30_000,
    group: 'HTTP and feeds',
  }),
  ca: value({
    summary: 'trust the certificates in FILE (PEM), in place of those that Node trusts',
    type: text('FILE'),
    default: null,
    group: 'HTTP and feeds',
  }),
  header: list({
    summary: 'a header of each request, and of the opening of a feed',
    type: headerType,
    group: 'HTTP and feeds',
    config: false,
  }),

  profile: value({
    summary:
      'pool settings for a kind of target: sqlite 10 + 20, direct 20 + 30, pgbouncer 5 + 10; ' +
      'over HTTP small 10, medium 20, large 30',
    type: choice(['sqlite', 'direct', 'pgbouncer', 'small', 'medium', 'large'], 'NAME'),
    default: null,
    defaultText: 'by target',
    group: 'Pool',
  }),
  poolSize: value({
    summary: 'connections kept',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: PROFILES.sqlite.poolSize as number,
    defaultText: 'by profile',
    env: 'DB_POOL_SIZE',
    group: 'Pool',
  }),
  maxOverflow: value({
    summary: 'connections more while all are in use; -1 is no limit',
    type: count({ least: -1, most: MOST_AT_ONCE }),
    default: PROFILES.sqlite.maxOverflow as number,
    defaultText: 'by profile',
    env: 'DB_MAX_OVERFLOW',
    group: 'Pool',
  }),
  poolTimeout: value({
    summary: 'how long to wait for a connection; a number alone is seconds',
    type: durationOrNever({ bareUnit: 's', mostMs: LONGEST_MS }),
    default: PROFILES.sqlite.poolTimeout as number,
    defaultText: 'by profile',
    env: 'DB_POOL_TIMEOUT',
    group: 'Pool',
  }),
  poolRecycle: value({
    summary: 'replace connections older than this; a number alone is seconds',
    type: durationOrNever({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: PROFILES.sqlite.poolRecycle as number,
    defaultText: 'by profile',
    env: 'DB_POOL_RECYCLE',
    group: 'Pool',
  }),
  prePing: flag({
    summary: 'ask a connection that was idle whether it works before it is used',
    default: PROFILES.sqlite.prePing as boolean,
    defaultText: 'on',
    negatable: true,
    env: 'DB_POOL_PRE_PING',
    group: 'Pool',
  }),

  sweep: list({
    summary: 'try pools of several sizes in turn and find the knee: pool-size=2,4,8 or max-overflow=0,10',
    type: sweepType,
    group: 'Pool',
  }),
  baseline: value({
    summary:
      'unpooled: the same work also with a connection for each iteration, in turn: what is the pool worth?',
    type: choice(['unpooled']),
    default: null,
    group: 'Pool',
    config: false,
  }),
  rounds: value({
    summary: 'sweep and baseline: how often each is run',
    type: count({ least: 1, most: 100 }),
    default: 3,
    group: 'Pool',
  }),

  threshold: list({
    summary:
      "exit 1 unless it holds: 'p99<250ms', 'wait.p95<20ms', 'success>=99%', 'throughput>500/s', 'timeouts<=0'",
    type: thresholdType,
    group: 'Verdict',
  }),
  compareWith: value({
    summary: 'compare with the JSON result of an earlier run, and exit 1 on a regression',
    type: text('FILE'),
    default: null,
    group: 'Verdict',
    config: false,
  }),
  tolerance: value({
    summary: 'how much worse than that run a figure may be',
    type: share({ most: 10 }),
    default: DEFAULT_TOLERANCE,
    group: 'Verdict',
  }),
  strict: flag({ summary: 'exit 1 on a marginal verdict too', group: 'Verdict' }),
  publish: flag({
    summary: 'let poolctl top see the pool under load',
    group: 'Output',
  }),
  format: formatOption(LOAD_FORMATS),
  hdr: value({
    summary: 'also write the response times to FILE as an HdrHistogram log, which can be merged with others',
    type: text('FILE'),
    default: null,
    group: 'Output',
    config: false,
  }),
  verbose: flag({
    summary: "say on stderr what is being done; logs the life of the pool's connections",
    short: 'v',
    env: 'DB_ECHO_POOL',
    group: 'Common options',
  }),
};

export type LoadContext = CommandContext<typeof options, typeof targetArgument>;
export type Options = ValuesOf<typeof options>;
type Key = keyof Options & string;

export const targetArgument = {
  target: optionalArgument({
    summary: `what to test: ${TARGET_FORMS}; ${BUILT_IN_FEED}: a feed of poolctl's own; left out: a temporary SQLite file with made-up data`,
    type: targetType,
  }),
};

type LoadRule = Rule<typeof options, typeof targetArgument>;

/** A complaint if an option was given as a flag where it does not count. */
function notWith(key: Key, other: Key, isWrong: (options: Options) => boolean, why: string): LoadRule {
  return {
    of: [key, other],
    check: ({ options, hasFlag }) => (hasFlag(key) && isWrong(options) ? `${flagOf(key)} ${why}` : null),
  };
}

const LOADED: readonly TargetKind[] = ['temporary', 'sqlite', 'postgres', 'http'];
const DATABASES: readonly TargetKind[] = ['temporary', 'sqlite', 'postgres'];

/** Options that mean something for certain kinds of targets only. */
const KINDS_OF: Readonly<Partial<Record<Key, readonly TargetKind[]>>> = {
  ...ofKinds(['postgres', 'http', 'feed'], ['allowRemote', 'connectTimeout']),
  ...ofKinds(['postgres'], ['passwordStdin', 'pgbouncer', 'prepareThreshold', 'init', 'cleanup']),
  ...ofKinds(DATABASES, ['queryType', 'sql', 'sqlFile', 'params', 'paramsFile', 'define']),
  ...ofKinds(DATABASES, ['maxOverflow', 'poolRecycle', 'prePing']),
  ...ofKinds(LOADED, [
    'testType',
    'numQueries',
    'numWorkers',
    'burstSize',
    'numBursts',
    'burstInterval',
    'rate',
  ]),
  ...ofKinds(LOADED, [
    'maxInFlight',
    'rateFrom',
    'rateTo',
    'rateStep',
    'stepDuration',
    'breakP99',
    'breakWait',
  ]),
  ...ofKinds(LOADED, [
    'seed',
    'allowWrites',
    'profile',
    'poolSize',
    'poolTimeout',
    'sweep',
    'baseline',
    'rounds',
  ]),
  ...ofKinds(LOADED, ['compareWith', 'tolerance', 'hdr']),
  ...ofKinds(
    ['feed'],
    ['symbol', 'symbolsFile', 'symbols', 'maxSymbolsPerWebsocket', 'maxWebsocketConnections'],
  ),
  ...ofKinds(['feed'], ['placement', 'batchRate', 'stamp', 'refresh', 'tickRate']),
  ...ofKinds(['http', 'feed'], ['header', 'ca']),
  ...ofKinds(
    ['http'],
    ['method', 'body', 'bodyFile', 'engine', 'readTimeout', 'retries', 'breaker', 'http2'],
  ),
  ...ofKinds(['http'], ['maxKeepalive', 'keepaliveExpiry']),
};

function ofKinds(kinds: readonly TargetKind[], keys: readonly Key[]) {
  return Object.fromEntries(keys.map((key) => [key, kinds]));
}

/** Methods that change nothing. */
const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

const AUTOCANNON_HAS_NO = [
  ...(['profile', 'poolSize', 'poolTimeout', 'retries', 'breaker', 'http2', 'maxKeepalive'] as const),
  ...(['keepaliveExpiry', 'sweep', 'baseline', 'publish', 'hdr'] as const),
];

const KIND_WORDS: Readonly<Record<TargetKind, string>> = {
  temporary: 'databases',
  sqlite: 'databases',
  postgres: 'PostgreSQL',
  http: 'HTTP',
  feed: 'feeds',
};

function kindWords(kinds: readonly TargetKind[]): string {
  const all = DATABASES.every((kind) => kinds.includes(kind)) ? ['databases'] : [];
  const words = kinds
    .filter((kind) => !(all.length > 0 && DATABASES.includes(kind)))
    .map((kind) => KIND_WORDS[kind]);
  return [...all, ...words].join(' and ');
}

const hasSql = ({ sql, sqlFile }: Options) => sql.length + sqlFile.length > 0;

/** Options that mean something with certain kinds of load only. */
const COUNTS_WITH: Readonly<Partial<Record<Key, readonly Options['testType'][]>>> = {
  burstSize: ['burst'],
  numBursts: ['burst'],
  burstInterval: ['burst'],
  numQueries: ['concurrent', 'rate'],
  numWorkers: ['concurrent'],
  rate: ['rate'],
  maxInFlight: ['rate', 'ramp'],
  rateFrom: ['ramp'],
  rateTo: ['ramp'],
  rateStep: ['ramp'],
  stepDuration: ['ramp'],
  breakP99: ['ramp'],
  breakWait: ['ramp'],
};

/** How many different pools a sweep tries. */
function sizesIn(sweep: readonly Sweep[]): number {
  const sizes = (key: keyof Sweep) => Math.max(1, new Set(sweep.flatMap((each) => each[key])).size);
  return sizes('poolSize') * sizes('maxOverflow');
}

/** Whether it is not a single run. */
export function isManyRuns({ sweep, baseline }: Options): boolean {
  return sweep.length > 0 || baseline !== null;
}

export function isFeedFormat(format: string): format is FeedLoadFormat {
  return (FEED_LOAD_FORMATS as readonly string[]).includes(format);
}

export function isSweepFormat(format: string): format is (typeof SWEEP_FORMATS)[number] {
  return (SWEEP_FORMATS as readonly string[]).includes(format);
}

export const rules: readonly LoadRule[] = [
  ...Object.entries(KINDS_OF).map(
    ([key, kinds]): LoadRule => ({
      of: [key as Key],
      check: ({ arguments: { target }, hasFlag }) =>
        hasFlag(key as Key) && !kinds.includes(target?.kind ?? 'temporary')
          ? `${flagOf(key)} is for ${kindWords(kinds)} only`
          : null,
    }),
  ),
  {
    of: ['profile'],
    check: ({ options: { profile }, arguments: { target }, hasFlag }) => {
      if (profile === null || !hasFlag('profile') || target?.kind === 'feed') return null;
      const isHttp = target?.kind === 'http';
      if (isHttpProfile(profile) === isHttp) return null;
      return `--profile ${profile} is for ${isHttp ? 'databases' : 'HTTP'}; there is ${(isHttp ? Object.keys(HTTP_PROFILES) : Object.keys(PROFILES)).join(', ')}`;
    },
  },
  {
    of: ['method', 'allowWrites'],
    check: ({ options: { method, allowWrites }, arguments: { target } }) =>
      target?.kind === 'http' && !READS.includes(method) && !allowWrites
        ? `--method ${method} may change what is there; give --allow-writes if it may`
        : null,
  },
  {
    of: ['body', 'bodyFile', 'method'],
    check: ({ options: { body, bodyFile, method }, arguments: { target } }) => {
      if (target?.kind !== 'http' || (body === null && bodyFile === null)) return null;
      if (body !== null && bodyFile !== null) return '--body and --body-file exclude each other';
      return READS.includes(method) ? `a body does not go with --method ${method}` : null;
    },
  },
  ...AUTOCANNON_HAS_NO.map(
    (key): LoadRule => ({
      of: [key, 'engine'],
      check: ({ options: { engine }, hasFlag }) =>
        engine === 'autocannon' && hasFlag(key)
          ? `${flagOf(key)} does not count with --engine autocannon`
          : null,
    }),
  ),
  {
    of: ['engine', 'testType'],
    check: ({ options: { engine, testType } }) =>
      engine === 'autocannon' && testType !== 'concurrent'
        ? '--engine autocannon goes with --test-type concurrent only: its arrivals by the clock come in bursts'
        : null,
  },
  {
    of: ['engine', 'numQueries', 'numWorkers'],
    check: ({ options: { engine, numQueries, numWorkers } }) =>
      engine === 'autocannon' && numQueries !== null && numQueries < numWorkers
        ? `--num-queries ${numQueries} is less than one for each of ${numWorkers} connections of autocannon`
        : null,
  },
  {
    of: ['sweep'],
    check: ({ options: { sweep }, arguments: { target } }) =>
      target?.kind === 'http' && sweep.some(({ maxOverflow }) => maxOverflow.length > 0)
        ? '--sweep max-overflow is for databases only'
        : null,
  },
  {
    of: ['threshold'],
    check: ({ options, arguments: { target } }) => {
      const kind = target?.kind === 'feed' ? 'feed' : 'load';
      const wrong = options.threshold.find((one) => one.kind !== kind);
      if (wrong === undefined) return null;
      return kind === 'feed'
        ? `--threshold ${wrong.threshold.expression} is not measured of a feed; known are ${FEED_METRICS}`
        : `--threshold ${wrong.threshold.expression} is measured of feeds only`;
    },
  },
  {
    of: ['format'],
    check: ({ options, arguments: { target } }) =>
      target?.kind === 'feed' && !isFeedFormat(options.format)
        ? `--format of a feed is one of ${FEED_LOAD_FORMATS.join(', ')}`
        : null,
  },
  {
    of: ['symbol', 'symbolsFile', 'symbols'],
    check: ({ options: { symbol, symbolsFile, symbols }, arguments: { target } }) => {
      if (target?.kind !== 'feed') return null;
      const given = [symbol.length > 0, symbolsFile !== null, symbols !== null].filter((each) => each).length;
      if (given > 1) return '--symbol, --symbols-file and --symbols exclude each other';
      return given === 0 && target.url !== null
        ? 'say what to subscribe: --symbol AAPL, --symbols-file FILE, or --symbols N for made-up ones'
        : null;
    },
  },
  {
    of: ['symbols', 'maxSymbolsPerWebsocket', 'maxWebsocketConnections'],
    check: ({ options: { symbols, maxSymbolsPerWebsocket, maxWebsocketConnections } }) =>
      symbols !== null && symbols > maxSymbolsPerWebsocket * maxWebsocketConnections
        ? `--symbols ${symbols} do not fit on ${maxWebsocketConnections} connections of ${maxSymbolsPerWebsocket}`
        : null,
  },
  {
    of: ['tickRate'],
    check: ({ arguments: { target }, hasFlag }) =>
      hasFlag('tickRate') && target?.kind === 'feed' && target.url !== null
        ? `--tick-rate is for ${BUILT_IN_FEED} only`
        : null,
  },
  ...Object.entries(COUNTS_WITH).flatMap(([key, types]) =>
    onlyWith<typeof options, 'testType'>(
      key as Key,
      'testType',
      types,
      `${flagOf(key)} counts with --test-type ${types.join(' or ')} only`,
    ),
  ),
  notWith('rateTo', 'rateFrom', ({ rateFrom, rateTo }) => rateTo < rateFrom, 'is lower than --rate-from'),
  notWith(
    'duration',
    'testType',
    ({ testType }) => testType === 'ramp',
    'does not count with --test-type ramp: see --step-duration',
  ),
  notWith('rounds', 'sweep', (options) => !isManyRuns(options), 'needs --sweep or --baseline'),
  {
    of: ['sweep'],
    check: ({ options }) =>
      options.sweep.length > 0 && sizesIn(options.sweep) < 2
        ? '--sweep needs at least two sizes to compare'
        : null,
  },
  notWith('baseline', 'sweep', ({ sweep }) => sweep.length > 0, 'and --sweep exclude each other'),
  notWith('tolerance', 'compareWith', ({ compareWith }) => compareWith === null, 'needs --compare-with'),
  ...(['compareWith', 'threshold', 'strict', 'hdr'] as const).map((key) =>
    notWith(key, 'sweep', isManyRuns, 'is for a single run, and --sweep and --baseline are many'),
  ),
  notWith(
    'poolSize',
    'sweep',
    ({ sweep }) => sweep.some(({ poolSize }) => poolSize.length > 0),
    'is what --sweep tries',
  ),
  notWith(
    'maxOverflow',
    'sweep',
    ({ sweep }) => sweep.some(({ maxOverflow }) => maxOverflow.length > 0),
    'is what --sweep tries',
  ),
  notWith(
    'sweep',
    'testType',
    ({ testType }) => testType === 'ramp',
    'and --test-type ramp exclude each other',
  ),
  notWith(
    'format',
    'sweep',
    (options) => isManyRuns(options) && !isSweepFormat(options.format),
    `of --sweep and --baseline is one of ${SWEEP_FORMATS.join(', ')}`,
  ),
  notWith('queryType', 'sql', hasSql, 'and --sql or --sql-file exclude each other'),
  ...(['params', 'paramsFile', 'define'] as const).map((key) =>
    notWith(key, 'sql', (options) => !hasSql(options), 'needs --sql or --sql-file'),
  ),
  notWith(
    'params',
    'paramsFile',
    ({ paramsFile }) => paramsFile !== null,
    'and --params-file exclude each other',
  ),
];
