import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SegmentEnd, SegmentEvents, SegmentRun } from '../src/agents/agent.js';
import type { Assignment, Stop } from '../src/agents/protocol.js';
import type { Copy, CopyEnd } from '../src/cli/copies.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import type { Io } from '../src/cli/io.js';
import type { LoadProgress } from '../src/loadtest/api.js';
import { parseResult } from '../src/loadtest/result-file.js';

/** The process of a segment reports ten times a second while it runs. */
const SILENT_MS = 10_000;
const LOOK_MS = 1000;
/** After a second interrupt a load test needs a moment to report. */
const KILL_MS = 5000;

/** Runs a segment in a copy of this process. Its load waits for the start. */
export async function startSegment(
  io: Io,
  { plan, index }: Assignment,
  { isRemote }: { readonly isRemote: boolean },
  events: SegmentEvents,
): Promise<SegmentRun> {
  const folder = await mkdtemp(join(io.user.tempFolder, 'poolctl-agent-'));
  try {
    // A configuration of this machine would make another load of it.
    const config = join(folder, 'none.json');
    await writeFile(config, '{}');
    const files = await Promise.all(
      plan.files.map(async ({ flag, name, content, suffix }) => {
        const path = join(folder, name);
        await writeFile(path, content, { mode: 0o600 });
        return `${flag}=${path}${suffix}`;
      }),
    );
    const own = [
      ...(plan.target === null ? [] : [plan.target]),
      ...plan.words,
      ...files,
      ...(isRemote ? ['--allow-remote'] : []),
      ...(plan.allowWrites ? ['--allow-writes'] : []),
      ...[
        `--segment=${index}/${plan.count}`,
        `--run-id=${plan.runId}`,
        '--processes=1',
        `--config=${config}`,
      ],
      ...['--format=json', '--output=-', '--color=never'],
    ];
    let heardAt = Number.POSITIVE_INFINITY;
    const copy = await io.startCopy(['loadtest', ...own], (message) => {
      const { kind, options, progress } = message as Partial<Message>;
      if (kind === 'ready') events.onReady(options ?? {});
      if (kind !== 'progress' || progress === undefined) return;
      heardAt = io.clock.now();
      events.onProgress(progress);
    });
    const look = () => {
      // A process that hangs must not keep the agent from its next run.
      if (io.clock.now() - heardAt > SILENT_MS) copy.kill();
      timer = io.clock.setTimer(look, LOOK_MS, { background: true });
    };
    let timer = io.clock.setTimer(look, LOOK_MS, { background: true });
    const ended = copy.ended.then(async (end) => {
      timer.cancel();
      await rm(folder, { recursive: true, force: true });
      return endOf(end);
    });
    return { start: (atMs) => copy.send({ kind: 'start', atMs }), stop: stopperOf(copy, io), ended };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

interface Message {
  readonly kind: 'ready' | 'progress';
  readonly options: Readonly<Record<string, string>>;
  readonly progress: LoadProgress;
}

/** The first interrupt makes a load test drain, the second makes it give up. */
function stopperOf(copy: Copy, io: Io): (how: Stop) => void {
  let sent = 0;
  return (how) => {
    for (const wanted = how === 'abort' ? 2 : 1; sent < wanted; sent++) copy.send({ kind: 'interrupt' });
    if (how === 'abort') io.clock.setTimer(() => copy.kill(), KILL_MS, { background: true });
  };
}

function endOf({ code, signal, stdout, stderr }: CopyEnd): SegmentEnd {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const why = lines
    .map((line) => line.replace(/^poolctl: /, ''))
    .find((line) => !line.startsWith('waiting for'));
  const reason = why ?? `its process ended with ${signal ?? `exit code ${code ?? '-'}`}`;
  try {
    parseResult(stdout, 'the result');
    return { result: stdout, reason: '', isUsage: false };
  } catch {
    return { result: null, reason, isUsage: code === ExitCode.Usage };
  }
}
