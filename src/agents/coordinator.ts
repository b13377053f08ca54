import { pause } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { CodedError, type CodedErrorOptions } from '../base/coded-error.js';
import {
  LEASE_MS,
  type RunPlan,
  type RunView,
  type SegmentView,
  START_IN_MS,
  type Stop,
} from './protocol.js';
import { type AgentQueue, AgentQueueError } from './queue.js';

export interface CoordinatorOptions {
  readonly queue: AgentQueue;
  readonly plan: RunPlan;
  /** Names this coordinator; no other has the same name. */
  readonly name: string;
  readonly clock: Clock;
  /** How long to wait for agents. */
  readonly agentsTimeoutMs: number;
  /** Aborts to stop all agents, which report what they have done. */
  readonly stop: AbortSignal;
  /** Aborts to give up at once. */
  readonly abort: AbortSignal;
  /** Whether the load must stop, by what all agents have reported. Called after each look at a running load. */
  readonly isOver?: (view: RunView) => boolean;
  readonly onView?: (view: RunView) => void;
  readonly onEvent?: (text: string) => void;
}

/** A segment without a result. */
export interface LostSegment {
  readonly index: number;
  /** Its agent; null if it never had one. */
  readonly agent: string | null;
  readonly why: string;
}

export interface AgentsOutcome {
  /** Texts of results, by the number of the segment. */
  readonly results: ReadonlyMap<number, { readonly agent: string; readonly text: string }>;
  readonly lost: readonly LostSegment[];
}

/** The load did not start: an agent could not run its segment, or too few came. */
export class AgentsError extends CodedError<'ERR_AGENTS'> {
  constructor(message: string, options: CodedErrorOptions = {}) {
    super('ERR_AGENTS', message, options);
    this.name = 'AgentsError';
  }
}

const LOOK_MS = 400;
/** An outage of the queue for longer than this ends the run. Agents that are cut off stop earlier, by themselves. */
const OUTAGE_MS = 15_000;
/** Agents that were told to stop have this long to let go before the run is forgotten. */
const LET_GO_MS = 2000;

/**
 * Runs a load on agents: waits until all have warmed up, starts them at one time, and collects their results. Rejects with
 * an AgentsError if the load does not start, with the reason of `stop` if that aborts before the start, and with an
 * AgentQueueError if the queue is away for too long. Whatever happens, nothing of the run stays in the queue.
 */
export async function runOnAgents(options: CoordinatorOptions): Promise<AgentsOutcome> {
  const { queue, plan, onEvent = () => {} } = options;
  const outcome = await open(options);
  if (outcome === 'adopted') onEvent(`run ${plan.runId} goes on`);
  try {
    return await new Coordinator(options).run();
  } finally {
    await queue.forget(plan.runId, plan.count).catch(() => {});
  }
}

/** A coordinator that was killed keeps its run until its lease is over. */
async function open({ queue, plan, name, clock, stop }: CoordinatorOptions): Promise<'created' | 'adopted'> {
  const until = clock.now() + LEASE_MS + 1000;
  for (;;) {
    const opened = await queue.open(plan, name);
    if (opened === 'created' || opened === 'adopted') return opened;
    if (opened === 'other')
      throw new AgentsError(`run ${plan.runId} in ${queue.name} is another load`, {
        hint: 'choose another --run-id',
      });
    if (stop.aborted) throw stop.reason;
    if (clock.now() > until)
      throw new AgentsError(`run ${plan.runId} in ${queue.name} has a coordinator, which is alive`, {
        hint: 'choose another --run-id',
      });
    await pause(clock, LOOK_MS, stop);
  }
}

