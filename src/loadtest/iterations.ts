import type { Clock, Timer } from '../base/clock.js';
import type { Iteration, WorkloadRun } from './api.js';
import { IterationTimeout } from './failures.js';

/** Records what becomes of iterations. */
export interface IterationHost {
  readonly clock: Clock;
  /** An iteration has its connection. */
  acquired(): void;
  /** An iteration is over: it succeeded if `error` is null. Called once for each. */
  ended(iteration: RunningIteration, error: unknown, at: number): void;
}

/** An iteration under way. Times are the clock's own. */
export class RunningIteration implements Iteration {
  readonly seq: number;
  readonly dueAt: number;
  readonly startedAt: number;
  readonly measured: boolean;
  signal: AbortSignal | undefined = undefined;
  acquiredAt: number | null = null;
  /** Its place among those under way. */
  place = -1;
  /** Lets its worker go on. */
  readonly onEnd: (at: number) => void;
  readonly #host: IterationHost;
  #timer: Timer | null = null;
  #isOver = false;

  constructor(
    host: IterationHost,
    seq: number,
    dueAt: number,
    startedAt: number,
    measured: boolean,
    onEnd: (at: number) => void,
  ) {
    this.#host = host;
    this.seq = seq;
    this.dueAt = dueAt;
    this.startedAt = startedAt;
    this.measured = measured;
    this.onEnd = onEnd;
  }

  acquired(at = this.#host.clock.now()): void {
    if (this.acquiredAt !== null || this.#isOver) return;
    this.acquiredAt = at;
    this.#host.acquired();
  }

  end(error: unknown, at = this.#host.clock.now()): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#host.ended(this, error, at);
  }

  /** Ends it with IterationTimeout after the limit, also if the work does not heed its signal. */
  limitTo(limitMs: number): void {
    const { clock } = this.#host;
    const late = new AbortController();
    this.signal = late.signal;
    this.#timer = clock.setTimer(() => {
      const error = new IterationTimeout(limitMs);
      // First, so that the error of the canceled work does not win.
      this.#isOver = true;
      late.abort(error);
      this.#host.ended(this, error, clock.now());
    }, limitMs);
  }
}

/** The iterations under way, in no order: to add one and to remove one takes the same time however many there are. */
export class UnderWay {
  readonly #all: RunningIteration[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(iteration: RunningIteration): void {
    iteration.place = this.#all.push(iteration) - 1;
  }

  remove(iteration: RunningIteration): void {
    const last = this.#all.pop();
    if (last === undefined || last === iteration) return;
    this.#all[iteration.place] = last;
    last.place = iteration.place;
  }

  list(): readonly RunningIteration[] {
    return this.#all;
  }
}

/** Starts the work of iterations by a run's own `start`, or else by its promises. */
export function starterOf(run: WorkloadRun): (iteration: Iteration) => void {
  if (run.start !== undefined) return (iteration) => run.start?.(iteration);
  return (iteration) => {
    const failed = (error: unknown): void =>
      iteration.end(error ?? new Error('the iteration failed without an error'));
    try {
      run.iterate(iteration.seq, iteration, iteration.signal).then(() => iteration.end(null), failed);
    } catch (error) {
      failed(error);
    }
  };
}
