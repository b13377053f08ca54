import {
  type AgentReport,
  type Assignment,
  COMMAND_TIMEOUT_MS,
  LEASE_MS,
  type Orders,
  type RunOrders,
  type RunPlan,
  type RunView,
  type Stop,
} from '../../src/agents/protocol.js';
import { type AgentQueue, AgentQueueError, type Delivered, type Opened } from '../../src/agents/queue.js';
import { onAbort } from '../../src/base/abort.js';
import type { Clock } from '../../src/base/clock.js';

interface Run {
  readonly plan: RunPlan;
  coordinator: string;
  coordinatorAtMs: number;
  startAtMs: number | null;
  stop: Stop | null;
  next: number;
  readonly owners: Map<number, string>;
  readonly agents: Set<string>;
  readonly seenAtMs: Map<number, number>;
  readonly reports: Map<number, AgentReport>;
  readonly lost: Set<number>;
  readonly results: Map<number, string>;
}

/** The server of a queue, on a virtual clock. */
export class SimulatedServer {
  readonly clock: Clock;
  readonly runs = new Map<string, Run>();
  invitations: string[] = [];
  #waiting: ((runId: string) => void)[] = [];
  isAway = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Restarts it, without its data. */
  wipe(): void {
    this.runs.clear();
    this.invitations = [];
  }

  /** A client of it, one way of which takes so long. `isCut` cuts it off. */
  client(latencyMs: number, isCut: () => boolean = () => false): AgentQueue {
    return new SimulatedQueue(this, latencyMs, isCut);
  }

  invite(runId: string): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.invitations.push(runId);
    else waiter(runId);
  }

  fetch(signal: AbortSignal): Promise<string | null> {
    const ready = this.invitations.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      onAbort(signal, () => {
        this.#waiting = this.#waiting.filter((one) => one !== resolve);
        resolve(null);
      });
    });
  }
}

class SimulatedQueue implements AgentQueue {
  readonly name = 'simulated://queue';
  readonly #server: SimulatedServer;
  readonly #latencyMs: number;
  readonly #isCut: () => boolean;

  constructor(server: SimulatedServer, latencyMs: number, isCut: () => boolean) {
    this.#server = server;
    this.#latencyMs = latencyMs;
    this.#isCut = isCut;
  }

  time(): Promise<number> {
    return this.#ask(() => this.#now());
  }

  open(plan: RunPlan, coordinator: string): Promise<Opened> {
    return this.#ask(() => {
      const run = this.#server.runs.get(plan.runId);
      if (run !== undefined) {
        if (JSON.stringify(run.plan) !== JSON.stringify(plan)) return 'other';
        if (run.coordinator !== coordinator && this.#now() - run.coordinatorAtMs <= LEASE_MS) return 'taken';
        run.coordinator = coordinator;
        return 'adopted';
      }
      this.#server.runs.set(plan.runId, newRun(plan, coordinator, this.#now()));
      for (let n = 0; n < plan.count; n++) this.#server.invite(plan.runId);
      return 'created';
    });
  }

  async restore({ plan, startAtMs, stop, segments }: RunView, coordinator: string): Promise<void> {
    await this.#ask(() => {
      const run = { ...newRun(plan, coordinator, this.#now()), startAtMs, stop, next: plan.count };
      for (const { index, owner, isLost } of segments) {
        if (owner !== null) run.owners.set(index, owner);
        if (isLost) run.lost.add(index);
      }
      this.#server.runs.set(plan.runId, run);
    });
  }

  look(runId: string): Promise<RunView | null> {
    return this.#ask(() => {
      const run = this.#server.runs.get(runId);
      if (run === undefined) return null;
      run.coordinatorAtMs = this.#now();
      return {
        plan: run.plan,
        nowMs: this.#now(),
        startAtMs: run.startAtMs,
        stop: run.stop,
        segments: Array.from({ length: run.plan.count }, (_, at) => ({
          index: at + 1,
          owner: run.owners.get(at + 1) ?? null,
          seenAtMs: run.seenAtMs.get(at + 1) ?? null,
          report: run.reports.get(at + 1) ?? null,
          hasResult: run.results.has(at + 1),
          isLost: run.lost.has(at + 1),
        })),
      };
    });
  }

  async order(runId: string, { startAtMs, stop, lost = [] }: RunOrders): Promise<void> {
    await this.#ask(() => {
      const run = this.#server.runs.get(runId);
      if (run === undefined) return;
      if (startAtMs !== undefined) run.startAtMs = startAtMs;
      if (stop !== undefined) run.stop = stop;
      for (const index of lost) run.lost.add(index);
    });
  }

  result(runId: string, index: number): Promise<string | null> {
    return this.#ask(() => this.#server.runs.get(runId)?.results.get(index) ?? null);
  }

  async forget(runId: string): Promise<void> {
    await this.#ask(() => {
      this.#server.runs.delete(runId);
      this.#server.invitations = this.#server.invitations.filter((one) => one !== runId);
    });
  }

  next(signal: AbortSignal): Promise<string | null> {
    return this.#server.fetch(signal);
  }

  claim(runId: string, agent: string): Promise<Assignment | null> {
    return this.#ask(() => {
      const run = this.#server.runs.get(runId);
      if (run === undefined || run.stop !== null || run.agents.has(agent) || run.next >= run.plan.count)
        return null;
      const index = ++run.next;
      run.agents.add(agent);
      run.owners.set(index, agent);
      run.seenAtMs.set(index, this.#now());
      return { plan: run.plan, index };
    });
  }

  beat(runId: string, index: number, agent: string, report: AgentReport): Promise<Orders | null> {
    return this.#ask(() => {
      const run = this.#server.runs.get(runId);
      if (run === undefined || run.owners.get(index) !== agent) return null;
      run.seenAtMs.set(index, this.#now());
      run.reports.set(index, report);
      const { startAtMs, stop, lost, coordinatorAtMs } = run;
      const nowMs = this.#now();
      return { nowMs, startAtMs, stop, isLost: lost.has(index), coordinatorAgeMs: nowMs - coordinatorAtMs };
    });
  }

  deliver(runId: string, index: number, agent: string, result: string): Promise<Delivered> {
    return this.#ask(() => {
      const run = this.#server.runs.get(runId);
      if (run === undefined || !run.owners.has(index)) return 'unknown';
      if (run.owners.get(index) !== agent || run.lost.has(index)) return 'refused';
      run.results.set(index, result);
      return 'taken';
    });
  }

  async close(): Promise<void> {}

  #now(): number {
    return this.#server.clock.wallTime();
  }

  /** One command: there, its work, and back. */
  async #ask<T>(work: () => T): Promise<T> {
    await this.#travel();
    const isReached = !this.#server.isAway && !this.#isCut();
    const answer = isReached ? work() : null;
    await this.#travel();
    if (isReached) return answer as T;
    await new Promise<void>((resolve) => void this.#server.clock.setTimer(resolve, COMMAND_TIMEOUT_MS));
    throw new AgentQueueError('the queue does not answer');
  }

  #travel(): Promise<void> {
    if (this.#latencyMs === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#server.clock.setTimer(resolve, this.#latencyMs));
  }
}

function newRun(plan: RunPlan, coordinator: string, coordinatorAtMs: number): Run {
  return {
    ...{ plan, coordinator, coordinatorAtMs, startAtMs: null, stop: null, next: 0 },
    ...{ owners: new Map(), agents: new Set(), seenAtMs: new Map(), reports: new Map() },
    ...{ lost: new Set(), results: new Map() },
  };
}
