import { onAbort } from '../src/base/abort.js';
import type { Clock, Timer } from '../src/base/clock.js';
import { formatCount } from '../src/base/units.js';
import type { Copy, CopyEnd, ParentLink } from '../src/cli/copies.js';
import { UnavailableError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import type { LoadProgress, StartGate } from '../src/loadtest/api.js';
import { mergeSegments, type NamedResult } from '../src/loadtest/merge.js';
import { parseResult } from '../src/loadtest/result-file.js';
import { hasPassed } from '../src/loadtest/verdict.js';
import { rendererOf } from '../src/report/registry.js';
import type { LoadContext } from './loadtest-options.js';
import { tooFewFor } from './loadtest-rules.js';

/** `options` decide the load, as this process has resolved them. */
type FromCopy =
  | { readonly kind: 'ready'; readonly options: Readonly<Record<string, string>> }
  | { readonly kind: 'progress'; readonly progress: LoadProgress };
type ToCopy = { readonly kind: 'start'; readonly atMs: number } | { readonly kind: 'interrupt' };

/** Time for the message of the start to arrive everywhere. */
const START_IN_MS = 100;
const LOOK_MS = 1000;
/** A copy reports ten times a second while it runs. */
const SILENT_MS = 10_000;

/** The number of processes to run the load in. */
export function processCount({ options, io }: LoadContext): number {
  if (options.processes !== 'auto') return options.processes;
  let count = io.host.cpuCount;
  while (count > 1 && tooFewFor(count, options) !== null) count--;
  return count;
}

/** Runs the load as segments in copies of this process, with one live report, and judges the whole. */
export async function loadInProcesses(context: LoadContext, count: number): Promise<ExitCode> {
  const { options, io } = context;
  const report = await rendererOf('loadtest', options.format);
  const fleet = new Fleet(context, count);
  await fleet.start(`${io.pid}-${io.clock.wallTime().toString(36)}`);
  const ends = await fleet.end();
  const results = ends.flatMap(({ end, index }) => resultIn(end, index));
  const failed = ends.find(
    ({ end }) => end.code !== null && end.code > ExitCode.Failed && end.code !== ExitCode.Interrupted,
  );
  if (!fleet.isStarted && !io.interrupts.stop.aborted && failed !== undefined) {
    for (const line of remarksOf([failed.end])) context.warn(line);
    return failed.end.code as ExitCode;
  }
  for (const line of remarksOf(ends.map(({ end }) => end))) context.warn(line);
  if (results.length === 0 || !fleet.isStarted) {
    if (io.interrupts.stop.aborted) throw io.interrupts.stop.reason;
    const what = fleet.isStarted
      ? `none of ${count} processes has a result`
      : 'a process ended before the start';
    throw new UnavailableError(what, { code: 'ERR_PROCESSES' });
  }
  for (const { end, index } of ends) {
    if (resultIn(end, index).length === 0)
      context.warn(`process ${index} of ${count} was lost (${end.signal ?? `exit ${end.code ?? '-'}`})`);
  }
  const whole = mergeSegments(results, { startedTogether: true });
  await context.write(report(whole, context.render));
  return hasPassed(whole, options) ? ExitCode.Ok : ExitCode.Failed;
}

/** The copies, and how far they are. */
class Fleet {
  readonly #context: LoadContext;
  readonly #count: number;
  readonly #copies: Copy[] = [];
  readonly #ends: Promise<{ readonly index: number; readonly end: CopyEnd }>[] = [];
  readonly #ready = new Set<number>();
  readonly #over = new Set<number>();
  readonly #progress = new Map<number, LoadProgress>();
  readonly #heardAt = new Map<number, number>();
  isStarted = false;

  constructor(context: LoadContext, count: number) {
    this.#context = context;
    this.#count = count;
  }

  async start(runId: string): Promise<void> {
    const { io, argv } = this.#context;
    for (let index = 1; index <= this.#count; index++) {
      const own = ['--processes=1', `--segment=${index}/${this.#count}`, `--run-id=${runId}`];
      const words = withOptions(argv, [...own, '--format=json', '--output=-', '--color=never']);
      const copy = await io.startCopy(['loadtest', ...words], (message) =>
        this.#heard(index, message as FromCopy),
      );
      this.#copies.push(copy);
      this.#ends.push(copy.ended.then((end) => this.#ended(index, end)));
    }
    const { stop, abort } = io.interrupts;
    for (const signal of [stop, abort]) onAbort(signal, () => this.#sendAll({ kind: 'interrupt' }));
  }

  /** Resolves when all copies have ended. */
  async end(): Promise<readonly { readonly index: number; readonly end: CopyEnd }[]> {
    const { clock } = this.#context.io;
    let timer: Timer | null = null;
    const look = () => {
      this.#killSilent(clock);
      timer = clock.setTimer(look, LOOK_MS, { background: true });
    };
    look();
    const ends = await Promise.all(this.#ends);
    (timer as Timer | null)?.cancel();
    return ends;
  }

  #heard(index: number, message: FromCopy): void {
    const { clock } = this.#context.io;
    this.#heardAt.set(index, clock.now());
    if (message.kind === 'progress') {
      this.#progress.set(index, message.progress);
      this.#show();
      return;
    }
    this.#ready.add(index);
    if (this.#ready.size < this.#count || this.#over.size > 0) return;
    this.isStarted = true;
    this.#context.log(`${this.#count} processes are ready, and start in ${START_IN_MS} ms`);
    this.#sendAll({ kind: 'start', atMs: clock.wallTime() + START_IN_MS });
  }

  #ended(index: number, end: CopyEnd): { readonly index: number; readonly end: CopyEnd } {
    this.#over.add(index);
    // The others would wait for it for ever.
    if (!this.isStarted) this.#sendAll({ kind: 'interrupt' });
    return { index, end };
  }

  /** A copy that is stopped, or whose loop is blocked for good, must not keep the run from its end. */
  #killSilent(clock: Clock): void {
    if (!this.isStarted || this.#over.size === 0) return;
    this.#copies.forEach((copy, at) => {
      const heardAt = this.#heardAt.get(at + 1) ?? Number.POSITIVE_INFINITY;
      if (!this.#over.has(at + 1) && clock.now() - heardAt > SILENT_MS) copy.kill();
    });
  }

  #sendAll(message: ToCopy): void {
    for (const copy of this.#copies) copy.send(message);
  }

  #show(): void {
    const all = [...this.#progress.values()];
    const sum = (of: (progress: LoadProgress) => number) => all.reduce((total, one) => total + of(one), 0);
    const phase = all.some((one) => one.phase === 'warm-up') ? 'warming up' : 'loading';
    const fractions = all.map(({ fraction }) => fraction);
    const share = fractions.includes(null) ? null : Math.min(...fractions.map((one) => one ?? 0));
    const failed = sum((one) => one.failed);
    const failures = failed === 0 ? '' : `${formatCount(failed)} failed, `;
    this.#context.progress.update({
      label: phase,
      share: phase === 'loading' ? share : null,
      note: `${this.#count} processes, ${formatCount(sum(({ ended }) => ended))} done, ${failures}${formatCount(sum(({ waiting }) => waiting))} waiting`,
    });
  }
}

