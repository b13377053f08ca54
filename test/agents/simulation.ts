import { type AgentOptions, serveAgent } from '../../src/agents/agent.js';
import { type AgentsOutcome, type CoordinatorOptions, runOnAgents } from '../../src/agents/coordinator.js';
import { PROTOCOL, type RunPlan } from '../../src/agents/protocol.js';
import type { Clock } from '../../src/base/clock.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { SimulatedServer } from './simulated-queue.js';

export const LOAD_MS = 10_000;

/** A machine on the network of the queue. */
export interface SimulatedAgent {
  readonly name: string;
  /** When its load began and ended, by the true time; once for each segment that it ran. */
  readonly loads: {
    readonly runId: string;
    readonly index: number;
    readonly startedAt: number;
    endedAt: number | null;
  }[];
  readonly events: string[];
  /** It is no more, without a word. */
  kill(): void;
  /** It does nothing until it is thawed. */
  freeze(): void;
  thaw(): void;
  cutOff(isCut: boolean): void;
  readonly ended: Promise<void>;
  readonly stop: AbortController;
}

export interface AgentShape {
  readonly latencyMs?: number;
  /** Its wall clock is ahead by so much. */
  readonly clockMs?: number;
  readonly warmUpMs?: number;
  readonly refusal?: string;
  /** Failures among the first 100 iterations. */
  readonly failed?: number;
  readonly options?: Readonly<Record<string, string>>;
}

/** The clock of one machine, which is off and can stand still. */
class MachineClock implements Clock {
  readonly #true: VirtualClock;
  readonly #aheadMs: number;
  isDead = false;
  #held: (() => void)[] | null = null;

  constructor(clock: VirtualClock, aheadMs: number) {
    this.#true = clock;
    this.#aheadMs = aheadMs;
  }

  now(): number {
    return this.#true.now();
  }

  wallTime(): number {
    return this.#true.wallTime() + this.#aheadMs;
  }

  setTimer(callback: () => void, delayMs: number) {
    return this.#true.setTimer(() => this.#run(callback), delayMs);
  }

  defer(callback: () => void): void {
    this.#true.defer(() => this.#run(callback));
  }

  freeze(): void {
    this.#held = [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const callback of held) callback();
  }

  #run(callback: () => void): void {
    if (this.isDead) return;
    if (this.#held === null) callback();
    else this.#held.push(callback);
  }
}

export class Simulation {
  readonly clock = new VirtualClock();
  readonly server = new SimulatedServer(this.clock);
  readonly agents: SimulatedAgent[] = [];

  plan(count: number, more: Partial<RunPlan> = {}): RunPlan {
    const base = {
      protocol: PROTOCOL,
      runId: 'run',
      version: '1',
      count,
      target: null,
      words: [],
      files: [],
    };
    return { ...base, allowWrites: false, ...more };
  }

  addAgents(count: number, shape: AgentShape = {}): void {
    for (let n = 0; n < count; n++) this.agents.push(this.#agent(`m${this.agents.length + 1}`, shape));
  }

  coordinate(
    plan: RunPlan,
    more: Partial<CoordinatorOptions> & { readonly latencyMs?: number } = {},
  ): Promise<AgentsOutcome> {
    const never = new AbortController().signal;
    const outcome = runOnAgents({
      ...{ queue: this.server.client(more.latencyMs ?? 1), plan, name: `coordinator of ${plan.runId}` },
      ...{ clock: this.clock, agentsTimeoutMs: 30_000, stop: never, abort: never },
      ...more,
    });
    outcome.catch(() => {});
    return outcome;
  }

  /** Lets everything come to an end, and gives what came of the run. */
  async finish<T>(outcome: Promise<T>): Promise<T> {
    return this.clock.run(outcome);
  }

  #agent(name: string, shape: AgentShape): SimulatedAgent {
    const { latencyMs = 1, clockMs = 0, warmUpMs = 300, refusal = null, options = {}, failed = 0 } = shape;
    const clock = new MachineClock(this.clock, clockMs);
    let isCut = false;
    const now = () => this.clock.now();
    const stop = new AbortController();
    const loads: SimulatedAgent['loads'] = [];
    const events: string[] = [];
    const run: AgentOptions['run'] = async ({ plan, index }, { onReady, onProgress }) => {
      let end: (result: string | null) => void = () => {};
      const ended = new Promise<string | null>((resolve) => {
        end = resolve;
      });
      clock.setTimer(() => onReady(options), warmUpMs);
      let over: (() => void) | null = null;
      return {
        start(atMs) {
          clock.setTimer(() => {
            const load = {
              runId: plan.runId,
              index,
              startedAt: now(),
              endedAt: null as number | null,
            };
            loads.push(load);
            over = () => {
              load.endedAt ??= now();
              end(`result ${index}`);
            };
            onProgress({ phase: 'load', elapsedMs: 0, fraction: 0, ended: 100, failed, waiting: 0 });
            clock.setTimer(over, LOAD_MS);
          }, atMs - clock.wallTime());
        },
        stop: (how) =>
          void clock.setTimer(() => (over === null ? end(null) : over()), how === 'abort' ? 0 : 100),
        ended: ended.then((result) => ({ result, reason: 'it was stopped', isUsage: false })),
      };
    };
    const ended = serveAgent({
      ...{
        queue: this.server.client(latencyMs, () => isCut || clock.isDead),
        id: `id of ${name}`,
        name,
        clock,
      },
      ...{ refuse: async () => refusal, run, shift: (text: string) => text },
      ...{
        stop: stop.signal,
        abort: new AbortController().signal,
        onEvent: (text) => void events.push(text),
      },
    });
    return {
      ...{ name, loads, events, stop, ended },
      kill() {
        clock.isDead = true;
      },
      freeze: () => clock.freeze(),
      thaw: () => clock.thaw(),
      cutOff(cut) {
        isCut = cut;
      },
    };
  }
}
