import { onAbort } from '../base/abort.js';
import { backoffBoundMs } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError, ignore, invoke, untilAborted } from '../base/promises.js';
import { maskSecrets } from '../base/secrets.js';
import { formatDuration } from '../base/units.js';
import type { Reading, SourceState, Stale } from '../snapshot/reading.js';
import { SourceError } from './errors.js';
import type { StatsSource } from './types.js';

export interface PollerOptions {
  readonly clock: Clock;
  /** From the start of one reading to the start of the next. */
  readonly intervalMs: number;
  /** How long one reading may take. Default 5,000. */
  readonly limitMs?: number;
  /** Told after each reading, and each that failed. */
  readonly onChange?: (state: SourceState) => void;
}

const LIMIT_MS = 5000;
/** A source that fails is tried less and less often, down to this. */
const LONGEST_RETRY_MS = 15_000;

/**
 * Reads several sources again and again, each at its own pace: one that is slow or dead delays no other. Owns the
 * sources that it is given: they are closed with it, or when they are removed.
 */
export class Poller implements AsyncDisposable {
  readonly #options: PollerOptions;
  readonly #polls = new Map<StatsSource, Poll>();
  #intervalMs: number;
  #disposed: Promise<void> | null = null;

  constructor(sources: Iterable<StatsSource>, options: PollerOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs;
    for (const source of sources) this.add(source);
  }

  /** In the order in which the sources were added. */
  states(): readonly SourceState[] {
    return [...this.#polls.values()].map((poll) => poll.state);
  }

  /** The last readings, stale ones among them. */
  readings(): readonly Reading[] {
    return this.states().flatMap(({ reading }) => reading ?? []);
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** Counts from the readings that are under way; those that are waited for come at once if they are then overdue. */
  set intervalMs(ms: number) {
    this.#intervalMs = ms;
    for (const poll of this.#polls.values()) poll.repace();
  }

  /** Reads it from now on. */
  add(source: StatsSource, pace: { readonly intervalMs?: number; readonly limitMs?: number } = {}): void {
    if (this.#disposed !== null) throw new Error('the poller has been closed');
    const { clock, onChange = ignore, limitMs = LIMIT_MS } = this.#options;
    const poll = new Poll(source, {
      clock,
      limitMs: pace.limitMs ?? limitMs,
      intervalMs: () => pace.intervalMs ?? this.#intervalMs,
      onChange,
    });
    this.#polls.set(source, poll);
  }

  /** Ends the readings of a source, and closes it. */
  async remove(source: StatsSource): Promise<void> {
    const poll = this.#polls.get(source);
    this.#polls.delete(source);
    await poll?.end();
  }

  /** Reads all sources now, those too that are waiting after a failure. */
  refresh(): void {
    for (const poll of this.#polls.values()) poll.hurry();
  }

  /** Gives up what is being read, and closes all sources. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= Promise.all([...this.#polls.values()].map((poll) => poll.end())).then(ignore);
    return this.#disposed;
  }
}

interface PollOptions {
  readonly clock: Clock;
  readonly limitMs: number;
  readonly intervalMs: () => number;
  readonly onChange: (state: SourceState) => void;
}

/** The readings of one source, one after the other. */
class Poll {
  state: SourceState;
  readonly #source: StatsSource;
  readonly #options: PollOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #startedAt = 0;
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null;

  constructor(source: StatsSource, options: PollOptions) {
    this.#source = source;
    this.#options = options;
    const { label, kind } = source;
    this.state = { label, kind, reading: null, stale: null, readMs: null };
    this.#done = this.#run();
  }

  hurry(): void {
    this.#pause?.timer.cancel();
    this.#pause?.end();
  }

  repace(): void {
    if (this.state.stale !== null) return;
    if (this.#pause === null) return;
    this.#pause.timer.cancel();
    const { end } = this.#pause;
    this.#pause = { end, timer: this.#options.clock.setTimer(end, this.#pauseMs()) };
  }

  async end(): Promise<void> {
    this.#stop.abort(new SourceError('ERR_SOURCE_UNREACHABLE', 'the source has been closed'));
    this.hurry();
    await this.#done;
    await invoke(async () => this.#source[Symbol.asyncDispose]()).catch(ignore);
  }

  async #run(): Promise<void> {
    const { clock, onChange } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#startedAt = clock.now();
      const state = await this.#read();
      if (signal.aborted) return;
      this.state = state;
      onChange(state);
      await this.#wait(this.#pauseMs());
    }
  }

  async #read(): Promise<SourceState> {
    const { clock, limitMs } = this.#options;
    const { label, kind } = this.#source;
    const giveUp = new AbortController();
    const { signal } = giveUp;
    // Not AbortSignal.any, of which Node 20 keeps something with each call.
    const stopWatching = onAbort(this.#stop.signal, () => giveUp.abort(this.#stop.signal.reason));
    const timer = clock.setTimer(() => giveUp.abort(timedOut(limitMs)), limitMs);
    try {
      const read = invoke(() => this.#source.read(signal));
      // A source that does not listen to its signal holds nothing up.
      const reading = await untilAborted(read, signal, clock, null, ignore);
      return { label, kind, reading, stale: null, readMs: clock.now() - this.#startedAt };
    } catch (error) {
      return { ...this.state, stale: this.#staleAfter(asError(error)) };
    } finally {
      timer.cancel();
      stopWatching();
    }
  }

  #staleAfter(error: Error): Stale {
    const before = this.state.stale;
    const failures = (before?.failures ?? 0) + 1;
    const intervalMs = this.#options.intervalMs();
    // An interval that is longer stays what it is.
    const most = Math.max(intervalMs, LONGEST_RETRY_MS);
    return {
      sinceMs: before?.sinceMs ?? this.#options.clock.wallTime(),
      why: maskSecrets(error.message),
      hint: 'hint' in error && typeof error.hint === 'string' ? maskSecrets(error.hint) : null,
      failures,
      retryMs: backoffBoundMs(failures - 1, { baseMs: intervalMs, capMs: most }),
      // A process that was never read may be about to start.
      ...(error instanceof SourceError && error.hasEnded && this.state.reading !== null
        ? { ended: true }
        : {}),
    };
  }

  #pauseMs(): number {
    const { stale } = this.state;
    if (stale !== null) return stale.retryMs;
    return Math.max(0, this.#startedAt + this.#options.intervalMs() - this.#options.clock.now());
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pause = null;
        resolve();
      };
      this.#pause = { end, timer: this.#options.clock.setTimer(end, ms) };
    });
  }
}

function timedOut(limitMs: number): SourceError {
  return new SourceError('ERR_SOURCE_TIMEOUT', `no answer within ${formatDuration(limitMs)}`, {
    hint: 'it may be stopped, overloaded, or cut off',
  });
}
