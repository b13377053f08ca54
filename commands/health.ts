import { onAbort } from '../src/base/abort.js';
import { parseCount } from '../src/base/units.js';
import { type CommandContext, defineCommand, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, value } from '../src/cli/options.js';
import { duration, share, text, type ValueType } from '../src/cli/value-types.js';
import { ignoredRemark } from '../src/db/postgres-place.js';
import { settingsIn } from '../src/diagnosis/moment.js';
import { HealthCheck, type HealthReport, NOBODY } from '../src/health/check.js';
import { HEALTH_LIMITS, type HealthLimits, type HealthStatus } from '../src/health/health.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { expandAddresses, openSources } from '../src/sources/addresses.js';
import { SOURCE_FORMS } from '../src/sources/registry.js';
import type { StatsSource } from '../src/sources/types.js';

/** As `type`, and `none` is null: no such limit. */
function limitOf(type: ValueType<number>): ValueType<number | null> {
  return {
    placeholder: type.placeholder,
    parse: (source) => (source.trim() === 'none' ? null : type.parse(source)),
    show: (limit) => (limit === null ? 'none' : type.show(limit)),
  };
}

const LIMITS = 'Limits';
const shareType = limitOf(share({ least: 0 }));
const countType = limitOf({ placeholder: 'N', parse: (source) => parseCount(source), show: String });
const timeType = limitOf(duration());

function limit(type: ValueType<number | null>, fallback: number | null, summary: string) {
  return value({
    summary,
    type,
    default: fallback,
    ...(fallback === null ? { defaultText: 'none' } : {}),
    group: LIMITS,
  });
}

const { utilization, waiting, waitMs, leaked, timedOut } = HEALTH_LIMITS;

/** Between two looks at something that waits or fails. */
const SECOND_LOOK_MS = 500;

const options = {
  every: value({
    summary: 'repeat at this interval until Ctrl-C',
    type: duration({ leastMs: 100 }),
    default: null,
    defaultText: 'once',
    config: false,
  }),
  timeout: value({
    summary: 'maximum time to read a source',
    type: duration({ leastMs: 1 }),
    default: 5000,
  }),
  strict: flag({ summary: 'fail on a warning too' }),
  format: formatOption(formatsOf('health')),
  warnUtilization: limit(shareType, utilization.warning, 'warn above this share in use'),
  criticalUtilization: limit(
    shareType,
    utilization.critical,
    'critical above this share in use while callers wait',
  ),
  warnWaiting: limit(countType, waiting.warning, 'warn above N waiting callers'),
  criticalWaiting: limit(countType, waiting.critical, 'critical above N waiting callers'),
  warnWait: limit(timeType, waitMs.warning, 'warn above this current wait'),
  criticalWait: limit(timeType, waitMs.critical, 'critical above this current wait'),
  warnLeaks: limit(countType, leaked.warning, 'warn above N leaked leases'),
  criticalLeaks: limit(countType, leaked.critical, 'critical above N leaked leases'),
  warnTimeouts: limit(countType, timedOut.warning, 'with --every: warn above N timeouts per check'),
  criticalTimeouts: limit(countType, timedOut.critical, 'with --every: critical above N timeouts per check'),
};

const sourcesArgument = {
  sources: restArguments({
    summary: `${SOURCE_FORMS} (default: pool:, which means all your published applications)`,
    type: text('SOURCE'),
  }),
};

type Context = CommandContext<typeof options, typeof sourcesArgument>;

