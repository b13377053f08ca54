import { type CommandContext, optionalArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { flag, list, type ValuesOf, value } from '../src/cli/options.js';
import { choice, count, duration, durationOrNever, rate, share, text } from '../src/cli/value-types.js';
import { DEFAULT_TOLERANCE } from '../src/loadtest/compare.js';
import { BUILT_IN_FEED, TARGET_FORMS } from '../src/loadtest/workloads/registry.js';
import { formatsOf } from '../src/report/registry.js';
import { HTTP_PROFILES, PROFILES } from './loadtest-profiles.js';
import {
  definitionType,
  headerType,
  LONGEST_MS,
  MOST_AT_ONCE,
  scriptFileType,
  sweepType,
  targetType,
  thresholdType,
  warmupType,
} from './loadtest-values.js';

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
  format: formatOption(formatsOf('loadtest')),
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
export type Key = keyof Options & string;

export const targetArgument = {
  target: optionalArgument({
    summary: `what to test: ${TARGET_FORMS}; ${BUILT_IN_FEED}: a feed of poolctl's own; left out: a temporary SQLite file with made-up data`,
    type: targetType,
  }),
};

/** Whether it is not a single run. */
export function isManyRuns({ sweep, baseline }: Options): boolean {
  return sweep.length > 0 || baseline !== null;
}
