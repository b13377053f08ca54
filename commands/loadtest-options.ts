import { type CommandContext, optionalArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { flag, list, type ValuesOf, value } from '../src/cli/options.js';
import { choice, count, duration, durationOrNever, path, rate, share } from '../src/cli/value-types.js';
import { DEFAULT_TOLERANCE } from '../src/loadtest/compare.js';
import { DEFAULT_DRAIN_MS } from '../src/loadtest/runner.js';
import { BUILT_IN_FEED, TARGET_FORMS } from '../src/loadtest/workloads/registry.js';
import { formatsOf } from '../src/report/registry.js';
import { databaseOptions, feedOptions, httpOptions } from './loadtest-kinds.js';
import { PROFILES } from './loadtest-profiles.js';
import { DATABASES, LOADED, on, TEST_TYPES } from './loadtest-scope.js';
import {
  LONGEST_MS,
  MOST_AT_ONCE,
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
    type: choice(TEST_TYPES),
    default: 'concurrent',
    group: 'Load',
    appliesTo: on({ target: LOADED }),
  }),
  numQueries: value({
    summary: 'concurrent: end after N iterations',
    type: count({ least: 1 }),
    default: null,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['concurrent', 'rate'] }),
  }),
  numWorkers: value({
    summary: 'concurrent: workers, each with one iteration under way at a time',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 50,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['concurrent'] }),
  }),
  duration: value({
    summary: 'begin no iteration after this long',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: null,
    defaultText: '5s, if no number is given',
    group: 'Load',
  }),
  drainTimeout: value({
    summary: 'longest wait for iterations under way at the end',
    type: durationOrNever({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: DEFAULT_DRAIN_MS as number | null,
    group: 'Load',
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  iterationTimeout: value({
    summary: 'cancel an iteration after this long, on the server too',
    type: durationOrNever({ leastMs: 1, mostMs: LONGEST_MS }),
    default: null as number | null,
    defaultText: 'none',
    group: 'Load',
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  burstSize: value({
    summary: 'burst: iterations that start at once',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 100,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['burst'] }),
  }),
  numBursts: value({
    summary: 'burst: how many bursts',
    type: count({ least: 1 }),
    default: 10,
    defaultText: '10, without --duration',
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['burst'] }),
  }),
  burstInterval: value({
    summary: 'burst: from the start of one to the start of the next; a number alone is seconds',
    type: duration({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: 2000,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['burst'] }),
  }),
  rate: value({
    summary: 'rate: arrivals per second, whatever became of those before',
    type: rate({ least: 0.01, most: 1e6 }),
    default: 100,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['rate'] }),
  }),
  maxInFlight: value({
    summary: 'rate and ramp: arrivals while so many are under way are dropped, and counted',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 10_000,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['rate', 'ramp'] }),
  }),
  rateFrom: value({
    summary: 'ramp: the first rate',
    type: rate({ least: 1, most: 1e6 }),
    default: 100,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  rateTo: value({
    summary: 'ramp: the last rate, if nothing breaks before',
    type: rate({ least: 1, most: 1e6 }),
    default: 2000,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  rateStep: value({
    summary: 'ramp: by how much each step is higher',
    type: rate({ least: 1, most: 1e6 }),
    default: 100,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  stepDuration: value({
    summary: 'ramp: how long each step lasts',
    type: duration({ leastMs: 200, mostMs: LONGEST_MS }),
    default: 2000,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  breakP99: value({
    summary: 'ramp: a step is broken when its p99 reaches this',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 500,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  breakWait: value({
    summary: 'ramp: or when the p99 of waiting for a connection does',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 100,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
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
    appliesTo: on({ target: LOADED }),
  }),

  allowRemote: flag({
    summary: 'send the load to another machine than this one',
    group: 'Load',
    appliesTo: on({ target: ['postgres', 'http', 'feed'] }),
  }),

  ...databaseOptions,
  ...feedOptions,
  ...httpOptions,

  profile: value({
    summary:
      'pool settings for a kind of target: sqlite 10 + 20, direct 20 + 30, pgbouncer 5 + 10; ' +
      'over HTTP small 10, medium 20, large 30',
    type: choice(['sqlite', 'direct', 'pgbouncer', 'small', 'medium', 'large'], 'NAME'),
    default: null,
    defaultText: 'by target',
    group: 'Pool',
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  poolSize: value({
    summary: 'connections kept',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: PROFILES.sqlite.poolSize as number,
    defaultText: 'by profile',
    env: 'DB_POOL_SIZE',
    group: 'Pool',
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  maxOverflow: value({
    summary: 'connections more while all are in use; -1 is no limit',
    type: count({ least: -1, most: MOST_AT_ONCE }),
    default: PROFILES.sqlite.maxOverflow as number,
    defaultText: 'by profile',
    env: 'DB_MAX_OVERFLOW',
    group: 'Pool',
    appliesTo: on({ target: DATABASES }),
  }),
  poolTimeout: value({
    summary: 'how long to wait for a connection; a number alone is seconds',
    type: durationOrNever({ bareUnit: 's', mostMs: LONGEST_MS }),
    default: PROFILES.sqlite.poolTimeout as number,
    defaultText: 'by profile',
    env: 'DB_POOL_TIMEOUT',
    group: 'Pool',
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  poolRecycle: value({
    summary: 'replace connections older than this; a number alone is seconds',
    type: durationOrNever({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: PROFILES.sqlite.poolRecycle as number,
    defaultText: 'by profile',
    env: 'DB_POOL_RECYCLE',
    group: 'Pool',
    appliesTo: on({ target: DATABASES }),
  }),
  prePing: flag({
    summary: 'ask a connection that was idle whether it works before it is used',
    default: PROFILES.sqlite.prePing as boolean,
    defaultText: 'on',
    negatable: true,
    env: 'DB_POOL_PRE_PING',
    group: 'Pool',
    appliesTo: on({ target: DATABASES }),
  }),

  sweep: list({
    summary: 'try pools of several sizes in turn and find the knee: pool-size=2,4,8 or max-overflow=0,10',
    type: sweepType,
    group: 'Pool',
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  baseline: value({
    summary:
      'unpooled: the same work also with a connection for each iteration, in turn: what is the pool worth?',
    type: choice(['unpooled']),
    default: null,
    group: 'Pool',
    config: false,
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
  }),
  rounds: value({
    summary: 'sweep and baseline: how often each is run',
    type: count({ least: 1, most: 100 }),
    default: 3,
    group: 'Pool',
    appliesTo: on({ target: LOADED }),
  }),

  threshold: list({
    summary:
      "exit 1 unless it holds: 'p99<250ms', 'wait.p95<20ms', 'success>=99%', 'throughput>500/s', 'timeouts<=0'",
    type: thresholdType,
    group: 'Verdict',
  }),
  compareWith: value({
    summary: 'compare with the JSON result of an earlier run, and exit 1 on a regression',
    type: path('FILE'),
    default: null,
    group: 'Verdict',
    config: false,
    appliesTo: on({ target: LOADED }),
  }),
  tolerance: value({
    summary: 'how much worse than that run a figure may be',
    type: share({ most: 10 }),
    default: DEFAULT_TOLERANCE,
    group: 'Verdict',
    appliesTo: on({ target: LOADED }),
  }),
  allowDifferentWork: flag({
    summary: 'compare with a run that did different work, such as another query',
    group: 'Verdict',
    appliesTo: on({ target: LOADED }),
  }),
  strict: flag({ summary: 'exit 1 on a marginal verdict too', group: 'Verdict' }),
  publish: flag({
    summary: 'let poolctl top see the pool under load',
    group: 'Output',
    appliesTo: on({ engine: ['pool'] }),
  }),
  format: formatOption(formatsOf('loadtest')),
  hdr: value({
    summary: 'also write the response times to FILE as an HdrHistogram log, which can be merged with others',
    type: path('FILE'),
    default: null,
    group: 'Output',
    config: false,
    appliesTo: on({ target: LOADED, engine: ['pool'] }),
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