class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #results = new Map<number, { readonly agent: string; readonly text: string }>();
  readonly #lost = new Map<number, LostSegment>();
  /** Agents that were silent while the queue was away have until then to report. */
  #graceUntil = Number.NEGATIVE_INFINITY;
  #last: RunView | null = null;
  #stopped: Stop | null = null;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  async run(): Promise<AgentsOutcome> {
    const { clock, plan, stop, abort } = this.#options;
    const cameBy = clock.now() + this.#options.agentsTimeoutMs;
    let answeredAt = clock.now();
    let abortedAt: number | null = null;
    for (;;) {
      try {
        const view = await this.#look();
        if (clock.now() - answeredAt > LEASE_MS / 2) this.#graceUntil = clock.now() + LEASE_MS;
        answeredAt = clock.now();
        await this.#step(view, cameBy);
      } catch (error) {
        // The queue may be away for a while. Agents have their plan, and go on.
        if (!(error instanceof AgentQueueError)) throw error;
        if (clock.now() - answeredAt > OUTAGE_MS || abort.aborted) throw error;
      }
      if (this.#results.size + this.#lost.size === plan.count && this.#isStarted) return this.#outcome();
      if (abort.aborted) {
        abortedAt ??= clock.now();
        if (clock.now() - abortedAt > LET_GO_MS) {
          if (!this.#isStarted || this.#results.size === 0) throw stop.reason;
          this.#loseRest('it had no result when the run was given up');
          return this.#outcome();
        }
      }
      await pause(clock, LOOK_MS, new AbortController().signal);
    }
  }

  get #isStarted(): boolean {
    return this.#last !== null && this.#last.startAtMs !== null;
  }

  #outcome(): AgentsOutcome {
    const lost = [...this.#lost.values()].sort((a, b) => a.index - b.index);
    return { results: this.#results, lost };
  }

  async #look(): Promise<RunView> {
    const { queue, plan, name } = this.#options;
    const view = await queue.look(plan.runId);
    if (view !== null) {
      this.#last = view;
      return view;
    }
    if (this.#last === null || this.#last.startAtMs === null)
      throw new AgentsError(`${queue.name} lost the run before its start`);
    this.#options.onEvent?.(`${queue.name} has lost its data; the run goes on`);
    await queue.restore(this.#last, name);
    this.#graceUntil = this.#options.clock.now() + LEASE_MS;
    return this.#last;
  }

  async #step(view: RunView, cameBy: number): Promise<void> {
    const { stop, abort, onView, isOver } = this.#options;
    onView?.(view);
    await this.#collect(view);
    if (view.startAtMs === null) {
      await this.#prepare(view, cameBy);
      return;
    }
    if (abort.aborted) await this.#order('abort');
    else if (stop.aborted || (isOver?.(view) ?? false)) await this.#order('interrupt');
  }

  async #order(stop: Stop): Promise<void> {
    if (this.#stopped === stop || this.#stopped === 'abort') return;
    await this.#options.queue.order(this.#options.plan.runId, { stop });
    this.#stopped = stop;
  }

  /** Fetches results, and finds agents that are gone. */
  async #collect(view: RunView): Promise<void> {
    const { queue, plan, clock } = this.#options;
    for (const segment of view.segments) {
      const { index } = segment;
      if (this.#results.has(index) || this.#lost.has(index)) continue;
      if (segment.hasResult) {
        const text = await queue.result(plan.runId, index);
        if (text === null) continue;
        this.#results.set(index, { agent: nameOf(segment), text });
        continue;
      }
      const why = this.#failureOf(segment, view);
      if (why === null || view.startAtMs === null) continue;
      if (clock.now() < this.#graceUntil && segment.report?.state !== 'failed') continue;
      await queue.order(plan.runId, { lost: [index] });
      this.#lose(index, nameOf(segment), why);
    }
  }

  /** Why there will be no result; null if there may be one. */
  #failureOf({ owner, seenAtMs, report, isLost }: SegmentView, view: RunView): string | null {
    if (owner === null) return null;
    if (isLost) return 'it was reported as missing before';
    if (report?.state === 'failed') return report.reason ?? 'it failed';
    const silentMs = view.nowMs - (seenAtMs ?? view.nowMs);
    return silentMs > LEASE_MS ? `it has not been seen for ${(silentMs / 1000).toFixed(1)} s` : null;
  }

  #lose(index: number, agent: string | null, why: string): void {
    this.#lost.set(index, { index, agent, why });
    const { count } = this.#options.plan;
    this.#options.onEvent?.(`segment ${index} of ${count} is missing: ${agent ?? 'no agent'}: ${why}`);
  }

  #loseRest(why: string): void {
    for (const segment of this.#last?.segments ?? [])
      if (!this.#results.has(segment.index) && !this.#lost.has(segment.index))
        this.#lose(segment.index, segment.owner === null ? null : nameOf(segment), why);
  }

  /** Starts the load once all agents are ready. */
  async #prepare(view: RunView, cameBy: number): Promise<void> {
    const { queue, plan, clock, stop, onEvent } = this.#options;
    if (stop.aborted) {
      await this.#letGo();
      throw stop.reason;
    }
    const failed = view.segments.find((segment) => this.#failureOf(segment, view) !== null);
    if (failed !== undefined) {
      await this.#letGo();
      const why = this.#failureOf(failed, view);
      throw new AgentsError(`${nameOf(failed)} cannot run segment ${failed.index} of ${plan.count}: ${why}`, {
        kind: failed.report?.isUsage ? 'usage' : 'unavailable',
      });
    }
    const came = view.segments.filter(({ owner }) => owner !== null);
    if (came.length < plan.count) {
      if (clock.now() <= cameBy) return;
      await this.#letGo();
      throw new AgentsError(`${came.length} of ${plan.count} agents came to ${queue.name}`, {
        hint: "start more with 'poolctl agent', or wait longer with --agents-timeout",
      });
    }
    const ready = view.segments.filter(({ report }) => report?.state === 'ready');
    if (ready.length < plan.count) return;
    const different = differenceIn(ready);
    if (different !== null) {
      await this.#letGo();
      throw new AgentsError(different, { kind: 'usage' });
    }
    const slowest = Math.max(...ready.map(({ report }) => report?.roundTripMs ?? 0));
    const inMs = START_IN_MS + 4 * slowest;
    await queue.order(plan.runId, { startAtMs: view.nowMs + inMs });
    this.#last = { ...view, startAtMs: view.nowMs + inMs };
    onEvent?.(`${plan.count} agents are ready, and start in ${Math.round(inMs)} ms`);
  }

  /** Has agents drop their segments, and gives them time to see it. */
  async #letGo(): Promise<void> {
    const { queue, plan, clock } = this.#options;
    await queue.order(plan.runId, { stop: 'abort' });
    const until = clock.now() + LET_GO_MS;
    while (clock.now() < until) {
      const view = await queue.look(plan.runId);
      const holds = view?.segments.some(
        (segment) =>
          segment.owner !== null &&
          segment.report?.state !== 'failed' &&
          view.nowMs - (segment.seenAtMs ?? view.nowMs) <= LEASE_MS,
      );
      if (holds !== true) return;
      await pause(clock, LOOK_MS, new AbortController().signal);
    }
  }
}

function nameOf({ report, owner }: SegmentView): string {
  return `agent ${report?.agent ?? owner ?? '?'}`;
}

/** A complaint if agents would run different loads: their environments may have options of their own. */
function differenceIn(segments: readonly SegmentView[]): string | null {
  const [first] = segments;
  for (const segment of segments) {
    const [a, b] = [first?.report?.options ?? {}, segment.report?.options ?? {}];
    const key = [...new Set([...Object.keys(a), ...Object.keys(b)])].find((one) => a[one] !== b[one]);
    if (key === undefined || first === undefined) continue;
    return `agents differ in ${key}: ${nameOf(first)} has ${a[key] ?? 'none'}, ${nameOf(segment)} ${b[key] ?? 'none'}`;
  }
  return null;
}
