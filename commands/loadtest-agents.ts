import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { tooManyErrors } from '../src/agents/abort-errors.js';
import { runOnAgents } from '../src/agents/coordinator.js';
import { openQueue } from '../src/agents/open-queue.js';
import { type PlanFile, PROTOCOL, type RunPlan, type RunView } from '../src/agents/protocol.js';
import { fileFault } from '../src/base/file-fault.js';
import { formatCount, formatShare } from '../src/base/units.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flagOf } from '../src/cli/options.js';
import type { LoadProgress } from '../src/loadtest/api.js';
import { mergeSegments, type NamedResult } from '../src/loadtest/merge.js';
import { parseResult } from '../src/loadtest/result-file.js';
import { hasPassed } from '../src/loadtest/verdict.js';
import { rendererOf } from '../src/report/registry.js';
import { checkPlace } from './loadtest-emit.js';
import type { LoadContext } from './loadtest-options.js';
import { givenOptions, targetOf } from './loadtest-words.js';

/** A plan in the queue may be this large. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Runs the load as segments on agents, with one live report, and judges the whole. */
export async function loadOnAgents(context: LoadContext, count: number, address: string): Promise<ExitCode> {
  const { options, io } = context;
  await checkPlace(context, 'agents');
  const plan = await planOf(context, count);
  const report = await rendererOf('loadtest', options.format);
  const { stop, abort } = io.interrupts;
  const queue = await openQueue(address);
  try {
    context.warn(`run ${plan.runId}: waiting for ${agents(count)} at ${queue.name}`);
    let tooMany: number | null = null;
    const { results, lost } = await runOnAgents({
      isOver(view) {
        if (options.abortErrors === null || tooMany !== null) return tooMany !== null;
        tooMany = tooManyErrors(view, options.abortErrors);
        if (tooMany === null) return false;
        context.warn(
          `stopping all agents: ${formatShare(tooMany)} of the iterations failed (--abort-errors)`,
        );
        return true;
      },
      ...{ queue, plan, clock: io.clock, stop, abort, agentsTimeoutMs: options.agentsTimeout },
      name: randomUUID(),
      onView: (view) => show(context, view),
      onEvent: (text) => context.warn(text),
    });
    const named = [...results].flatMap(([index, { agent, text }]): NamedResult[] => {
      try {
        return [{ name: agent, result: parseResult(text, `the result of ${agent}`) }];
      } catch (error) {
        context.warn(
          `segment ${index} of ${count} is missing: ${error instanceof Error ? error.message : ''}`,
        );
        return [];
      }
    });
    if (named.length === 0)
      throw new UnavailableError(`none of ${agents(count)} has a result`, {
        code: 'ERR_AGENTS',
        hint: lost[0]?.why ?? '',
      });
    const whole = mergeSegments(named, { startedTogether: true });
    await context.write(report(whole, context.render));
    return tooMany === null && hasPassed(whole, options) ? ExitCode.Ok : ExitCode.Failed;
  } finally {
    await queue.close();
  }
}

async function planOf(context: LoadContext, count: number): Promise<RunPlan> {
  const { options, version } = context;
  const plan: RunPlan = {
    protocol: PROTOCOL,
    runId: options.runId ?? randomUUID().slice(0, 8),
    version,
    count,
    target: targetOf(context),
    words: givenOptions(context)
      .filter(({ key }) => !FILE_KEYS.has(key) && !DECIDED_THERE.includes(key))
      .map(({ flag, text }) => (text === null ? flag : `${flag}=${text}`)),
    files: await filesOf(context),
    allowWrites: options.allowWrites,
  };
  if (!/^[\w-]{1,64}$/.test(plan.runId))
    throw new UsageError([`--run-id ${plan.runId}: use up to 64 letters, digits and dashes`]);
  if (JSON.stringify(plan).length > MOST_BYTES)
    throw new UsageError([
      `the load has more than ${MOST_BYTES / 1024 / 1024} MB of files, which agents do not take`,
    ]);
  return plan;
}

/** Options that an agent decides by its own list. */
const DECIDED_THERE: readonly string[] = ['allowRemote', 'allowWrites'];

/** Options whose files travel with the plan, by their keys. */
const FILE_KEYS: ReadonlyMap<string, string> = new Map(
  ['sqlFile', 'paramsFile', 'bodyFile', 'ca'].map((key) => [key, flagOf(key)]),
);

async function filesOf(context: LoadContext): Promise<PlanFile[]> {
  const given = givenOptions(context).filter(({ key }) => FILE_KEYS.has(key));
  return Promise.all(
    given.map(async ({ key, flag, text }, at) => {
      const [, file = text ?? '', suffix = ''] =
        key === 'sqlFile' ? (/^(.+)(@\d+)$/.exec(text ?? '') ?? []) : [];
      const content = await readFile(resolve(context.io.cwd, file), 'utf8').catch((cause: unknown) => {
        throw new UsageError([`${flag}: cannot read ${JSON.stringify(file)}: ${fileFault(cause)}`]);
      });
      const name = `${at + 1}-${basename(file)
        .replaceAll(/[^\w.-]/g, '_')
        .slice(-80)}`;
      return { flag, name, content, suffix };
    }),
  );
}

function agents(count: number): string {
  return count === 1 ? '1 agent' : `${formatCount(count)} agents`;
}

function show({ progress }: LoadContext, { plan, startAtMs, segments }: RunView): void {
  const came = segments.filter(({ owner }) => owner !== null).length;
  const ready = segments.filter(({ report }) => report?.state === 'ready').length;
  if (startAtMs === null) {
    const note = `${came} of ${agents(plan.count)} came, ${ready} ready`;
    progress.update({ label: 'waiting for agents', share: null, note });
    return;
  }
  const all = segments.flatMap(({ report }) => report?.progress ?? []);
  const sum = (of: (one: LoadProgress) => number) => all.reduce((total, one) => total + of(one), 0);
  const fractions = all.map(({ fraction }) => fraction);
  const share = fractions.includes(null) ? null : Math.min(...fractions.map((one) => one ?? 0));
  const failed = sum((one) => one.failed);
  const failures = failed === 0 ? '' : `${formatCount(failed)} failed, `;
  const note = `${agents(plan.count)}, ${formatCount(sum(({ ended }) => ended))} done, ${failures}${formatCount(sum(({ waiting }) => waiting))} waiting`;
  progress.update({ label: 'loading', share, note });
}
