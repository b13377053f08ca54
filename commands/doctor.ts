import { ValueError } from '../src/base/units.js';
import { type CommandContext, defineCommand, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { didYouMean } from '../src/cli/suggest.js';
import {
  count,
  duration,
  durationOrNever,
  path,
  size,
  text,
  type ValueType,
} from '../src/cli/value-types.js';
import { ignoredRemark } from '../src/db/postgres-place.js';
import { DEFAULT_OPTIONS } from '../src/doctor/doctor.js';
import { CHECKS } from '../src/doctor/registry.js';
import { runChecks } from '../src/doctor/run.js';
import { openTargets, parseTarget, TARGET_FORMS, type TargetAddress } from '../src/doctor/targets.js';
import type { AppSettings, Check, DoctorOptions } from '../src/doctor/types.js';
import { checkList, checkPage } from '../src/report/doctor/pages.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { findSockets } from '../src/sources/discovery.js';
import type { SocketOwner } from '../src/watch/directory.js';

/** They are many: an error does not name them all. */
function checkOf(source: string): Check {
  const wanted = source.trim();
  const found = CHECKS.find(({ id }) => id === wanted);
  if (found !== undefined) return found;
  const meant = didYouMean(
    wanted,
    CHECKS.map(({ id }) => id),
  );
  throw new ValueError(`there is no check '${wanted}'; ${meant ?? 'poolctl doctor --list shows all'}`);
}

const checkType: ValueType<Check> = { placeholder: 'CHECK', parse: checkOf, show: ({ id }) => id };

/** `a,b`, as well as the option given twice. */
const checksType: ValueType<readonly Check[]> = {
  placeholder: 'CHECK,...',
  parse: (source) => source.split(',').map(checkOf),
  show: (checks) => checks.map(({ id }) => id).join(','),
};

/** Between two looks at something that waits or fails. */
const SECOND_LOOK_MS = 1000;

const SETTINGS = "The application's settings";
const FACTS = 'What no target tells';

const options = {
  only: list({
    summary: 'run only these checks',
    type: checksType,
    group: 'Checks',
  }),
  skip: list({ summary: 'skip these checks', type: checksType, group: 'Checks' }),
  list: flag({ summary: 'list all checks and exit', config: false, group: 'Checks' }),
  explain: value({
    summary: 'explain a check and exit',
    type: checkType,
    default: null,
    config: false,
    group: 'Checks',
  }),
  strict: flag({ summary: 'fail on warnings too', group: 'Checks' }),
  tryLogin: flag({
    summary: 'log in through PgBouncer as the user of postgres://',
    group: 'Checks',
  }),
  recording: list({
    summary: 'judge the pool sizes in this recording of poolctl run --record-leases',
    type: path('FILE'),
    group: 'Checks',
  }),
  timeout: value({
    summary: 'maximum time to read one target',
    type: duration({ leastMs: 100 }),
    default: 10_000,
    group: 'Checks',
  }),
  idleTransaction: value({
    summary: 'maximum idle time in a transaction',
    type: duration({ leastMs: 1 }),
    default: DEFAULT_OPTIONS.idleTransactionMs,
    group: 'Limits',
  }),
  longQuery: value({
    summary: 'maximum duration of a query',
    type: duration({ leastMs: 1 }),
    default: DEFAULT_OPTIONS.longQueryMs,
    group: 'Limits',
  }),
  queueWait: value({
    summary: "maximum wait in PgBouncer's queue",
    type: duration({ leastMs: 1 }),
    default: DEFAULT_OPTIONS.queueWaitMs,
    group: 'Limits',
  }),
  instances: value({
    summary: 'processes of the application, each with its own pool',
    type: count({ least: 1 }),
    default: null,
    defaultText: '1',
    group: FACTS,
  }),
  memory: value({
    summary: 'memory of the database server',
    type: size({ least: 1 }),
    default: null,
    defaultText: "this machine's, for a local server",
    group: FACTS,
  }),
  fileLimit: value({
    summary: 'open files that PgBouncer may have (ulimit -n)',
    type: count({ least: 1 }),
    default: null,
    defaultText: 'detected for a local PgBouncer with a pidfile',
    group: FACTS,
  }),
  poolSize: value({
    summary: 'connections that a pool keeps',
    type: count({ least: 1 }),
    default: null,
    env: 'DB_POOL_SIZE',
    group: SETTINGS,
  }),
  maxOverflow: value({
    summary: 'extra connections allowed when all are in use; -1: no limit',
    type: count({ least: -1 }),
    default: null,
    env: 'DB_MAX_OVERFLOW',
    group: SETTINGS,
  }),
  poolTimeout: value({
    summary: 'maximum wait for a connection; a bare number is in seconds',
    type: durationOrNever({ bareUnit: 's' }),
    default: null,
    defaultText: 'unknown',
    env: 'DB_POOL_TIMEOUT',
    group: SETTINGS,
  }),
  poolRecycle: value({
    summary: 'maximum age of a connection; a bare number is in seconds',
    type: durationOrNever({ bareUnit: 's' }),
    default: null,
    defaultText: 'unknown',
    env: 'DB_POOL_RECYCLE',
    group: SETTINGS,
  }),
  prePing: flag({
    summary: 'whether idle connections are tested before use',
    default: null,
    defaultText: 'unknown',
    negatable: true,
    env: 'DB_POOL_PRE_PING',
    group: SETTINGS,
  }),
  connectTimeout: value({
    summary: 'maximum time to open a connection; a bare number is in seconds',
    type: duration({ bareUnit: 's', leastMs: 1 }),
    default: null,
    env: 'DB_CONNECT_TIMEOUT',
    group: SETTINGS,
  }),
  prepareThreshold: value({
    summary: 'name a statement after N executions; 0: never',
    type: count(),
    default: null,
    env: 'DB_PREPARE_THRESHOLD',
    group: SETTINGS,
  }),
  statementTimeout: value({
    summary: 'statement_timeout at connect; a bare number is in milliseconds',
    type: duration({ bareUnit: 'ms', leastMs: 1 }),
    default: null,
    group: SETTINGS,
  }),
  pgbouncer: flag({
    summary: 'whether the application connects through PgBouncer',
    default: null,
    defaultText: 'from the targets',
    negatable: true,
    env: 'USE_PGBOUNCER',
    group: SETTINGS,
  }),
  format: formatOption(formatsOf('doctor')),
};

const targetsArgument = {
  targets: restArguments({
    summary: `${TARGET_FORMS}; pool: alone means all your published applications`,
    type: text('TARGET'),
  }),
};

type Context = CommandContext<typeof options, typeof targetsArgument>;

/** The options that tell how the application is set up. */
const SETTING_KEYS = [
  'poolSize',
  'maxOverflow',
  'poolTimeout',
  'poolRecycle',
  'prePing',
  'connectTimeout',
  'prepareThreshold',
  'statementTimeout',
  'pgbouncer',
] as const;

export const command = defineCommand({
  name: 'doctor',
  summary: 'check databases, poolers and settings, with exact repairs',
  description:
    'Checks PostgreSQL, PgBouncer, SQLite, the pools of running applications and their settings (--dotenv .env).\n' +
    'Name everything that works together: most problems lie between two parts. For each problem it explains the\n' +
    'effect, the exact repair and its risk. It only reads. Exits with 1 if a check failed.',
  arguments: targetsArgument,
  options,
  examples: [
    {
      command:
        'poolctl doctor postgres://admin@db/shop pgbouncer://stats@db:6432/ --dotenv .env --instances 4',
      meaning: 'server, pooler and the settings of four processes',
    },
    { command: 'poolctl doctor --explain fleet-sum', meaning: 'what a check looks at' },
    { command: 'poolctl doctor pool: --format junit -o doctor.xml', meaning: 'running applications, for CI' },
  ],
  async run(context) {
    const { options: given, io, render } = context;
    if (given.list) return say(context, checkList(CHECKS, render));
    if (given.explain !== null) return say(context, checkPage(given.explain, render));
    const settings = settingsOf(context);
    const remark = ignoredRemark(context.arguments.targets);
    if (remark !== null) context.warn(remark);
    const { env } = io;
    const addresses = await addressesOf(context, env);
    if (addresses.length === 0 && settings === null)
      throw new UsageError([
        { message: 'there is nothing to look at', hint: `name targets: ${TARGET_FORMS}` },
      ]);
    const { stop } = io.interrupts;
    const { timeout: limitMs, tryLogin } = given;
    const look = { cwd: io.cwd, secondLookMs: SECOND_LOOK_MS };
    const opened = { env, clock: io.clock, owner: ownerOf(io), settings, limitMs, tryLogin, ...look };
    await using open = await openTargets(addresses, opened, stop);
    const { targets, examined } = open;
    const result = await runChecks(
      chosen(given),
      { targets, options: doctorOptions(context), signal: stop },
      examined,
    );
    await context.write(await renderReport('doctor', given.format, result, render));
    if (!result.passed || (given.strict && result.counts.warn > 0)) return ExitCode.Failed;
    return examined.some(({ problem }) => problem !== null) ? ExitCode.Unavailable : ExitCode.Ok;
  },
});

async function say(context: Context, text: string): Promise<ExitCode> {
  await context.write(text);
  return ExitCode.Ok;
}

function chosen({ only, skip }: Context['options']): readonly Check[] {
  const [wanted, left] = [only.flat(), skip.flat()];
  return CHECKS.filter((check) => (wanted.length === 0 || wanted.includes(check)) && !left.includes(check));
}

/** The memory of the server is never guessed: this machine's counts only for a server on it. */
function doctorOptions({ options: given, io }: Context): DoctorOptions {
  return {
    instances: given.instances,
    memoryBytes: given.memory,
    ownMemoryBytes: io.host.memoryBytes,
    fileLimit: given.fileLimit,
    idleTransactionMs: given.idleTransaction,
    longQueryMs: given.longQuery,
    queueWaitMs: given.queueWait,
  };
}

function settingsOf({ options: given, origins }: Context): AppSettings | null {
  if (SETTING_KEYS.every((key) => origins[key].kind === 'default')) return null;
  /** `never` is null to the option, as is what was not given. */
  const time = (key: 'poolTimeout' | 'poolRecycle'): number | null =>
    origins[key].kind === 'default' ? null : (given[key] ?? Number.POSITIVE_INFINITY);
  return {
    poolSize: given.poolSize,
    maxOverflow: given.maxOverflow,
    poolTimeoutMs: time('poolTimeout'),
    poolRecycleMs: time('poolRecycle'),
    prePing: given.prePing,
    connectTimeoutMs: given.connectTimeout,
    prepareThreshold: given.prepareThreshold,
    usePgbouncer: given.pgbouncer,
    statementTimeoutMs: given.statementTimeout,
  };
}

async function addressesOf(
  context: Context,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly TargetAddress[]> {
  const {
    arguments: { targets },
    io,
  } = context;
  const recordings = context.options.recording.map((file) => `recording:${file}`);
  const addresses = await Promise.all(
    [...targets, ...recordings].map(async (one) =>
      one === 'pool:' ? await live(context, targets.length > 1) : [one],
    ),
  );
  const parsed: TargetAddress[] = [];
  const problems: { message: string; hint: string | null }[] = [];
  for (const address of addresses.flat()) {
    try {
      parsed.push(parseTarget(address, { env, clock: io.clock }));
    } catch (error) {
      if (!isAddressError(error)) throw error;
      problems.push({ message: error.message, hint: error.hint });
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
  return parsed;
}

function isAddressError(error: unknown): error is Error & { readonly hint: string | null } {
  return (
    error instanceof Error &&
    'code' in error &&
    /^ERR_(SOURCE_ADDRESS|DB_OPTION)$/.test(String(error.code)) &&
    'hint' in error
  );
}

function ownerOf({ host, env, user }: Context['io']): SocketOwner {
  const { uid, name: userName, tempFolder } = user;
  return { platform: host.platform, env, uid, userName, tempFolder };
}

/** A missing application does not hide the other targets. */
async function live({ io, warn }: Context, hasOthers: boolean): Promise<string[]> {
  const found = await findSockets(ownerOf(io), io.interrupts.abort);
  if (found.length > 0) return found.map(({ address }) => address);
  if (hasOthers) {
    warn('pool: no application of this user publishes its pools; start one with: poolctl run -- node app.js');
    return [];
  }
  throw new UnavailableError('no application of this user publishes its pools', {
    hint: 'start one with: poolctl run -- node app.js',
  });
}
