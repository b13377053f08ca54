import { onlyWith, type Rule } from '../src/cli/command.js';
import { flagOf } from '../src/cli/options.js';
import { FEED_METRICS } from '../src/loadtest/feed/thresholds.js';
import { BUILT_IN_FEED, type TargetKind } from '../src/loadtest/workloads/registry.js';
import { formatsOf, isFormatOf } from '../src/report/registry.js';
import { isManyRuns, type Key, type Options, options, type targetArgument } from './loadtest-options.js';
import { HTTP_PROFILES, isHttpProfile, PROFILES } from './loadtest-profiles.js';
import { DATABASES, type LoadScope } from './loadtest-scope.js';
import type { Sweep } from './loadtest-values.js';

type LoadRule = Rule<typeof options, typeof targetArgument>;

/** A complaint if an option was given as a flag where it does not count. */
function notWith(key: Key, other: Key, isWrong: (options: Options) => boolean, why: string): LoadRule {
  return {
    of: [key, other],
    check: ({ options, hasFlag }) => (hasFlag(key) && isWrong(options) ? `${flagOf(key)} ${why}` : null),
  };
}

/** Each option and what it applies to, as declared beside it. */
const scopes = Object.entries(options).map(
  ([key, { appliesTo }]) => [key as Key, appliesTo as LoadScope] as const,
);

function onlyForTargets(key: Key, kinds: readonly TargetKind[]): LoadRule {
  return {
    of: [key, 'module'],
    check: ({ options: { module }, arguments: { target }, hasFlag }) =>
      hasFlag(key) && !kinds.includes(module === null ? (target?.kind ?? 'temporary') : 'module')
        ? `${flagOf(key)} is for ${kindWords(kinds)} only`
        : null,
  };
}

function onlyForEngines(key: Key, engines: NonNullable<LoadScope['engine']>): LoadRule {
  return {
    of: [key, 'engine'],
    check: ({ options: { engine }, hasFlag }) =>
      hasFlag(key) && !engines.includes(engine)
        ? `${flagOf(key)} does not count with --engine ${engine}`
        : null,
  };
}

/** Methods that change nothing. */
const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

const KIND_WORDS: Readonly<Record<TargetKind, string>> = {
  temporary: 'databases',
  sqlite: 'databases',
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  http: 'HTTP',
  module: '--module',
  feed: 'feeds',
};

/** The one kind of target that an engine is for. */
const ENGINE_TARGETS: Readonly<Record<Options['engine'], 'postgres' | 'http' | null>> = {
  pool: null,
  wire: 'postgres',
  autocannon: 'http',
};

function kindWords(kinds: readonly TargetKind[]): string {
  const all = DATABASES.every((kind) => kinds.includes(kind)) ? ['databases'] : [];
  const words = kinds
    .filter((kind) => !(all.length > 0 && DATABASES.includes(kind)))
    .map((kind) => KIND_WORDS[kind]);
  return inWords([...all, ...words]);
}

function inWords(names: readonly string[]): string {
  const [last = '', ...others] = names.toReversed();
  return others.length === 0 ? last : `${others.toReversed().join(', ')} and ${last}`;
}

const hasSql = ({ sql, sqlFile }: Options) => sql.length + sqlFile.length > 0;

/** How many different pools a sweep tries. */
function sizesIn(sweep: readonly Sweep[]): number {
  const sizes = (key: keyof Sweep) => Math.max(1, new Set(sweep.flatMap((each) => each[key])).size);
  return sizes('poolSize') * sizes('maxOverflow');
}

/** Why a load is too small to give each segment a part; null if it is not. */
export function tooFewFor(count: number, options: Options, what = 'segments'): string | null {
  const { testType, numWorkers, numQueries, maxInFlight, burstSize, numBursts, duration } = options;
  const amounts: readonly (readonly [flags: string, amount: number | null])[] = [
    ['--num-workers', testType === 'concurrent' ? numWorkers : null],
    ['--num-queries', testType === 'concurrent' || testType === 'rate' ? numQueries : null],
    ['--max-in-flight', testType === 'rate' || testType === 'ramp' ? maxInFlight : null],
    [
      '--burst-size times --num-bursts',
      testType === 'burst' && duration === null ? burstSize * numBursts : null,
    ],
  ];
  const few = amounts.find(([, amount]) => amount !== null && amount < count);
  return few === undefined ? null : `${few[0]} ${few[1]} cannot be split over ${count} ${what}`;
}

