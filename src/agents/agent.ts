import { onAbort, pause } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import type { LoadProgress } from '../loadtest/api.js';
import { type ClockOffset, measureOffset } from './clock-offset.js';
import {
  type AgentReport,
  type AgentState,
  type Assignment,
  BEAT_MS,
  LEASE_MS,
  type Orders,
  READY_BEAT_MS,
  type Stop,
} from './protocol.js';
import { type AgentQueue, AgentQueueError } from './queue.js';

/** A segment that runs in a process of its own, so that its load never delays a sign of life. */
export interface SegmentRun {
  /** Begins the load at that time of the wall clock here. */
  start(atMs: number): void;
  stop(how: Stop): void;
  /** Never rejects. */
  readonly ended: Promise<SegmentEnd>;
}

export interface SegmentEnd {
  /** The result as text; null if there is none. */
  readonly result: string | null;
  /** Why there is none. */
  readonly reason: string;
  readonly isUsage: boolean;
}

export interface SegmentEvents {
  /** Connected and warm; with the options that decide the load. */
  onReady(options: Readonly<Record<string, string>>): void;
  onProgress(progress: LoadProgress): void;
}

export interface AgentOptions {
  readonly queue: AgentQueue;
  /** Names this agent in the queue: no other has the same name. */
  readonly id: string;
  /** Names it for people. */
  readonly name: string;
  readonly clock: Clock;
  /** Why this agent does not run the load; null if it does. */
  readonly refuse: (assignment: Assignment) => Promise<string | null>;
  readonly run: (assignment: Assignment, events: SegmentEvents) => Promise<SegmentRun>;
  /** Puts a result in the time of the queue. */
  readonly shift: (result: string, clockOffsetMs: number) => string;
  readonly stop: AbortSignal;
  readonly abort: AbortSignal;
  readonly onEvent?: (text: string) => void;
}

/** A run whose coordinator has been away for this long before the start will not start. */
const COORDINATOR_LEASE_MS = 10_000;
/** Time to hand a result in after its queue was away. */
const DELIVER_MS = 15_000;

/** Waits for work until `stop` aborts, and runs one segment after the other; `once`: only one. */
export async function serveAgent(options: AgentOptions, { once = false } = {}): Promise<void> {
  const { queue, id, stop, clock, onEvent = () => {} } = options;
  while (!stop.aborted) {
    const runId = await queue.next(stop);
    if (runId === null) return;
    const assignment = await queue.claim(runId, id).catch((error: unknown) => {
      onEvent(error instanceof Error ? error.message : String(error));
      return null;
    });
    if (assignment === null) {
      await pause(clock, BEAT_MS, stop);
      continue;
    }
    await new Segment(options, assignment).run();
    if (once) return;
  }
}

/** One segment, from the claim to its end. */
class Segment {
  readonly #options: AgentOptions;
  readonly #assignment: Assignment;
  #state: AgentState = 'preparing';
  #run: SegmentRun | null = null;
  #end: SegmentEnd | null = null;
  #offset: ClockOffset | null = null;
  #resolved: Readonly<Record<string, string>> | null = null;
  #progress: LoadProgress | null = null;
  #reason: string | null = null;
  #isUsage = false;
  #isStarted = false;
  #stopped: Stop | null = null;
  #heardAt: number;
  /** Aborts when the segment has ended, so that this is reported at once. */
  readonly #ended = new AbortController();

  constructor(options: AgentOptions, assignment: Assignment) {
    this.#options = options;
    this.#assignment = assignment;
    this.#heardAt = options.clock.now();
  }

