import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { isLoopback } from '../src/db/postgres-place.js';
import { ManifestError, type SchedulerName } from '../src/schedulers/manifest.js';
import { schedulerOf } from '../src/schedulers/registry.js';
import type { LoadContext } from './loadtest-options.js';
import { timeText } from './loadtest-split.js';
import { secretsOf, wordsOf } from './loadtest-words.js';

/** Writes the manifest that runs the load in a scheduler. Connects to nothing. */
export async function emitManifest(context: LoadContext, scheduler: SchedulerName): Promise<ExitCode> {
  const { options, io, version, arguments: args } = context;
  // The rules of the command demand a number.
  const count = options.segment?.count ?? 1;
  await checkPlace(context, scheduler);
  const nowMs = io.clock.wallTime();
  const { kind } = args.target ?? { kind: 'temporary' };
  const job = {
    words: wordsOf(context),
    count,
    name: options.runId ?? `load-${nowMs.toString(36)}`,
    startAt: options.startAt === null ? null : timeText(options.startAt),
    mergeWords: options.strict ? ['--strict'] : [],
    secrets: secretsOf(args.target),
    files: filesOf(context),
    version,
    packages: kind === 'mysql' ? ['mysql2'] : [],
    image: options.image ?? `poolctl:${version}`,
    nowMs,
  };
  if (!/^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$/.test(job.name))
    throw new UsageError([
      `--run-id ${job.name} is no name of an object: use up to 52 lower-case letters, digits and dashes`,
    ]);
  try {
    await context.write((await schedulerOf(scheduler)).manifest(job));
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    throw new UsageError([`--emit ${scheduler}: ${error.message}`]);
  }
  return ExitCode.Ok;
}

/** Files that the command line names, as it writes them. */
function filesOf({ options, texts }: LoadContext): string[] {
  const named = ['paramsFile', 'bodyFile', 'module', 'ca'].flatMap((key) => texts.get(key)?.slice(-1) ?? []);
  return [...new Set([...named, ...options.sqlFile.map(({ file }) => file)])];
}

/** A target that no segment would load is a mistake; loopback is another machine for each segment. */
export async function checkPlace(
  { options, arguments: { target }, warn }: LoadContext,
  where: SchedulerName | 'agents',
): Promise<void> {
  if (target === null || !('url' in target) || target.url === null || target.kind === 'sqlite') return;
  const [, given] = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?(\[[^\]]*\]|[^/?#:,]*)/i.exec(target.url) ?? [];
  const host = given?.replace(/^\[|\]$/g, '');
  if (!host) return;
  // A name may be known to the segments only.
  const isOwn = await isLoopback(host).catch(() => false);
  if (!isOwn && !options.allowRemote)
    throw new UsageError([
      {
        message: `${host} is not this machine, and a load test leaves it only when told to`,
        hint: 'give --allow-remote if that server may be put under load',
      },
    ]);
  if (isOwn && where !== 'parallel' && where !== 'agents')
    warn(`${host} is the machine of each segment itself; name the target as its segments reach it`);
}