export const command = defineCommand({
  name: 'health',
  summary: 'check pool health, for scripts and container probes',
  description:
    'Reads pools of applications, PgBouncer and PostgreSQL, and reports each as healthy, warning, critical or\n' +
    "error (cannot be read). Set a limit to 'none' to ignore it. Exits with 0 if healthy or with warnings, 1 if\n" +
    'critical (with --strict: on warnings too), and 3 if a pool cannot be read. With --every the last check counts.',
  arguments: sourcesArgument,
  options,
  endsByInterrupt: true,
  examples: [
    { command: 'poolctl health', meaning: 'all your applications that publish their pools' },
    {
      command: 'poolctl health pool:127.0.0.1:9876 --format json',
      meaning: 'a container probe of an application under poolctl run --publish',
    },
    {
      command: 'poolctl health pgbouncer://stats@db:6432/ --every 5m --strict',
      meaning: 'regular checks of a pooler',
    },
  ],
  async run(context) {
    const { options: given, io } = context;
    const remark = ignoredRemark(context.arguments.sources);
    if (remark !== null) context.warn(remark);
    const check = new HealthCheck({
      cwd: io.cwd,
      secondLookMs: SECOND_LOOK_MS,
      settings: settingsIn(io.env),
      clock: io.clock,
      limits: limitsOf(given),
      timeoutMs: given.timeout,
    });
    const { stop } = io.interrupts;
    let open: Opened = { sources: new Map(), nobodyPublishes: false };
    try {
      open = await opened(context, open);
      if (open.sources.size === 0) throw nobodyPublishes();
      let report = await check.check(open, stop);
      if (given.every === null) {
        await context.write(await renderReport('health', given.format, report, context.render));
        return exitCodeOf(report, given.strict);
      }
      await context.write(await renderReport('healthLine', given.format, report, context.render));
      while (await passes(given.every, context)) {
        open = await opened(context, open);
        const next = await check.check(open, stop).catch((error: unknown) => {
          if (stop.aborted) return null;
          throw error;
        });
        if (next === null) break;
        report = next;
        await context.write(await renderReport('healthLine', given.format, report, context.render));
      }
      return exitCodeOf(report, given.strict);
    } finally {
      await Promise.allSettled(
        [...open.sources.values()].map(async (source) => source[Symbol.asyncDispose]()),
      );
    }
  },
});

type Values = Context['options'];

function limitsOf(given: Values): HealthLimits {
  return {
    utilization: { warning: given.warnUtilization, critical: given.criticalUtilization },
    waiting: { warning: given.warnWaiting, critical: given.criticalWaiting },
    waitMs: { warning: given.warnWait, critical: given.criticalWait },
    leaked: { warning: given.warnLeaks, critical: given.criticalLeaks },
    timedOut: { warning: given.warnTimeouts, critical: given.criticalTimeouts },
  };
}

interface Opened {
  /** By their addresses. */
  readonly sources: ReadonlyMap<string, StatsSource>;
  readonly nobodyPublishes: boolean;
}

/** The sources that are meant now; of live applications there are others at each look. Keeps those that are open. */
async function opened({ arguments: { sources }, io }: Context, { sources: before }: Opened): Promise<Opened> {
  const { host, env, user, clock, interrupts } = io;
  const { uid, name: userName, tempFolder } = user;
  const owner = { platform: host.platform, env, uid, userName, tempFolder };
  const { addresses, nobodyPublishes } = await expandAddresses(sources, owner, interrupts.abort);
  const added = openSources(
    addresses.filter((address) => !before.has(address)),
    { env, clock, owner },
  );
  if (added.problems.length > 0) throw new UsageError(added.problems);
  const gone = [...before].filter(([address]) => !addresses.includes(address));
  await Promise.allSettled(gone.map(async ([, source]) => source[Symbol.asyncDispose]()));
  const kept = [...before, ...added.sources].filter(([address]) => addresses.includes(address));
  return { sources: new Map(kept), nobodyPublishes };
}

function nobodyPublishes(): UnavailableError {
  return new UnavailableError(NOBODY, {
    hint: 'start one with: poolctl run -- node app.js; or name sources: poolctl health postgres://USER@HOST/DATABASE',
  });
}

/** Waits; false if it was interrupted, or nobody reads any more. */
function passes(ms: number, { io }: Context): Promise<boolean> {
  const { stop } = io.interrupts;
  return new Promise((resolve) => {
    const end = (passed: boolean): void => {
      timer.cancel();
      stopWatching();
      resolve(passed && !io.stdout.closed);
    };
    const timer = io.clock.setTimer(() => end(true), ms);
    const stopWatching = onAbort(stop, () => end(false));
    if (stop.aborted || io.stdout.closed) end(false);
  });
}

function exitCodeOf({ pools }: HealthReport, strict: boolean): ExitCode {
  const has = (status: HealthStatus): boolean => pools.some((pool) => pool.status === status);
  if (has('critical') || (strict && has('warning'))) return ExitCode.Failed;
  return has('error') ? ExitCode.Unavailable : ExitCode.Ok;
}