  async run(): Promise<void> {
    const { clock, stop, abort, onEvent = () => {} } = this.#options;
    const { plan, index } = this.#assignment;
    onEvent(`run ${plan.runId}: segment ${index} of ${plan.count}`);
    const begun = this.#begin();
    const takeBack = [
      onAbort(stop, () => this.#stop('interrupt')),
      onAbort(abort, () => this.#stop('abort')),
    ];
    try {
      for (;;) {
        await this.#beat();
        if (this.#end !== null) break;
        await pause(clock, this.#state === 'ready' ? READY_BEAT_MS : BEAT_MS, this.#ended.signal);
      }
      await begun;
      await this.#handIn(this.#end);
    } finally {
      for (const each of takeBack) each();
    }
    onEvent(`run ${plan.runId}: ${this.#reason ?? 'done'}`);
  }

  /** Starts the process of the segment. Signs of life go on meanwhile. */
  async #begin(): Promise<void> {
    try {
      const refusal = await this.#options.refuse(this.#assignment);
      if (refusal !== null || this.#state === 'failed') {
        this.#over({ result: null, reason: refusal ?? 'it was stopped', isUsage: refusal !== null });
        return;
      }
      const run = await this.#options.run(this.#assignment, {
        onReady: (options) => void this.#ready(options),
        onProgress: (progress) => {
          this.#progress = progress;
          if (this.#isStarted && this.#state === 'ready') this.#state = 'running';
        },
      });
      this.#run = run;
      // It may have been dropped while it was started.
      if (this.#stopped !== null) run.stop(this.#stopped);
      void run.ended.then((end) => this.#over(end));
    } catch (error) {
      this.#over({
        result: null,
        reason: error instanceof Error ? error.message : String(error),
        isUsage: false,
      });
    }
  }

  #over(end: SegmentEnd): void {
    this.#end = end;
    this.#ended.abort();
  }

  async #ready(options: Readonly<Record<string, string>>): Promise<void> {
    const { queue, clock } = this.#options;
    this.#resolved = options;
    try {
      this.#offset = await measureOffset(() => queue.time(), clock);
      if (this.#state === 'preparing') this.#state = 'ready';
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** A sign of life, and what the coordinator says to it. */
  async #beat(): Promise<void> {
    const { queue, clock, id } = this.#options;
    const { plan, index } = this.#assignment;
    let orders: Orders | null = null;
    try {
      orders = await queue.beat(plan.runId, index, id, this.#report());
    } catch (error) {
      if (!(error instanceof AgentQueueError)) throw error;
    }
    const now = clock.now();
    if (orders === null) this.#unheard(now);
    else {
      // A process that was frozen must not go on with a load that others have reported as missing.
      const wasAway = now - this.#heardAt > 2 * LEASE_MS;
      this.#heardAt = now;
      if (orders.isLost || (wasAway && this.#isStarted && this.#stopped === null))
        this.#drop('it was away for too long');
      else this.#obey(orders);
    }
  }

  /** Nobody can stop a load that is cut off from its queue, so it stops by itself. */
  #unheard(now: number): void {
    if (this.#isStarted && now - this.#heardAt <= LEASE_MS) return;
    if (this.#isStarted) this.#stop('interrupt', 'the queue cannot be reached');
    else if (now - this.#heardAt > LEASE_MS / 2) this.#drop('the run is gone');
  }

  #obey({ startAtMs, stop, coordinatorAgeMs }: Orders): void {
    if (stop !== null) {
      if (this.#isStarted) this.#stop(stop);
      else this.#drop('the run was stopped before its start');
      return;
    }
    if (startAtMs !== null) this.#start(startAtMs);
    else if (coordinatorAgeMs > COORDINATOR_LEASE_MS) this.#drop('the coordinator is gone');
  }

  #start(startAtMs: number): void {
    const { clock } = this.#options;
    if (this.#isStarted || this.#state !== 'ready' || this.#offset === null) return;
    this.#isStarted = true;
    const inMs = startAtMs - this.#offset.monotonicMs - clock.now();
    // A part that starts late is another load.
    if (inMs < 0) this.#drop(`it read the start ${Math.ceil(-inMs)} ms late`);
    else this.#run?.start(clock.wallTime() + inMs);
  }

  #stop(how: Stop, why: string | null = null): void {
    if (this.#stopped === how || this.#stopped === 'abort') return;
    if (!this.#isStarted) {
      this.#drop(why ?? 'the agent was stopped');
      return;
    }
    this.#stopped = how;
    if (why !== null) this.#options.onEvent?.(why);
    this.#run?.stop(how);
  }

  /** Ends the segment without a result. */
  #drop(why: string): void {
    if (this.#stopped === 'abort') return;
    this.#stopped = 'abort';
    this.#fail(why);
    this.#run?.stop('abort');
  }

  #fail(reason: string, isUsage = false): void {
    this.#state = 'failed';
    this.#reason = reason;
    this.#isUsage = isUsage;
  }

  async #handIn(end: SegmentEnd | null): Promise<void> {
    if (end === null) return;
    const { result, reason, isUsage } = end;
    const { clock } = this.#options;
    const until = clock.now() + DELIVER_MS;
    if (this.#state !== 'failed') {
      if (result === null || !this.#isStarted) this.#fail(reason, isUsage);
      else this.#state = 'done';
    }
    while (clock.now() < until && !this.#options.abort.aborted) {
      try {
        if (await this.#tellEnd(result)) return;
      } catch (error) {
        if (!(error instanceof AgentQueueError)) throw error;
      }
      await pause(clock, BEAT_MS, this.#options.abort);
    }
    if (this.#state === 'done') this.#reason = 'nobody took the result';
  }

  /** Whether somebody has taken note of the end. A queue that has lost its data gets the run back from the coordinator. */
  async #tellEnd(result: string | null): Promise<boolean> {
    const { queue, id, shift } = this.#options;
    const { plan, index } = this.#assignment;
    if (this.#state !== 'done' || result === null) {
      const orders = await queue.beat(plan.runId, index, id, this.#report());
      return orders !== null || !this.#isStarted;
    }
    const text = shift(result, this.#offset?.offsetMs ?? 0);
    const delivered = await queue.deliver(plan.runId, index, id, text);
    if (delivered === 'refused') this.#reason = 'the result came too late';
    return delivered !== 'unknown';
  }

  #report(): AgentReport {
    return {
      state: this.#state,
      agent: this.#options.name,
      clockOffsetMs: this.#offset?.offsetMs ?? null,
      roundTripMs: this.#offset?.roundTripMs ?? null,
      options: this.#resolved,
      progress: this.#progress,
      reason: this.#reason,
      isUsage: this.#isUsage,
    };
  }
}