export const rules: readonly LoadRule[] = [
  {
    of: ['module'],
    check: ({ options: { module }, arguments: { target } }) =>
      module !== null && target !== null ? '--module and a target exclude each other' : null,
  },
  ...scopes.flatMap(([key, { target }]) => (target === undefined ? [] : [onlyForTargets(key, target)])),
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
  ...scopes.flatMap(([key, { engine }]) => (engine === undefined ? [] : [onlyForEngines(key, engine)])),
  {
    of: ['engine'],
    check: ({ options: { engine }, arguments: { target }, hasFlag }) => {
      const kind = target?.kind ?? 'temporary';
      const only = ENGINE_TARGETS[engine];
      // The rule for the targets of the option refuses all others.
      if (!hasFlag('engine') || only === null || (kind !== 'postgres' && kind !== 'http')) return null;
      return kind === only ? null : `--engine ${engine} is for ${KIND_WORDS[only]} only`;
    },
  },
  notWith('batch', 'pipeline', ({ pipeline }) => pipeline === 1, 'needs --pipeline 2 or more'),
  {
    of: ['engine', 'sweep'],
    check: ({ options: { engine, sweep } }) =>
      engine === 'wire' && sweep.some(({ maxOverflow }) => maxOverflow.length > 0)
        ? '--sweep max-overflow does not count with --engine wire'
        : null,
  },
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
      target?.kind === 'feed' && !isFormatOf('feedLoad', options.format)
        ? `--format of a feed is one of ${formatsOf('feedLoad').join(', ')}`
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
  ...scopes.flatMap(([key, { testType: types }]) =>
    types === undefined
      ? []
      : onlyWith<typeof options, 'testType'>(
          key,
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
    (options) => isManyRuns(options) && !isFormatOf('sweep', options.format),
    `of --sweep and --baseline is one of ${formatsOf('sweep').join(', ')}`,
  ),
  ...(['sweep', 'baseline', 'compareWith', 'init', 'cleanup'] as const).map((key) =>
    notWith(key, 'segment', ({ segment }) => segment !== null, 'and --segment exclude each other'),
  ),
  ...(
    ['segment', 'sweep', 'baseline', 'compareWith', 'init', 'cleanup', 'hdr', 'passwordStdin'] as const
  ).map((key) =>
    notWith(key, 'processes', ({ processes }) => processes !== 1, 'and --processes exclude each other'),
  ),
  {
    of: ['processes', 'testType', 'numWorkers', 'numQueries', 'maxInFlight', 'burstSize', 'numBursts'],
    check: ({ options }) =>
      options.processes === 'auto' ? null : tooFewFor(options.processes, options, 'processes'),
  },
  notWith('startAt', 'segment', ({ segment }) => segment === null, 'needs --segment'),
  {
    of: ['runId', 'segment', 'agents'],
    check: ({ options: { segment, agents }, hasFlag }) =>
      hasFlag('runId') && segment === null && agents === null ? '--run-id needs --segment or --agents' : null,
  },
  {
    of: ['agents', 'queue'],
    check: ({ options: { agents, queue } }) =>
      agents !== null && queue === null ? '--agents needs --queue' : null,
  },
  ...(['queue', 'agentsTimeout', 'abortErrors'] as const).map((key) =>
    notWith(key, 'agents', ({ agents }) => agents === null, 'needs --agents'),
  ),
  ...(
    [
      ...([
        'segment',
        'processes',
        'emit',
        'sweep',
        'baseline',
        'compareWith',
        'init',
        'cleanup',
        'hdr',
      ] as const),
      ...(['passwordStdin', 'module', 'publish'] as const),
    ] as const
  ).map((key) => notWith(key, 'agents', ({ agents }) => agents !== null, 'and --agents exclude each other')),
  {
    of: ['agents', 'testType', 'numWorkers', 'numQueries', 'maxInFlight', 'burstSize', 'numBursts'],
    check: ({ options }) => (options.agents === null ? null : tooFewFor(options.agents, options, 'agents')),
  },
  notWith(
    'emit',
    'segment',
    ({ segment }) => segment?.index !== 'auto' || segment.count === null,
    'needs the number of segments: --segment auto/8',
  ),
  notWith('image', 'emit', ({ emit }) => emit !== 'kubernetes', 'counts with --emit kubernetes only'),
  notWith('passwordStdin', 'emit', ({ emit }) => emit !== null, 'and --emit exclude each other'),
  notWith('hdr', 'emit', ({ emit }) => emit !== null, 'and --emit exclude each other'),
  {
    of: ['segment', 'testType', 'numWorkers', 'numQueries', 'maxInFlight', 'burstSize', 'numBursts'],
    check: ({ options }) => (options.segment?.count ? tooFewFor(options.segment.count, options) : null),
  },
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