/** A copy's gate: it tells the parent that it is warm, and waits for the start of all. */
export function gateOfParent(
  parent: ParentLink,
  clock: Clock,
  options: Readonly<Record<string, string>>,
): StartGate {
  let startsAt: number | null = null;
  const waiting: (() => void)[] = [];
  parent.onMessage((message) => {
    const { kind, atMs } = message as { kind?: unknown; atMs?: unknown };
    if (kind !== 'start' || typeof atMs !== 'number') return;
    // On one machine a late start shows in the result, and no load is missing.
    startsAt = Math.max(clock.now(), clock.now() + atMs - clock.wallTime());
    for (const callback of waiting) callback();
  });
  return {
    get startsAt() {
      return startsAt;
    },
    ready: () => parent.send({ kind: 'ready', options } satisfies FromCopy),
    onKnown(callback) {
      if (startsAt === null) waiting.push(callback);
      else callback();
    },
  };
}

export function tellParent(parent: ParentLink, progress: LoadProgress): void {
  parent.send({ kind: 'progress', progress } satisfies FromCopy);
}

/** The last value of an option counts, so these win. Words behind `--` are arguments. */
function withOptions(argv: readonly string[], options: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return end < 0 ? [...argv, ...options] : [...argv.slice(0, end), ...options, ...argv.slice(end)];
}

function resultIn({ stdout }: CopyEnd, index: number): NamedResult[] {
  try {
    const name = `process ${index}`;
    return [{ name, result: parseResult(stdout, name) }];
  } catch {
    return [];
  }
}

/** The lines that copies wrote to stderr. All of them complain of the same server, so each line stands once. */
function remarksOf(ends: readonly CopyEnd[]): string[] {
  const lines = ends.flatMap(({ stderr }) => stderr.split('\n').filter((line) => line.trim() !== ''));
  const words = lines.map((line) => line.replace(/^poolctl: /, ''));
  // The parent asked for it, and its own user asked the parent.
  return [...new Set(words)].filter((line) => line !== 'stopped by SIGINT');
}
