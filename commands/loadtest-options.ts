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
import { DATABASES, ENGINES, LOADED, MODELED, on, POOLED, SERVERS, TEST_TYPES } from './loadtest-scope.js';
import { segmentOptions } from './loadtest-split.js';
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
    summary: 'load model: concurrent, burst, rate, ramp',
    type: choice(TEST_TYPES),
    default: 'concurrent',
    group: 'Load',
    appliesTo: on({ target: LOADED }),
  }),
  numQueries: value({
    summary: 'concurrent, rate: number of iterations',
    type: count({ least: 1 }),
    default: null,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['concurrent', 'rate'] }),
  }),
  numWorkers: value({
    summary: 'concurrent: workers, each with one iteration at a time',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 50,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['concurrent'] }),
  }),
  duration: value({
    summary: 'start no iteration after this time',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: null,
    defaultText: '5s, unless --num-queries is given',
    group: 'Load',
  }),
  drainTimeout: value({
    summary: 'maximum wait for running iterations at the end',
    type: durationOrNever({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: DEFAULT_DRAIN_MS as number | null,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  iterationTimeout: value({
    summary: 'cancel an iteration after this time, on the server too',
    type: durationOrNever({ leastMs: 1, mostMs: LONGEST_MS }),
    default: null as number | null,
    defaultText: 'none',
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  burstSize: value({
    summary: 'burst: iterations that start at once',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 100,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['burst'] }),
  }),
  numBursts: value({
    summary: 'burst: number of bursts',
    type: count({ least: 1 }),
    default: 10,
    defaultText: '10, without --duration',
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['burst'] }),
  }),
  burstInterval: value({
    summary: 'burst: time from one burst to the next; a bare number is in seconds',
    type: duration({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: 2000,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['burst'] }),
  }),
  rate: value({
    summary: 'rate: arrivals per second',
    type: rate({ least: 0.01, most: 1e6 }),
    default: 100,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['rate'] }),
  }),
  maxInFlight: value({
    summary: 'rate, ramp: drop and count arrivals above N running iterations',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: 10_000,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['rate', 'ramp'] }),
  }),
  rateFrom: value({
    summary: 'ramp: first rate',
    type: rate({ least: 1, most: 1e6 }),
    default: 100,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  rateTo: value({
    summary: 'ramp: last rate',
    type: rate({ least: 1, most: 1e6 }),
    default: 2000,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  rateStep: value({
    summary: 'ramp: increase per step',
    type: rate({ least: 1, most: 1e6 }),
    default: 100,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  stepDuration: value({
    summary: 'ramp: duration of a step',
    type: duration({ leastMs: 200, mostMs: LONGEST_MS }),
    default: 2000,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  breakP99: value({
    summary: 'ramp: p99 response time that breaks a step',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 500,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  breakWait: value({
    summary: 'ramp: p99 wait for a connection that breaks a step',
    type: duration({ leastMs: 1, mostMs: LONGEST_MS }),
    default: 100,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED, testType: ['ramp'] }),
  }),
  warmup: value({
    summary: 'uncounted load before the run: a time, a number of iterations, or none',
    type: warmupType,
    default: null,
    defaultText: '1s, or until connections are open',
    group: 'Load',
  }),
  seed: value({
    summary: 'seed of generated data and random choices',
    type: count({ most: 2 ** 32 - 1 }),
    default: 1,
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: LOADED }),
  }),

  allowRemote: flag({
    summary: 'allow a target on another machine',
    group: 'Load',
    appliesTo: on({ target: [...SERVERS, 'http', 'feed'] }),
  }),

  engine: value({
    summary: 'pool; wire: PostgreSQL at the speed of pgbench; autocannon: HTTP without a pool',
    type: choice(ENGINES),
    default: 'pool',
    advanced: true,
    group: 'Load',
    appliesTo: on({ target: ['postgres', 'http'] }),
  }),

  module: value({
    summary: 'load-test any pool, as FILE defines it (defineTarget)',
    type: path('FILE'),
    default: null,
    group: 'Load',
    config: false,
    appliesTo: on({ target: ['module'] }),
  }),

  ...segmentOptions,
  ...databaseOptions,
  ...feedOptions,
  ...httpOptions,

  profile: value({
    summary: 'pool settings: sqlite, direct, pgbouncer; for HTTP: small, medium, large',
    type: choice(['sqlite', 'direct', 'pgbouncer', 'small', 'medium', 'large'], 'NAME'),
    default: null,
    defaultText: 'by target',
    group: 'Pool',
    appliesTo: on({ target: POOLED, engine: MODELED }),
  }),
  poolSize: value({
    summary: 'connections to keep',
    type: count({ least: 1, most: MOST_AT_ONCE }),
    default: PROFILES.sqlite.poolSize as number,
    defaultText: 'by profile',
    env: 'DB_POOL_SIZE',
    group: 'Pool',
    appliesTo: on({ target: POOLED, engine: MODELED }),
  }),
  maxOverflow: value({
    summary: 'extra connections allowed when all are in use; -1: no limit',
    type: count({ least: -1, most: MOST_AT_ONCE }),
    default: PROFILES.sqlite.maxOverflow as number,
    defaultText: 'by profile',
    env: 'DB_MAX_OVERFLOW',
    group: 'Pool',
    appliesTo: on({ target: DATABASES, engine: ['pool'] }),
  }),
  poolTimeout: value({
    summary: 'maximum wait for a connection; a bare number is in seconds',
    type: durationOrNever({ bareUnit: 's', mostMs: LONGEST_MS }),
    default: PROFILES.sqlite.poolTimeout as number,
    defaultText: 'by profile',
    env: 'DB_POOL_TIMEOUT',
    group: 'Pool',
    appliesTo: on({ target: POOLED, engine: MODELED }),
  }),
  poolRecycle: value({
    summary: 'maximum age of a connection; a bare number is in seconds',
    type: durationOrNever({ bareUnit: 's', leastMs: 1, mostMs: LONGEST_MS }),
    default: PROFILES.sqlite.poolRecycle as number,
    defaultText: 'by profile',
    env: 'DB_POOL_RECYCLE',
    advanced: true,
    group: 'Pool',
    appliesTo: on({ target: DATABASES, engine: ['pool'] }),
  }),
  prePing: flag({
    summary: 'test an idle connection before use',
    default: PROFILES.sqlite.prePing as boolean,
    defaultText: 'on',
    negatable: true,
    env: 'DB_POOL_PRE_PING',
    advanced: true,
    group: 'Pool',
    appliesTo: on({ target: DATABASES, engine: ['pool'] }),
  }),

  sweep: list({
    summary: 'compare pool sizes: pool-size=2,4,8 or max-overflow=0,10',
    type: sweepType,
    group: 'Pool',
    appliesTo: on({ target: POOLED, engine: MODELED }),
  }),
  baseline: value({
    summary: 'unpooled: compare with one connection per iteration',
    type: choice(['unpooled']),
    default: null,
    group: 'Pool',
    config: false,
    appliesTo: on({ target: POOLED, engine: ['pool'] }),
  }),
  rounds: value({
    summary: 'runs per size or mode with --sweep or --baseline',
    type: count({ least: 1, most: 100 }),
    default: 3,
    advanced: true,
    group: 'Pool',
    appliesTo: on({ target: LOADED }),
  }),

  threshold: list({
    summary: "fail unless it holds: 'p99<250ms', 'success>=99%', 'throughput>500/s'",
    type: thresholdType,
    group: 'Verdict',
  }),
  compareWith: value({
    summary: 'fail on a regression from an earlier JSON result',
    type: path('FILE'),
    default: null,
    group: 'Verdict',
    config: false,
    appliesTo: on({ target: LOADED }),
  }),
  tolerance: value({
    summary: 'allowed regression with --compare-with',
    type: share({ most: 10 }),
    default: DEFAULT_TOLERANCE,
    advanced: true,
    group: 'Verdict',
    appliesTo: on({ target: LOADED }),
  }),
  allowDifferentWork: flag({
    summary: 'compare runs of different work, such as a rewritten query',
    advanced: true,
    group: 'Verdict',
    appliesTo: on({ target: LOADED }),
  }),
  strict: flag({ summary: 'fail on a marginal verdict too', group: 'Verdict' }),
  publish: flag({
    summary: 'make the pool visible to poolctl top',
    advanced: true,
    group: 'Output',
    appliesTo: on({ engine: ['pool'] }),
  }),
  format: formatOption(formatsOf('loadtest')),
  hdr: value({
    summary: 'write response times to FILE as an HdrHistogram log',
    type: path('FILE'),
    default: null,
    advanced: true,
    group: 'Output',
    config: false,
    appliesTo: on({ target: LOADED, engine: MODELED }),
  }),
  verbose: flag({
    summary: "print each step and the pool's life cycle on stderr",
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
    summary: `${TARGET_FORMS}, or ${BUILT_IN_FEED} for a simulated feed (default: a temporary SQLite file with generated data)`,
    type: targetType,
  }),
};

/** Whether it is not a single run. */
export function isManyRuns({ sweep, baseline }: Options): boolean {
  return sweep.length > 0 || baseline !== null;
}
