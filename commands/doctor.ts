import { ValueError } from '../src/base/units.js';
import { type CommandContext, defineCommand, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { didYouMean } from '../src/cli/suggest.js';
import { count, duration, durationOrNever, size, text, type ValueType } from '../src/cli/value-types.js';
import { ignoredRemark } from '../src/db/postgres-place.js';
import { DEFAULT_OPTIONS } from '../src/doctor/doctor.js';
import { CHECKS } from '../src/doctor/registry.js';
import { runChecks } from '../src/doctor/run.js';
import { openTargets, parseTarget, TARGET_FORMS, type TargetAddress } from '../src/doctor/targets.js';
import type { AppSettings, Check, DoctorOptions } from '../src/doctor/types.js';
import { checkList, checkPage } from '../src/report/doctor/pages.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { findSockets } from '../src/sources/discovery.js';

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

const SETTINGS = "The application's settings";
const FACTS = 'What no target tells';

const options = {
  only: list({
    summary: 'run these checks alone',
    type: checksType,
    group: 'Checks',
  }),
  skip: list({ summary: 'leave these out', type: checksType, group: 'Checks' }),
  list: flag({ summary: 'list all checks, and run none', config: false, group: 'Checks' }),
  explain: value({
    summary: 'say what a check looks at, why, and what passes; run none',
    type: checkType,
    default: null,
    config: false,
    group: 'Checks',
  }),
  strict: flag({ summary: 'exit 1 on warnings as well', group: 'Checks' }),
  tryLogin: flag({
    summary: 'log in through PgBouncer as the user of postgres://; that opens a connection of its pool',
    group: 'Checks',
  }),
  timeout: value({
    summary: 'how long reading one target may take',
    type: duration({ leastMs: 100 }),
    default: 10_000,
    group: 'Checks',
  }),
  idleTransaction: value({
    summary: 'how long a session may be idle in a transaction',
    type: duration({ leastMs: 1 }),
    default: DEFAULT_OPTIONS.idleTransactionMs,
    group: 'Limits',
  }),
  longQuery: value({
    summary: 'how long a query may run',
    type: duration({ leastMs: 1 }),
    default: DEFAULT_OPTIONS.longQueryMs,
    group: 'Limits',
  }),
  queueWait: value({
    summary: "how long a client may wait in PgBouncer's queue",
    type: duration({ leastMs: 1 }),
    default: DEFAULT_OPTIONS.queueWaitMs,
    group: 'Limits',
  }),
  instances: value({
    summary: 'processes that run the application, each with a pool as below',
    type: count({ least: 1 }),
    default: null,
    defaultText: '1',
    group: FACTS,
  }),
  memory: value({
    summary: 'the memory of the database server',
    type: size({ least: 1 }),
    default: null,
    defaultText: "this machine's, if the server is on it",
    group: FACTS,
  }),
  fileLimit: value({
    summary: 'how many files PgBouncer may have open (ulimit -n)',
    type: count({ least: 1 }),
    default: null,
    defaultText: 'found out, if it is on this machine and has a pidfile',
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
    summary: 'connections more while all are in use; -1 is no limit',
    type: count({ least: -1 }),
    default: null,
    env: 'DB_MAX_OVERFLOW',
    group: SETTINGS,
  }),
  poolTimeout: value({
    summary: 'how long to wait for a connection; a number alone is seconds',
    type: durationOrNever({ bareUnit: 's' }),
    default: null,
    defaultText: 'not known',
    env: 'DB_POOL_TIMEOUT',
    group: SETTINGS,
  }),
  poolRecycle: value({
    summary: 'connections older than this are replaced; a number alone is seconds',
    type: durationOrNever({ bareUnit: 's' }),
    default: null,
    defaultText: 'not known',
    env: 'DB_POOL_RECYCLE',
    group: SETTINGS,
  }),
  prePing: flag({
    summary: 'connections are tried before they are used again',
    default: null,
    defaultText: 'not known',
    negatable: true,
    env: 'DB_POOL_PRE_PING',
    group: SETTINGS,
  }),
  connectTimeout: value({
    summary: 'how long opening a connection may take; a number alone is seconds',
    type: duration({ bareUnit: 's', leastMs: 1 }),
    default: null,
    env: 'DB_CONNECT_TIMEOUT',
    group: SETTINGS,
  }),
  prepareThreshold: value({
    summary: 'statements run more often than this are named; 0 names none',
    type: count(),
    default: null,
    env: 'DB_PREPARE_THRESHOLD',
    group: SETTINGS,
  }),
  statementTimeout: value({
    summary: 'the statement_timeout that it asks for when it connects; a number alone is milliseconds',
    type: duration({ bareUnit: 'ms', leastMs: 1 }),
    default: null,
    group: SETTINGS,
  }),
  pgbouncer: flag({
    summary: 'it connects by way of PgBouncer, or does not',
    default: null,
    defaultText: 'by targets',
    negatable: true,
    env: 'USE_PGBOUNCER',
    group: SETTINGS,
  }),
  format: formatOption(formatsOf('doctor')),
};

const targetsArgument = {
  targets: restArguments({
    summary: `${TARGET_FORMS}; pool: alone is every application of this user that publishes its pools`,
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
  summary: 'check databases, poolers, pools and their settings, and say how to repair them',
  description:
    'Looks at PostgreSQL, PgBouncer, SQLite, the pools of running applications and their settings (--dotenv .env),\n' +
    'the more of them the better, since most of what goes wrong lies between them. It only reads. Of what is wrong it\n' +
    'says why that matters, what exactly repairs it, and what the repair may do besides. Exits 1 if a check failed.',
  arguments: targetsArgument,
  options,
  examples: [
    {
      command:
        'poolctl doctor postgres://admin@db/shop pgbouncer://stats@db:6432/ --dotenv .env --instances 4',
      meaning: 'server, pooler and the settings of four processes together',
    },
    { command: 'poolctl doctor --explain fleet-sum', meaning: 'what does that check look at?' },
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
    const opened = { env, clock: io.clock, settings, limitMs, tryLogin };
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

/** What is not said of the server's memory is not guessed: this machine's counts only for a server on it. */
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
  { arguments: { targets }, io }: Context,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly TargetAddress[]> {
  const addresses = await Promise.all(targets.map(async (one) => (one === 'pool:' ? await live(io) : [one])));
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

async function live({ host, env, user, interrupts }: Context['io']): Promise<string[]> {
  const { uid, name: userName, tempFolder } = user;
  const found = await findSockets(
    { platform: host.platform, env, uid, userName, tempFolder },
    interrupts.abort,
  );
  if (found.length > 0) return found.map(({ address }) => address);
  throw new UnavailableError('no application of this user publishes its pools', {
    hint: 'start one with: poolctl run -- node app.js',
  });
}
