import {
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
} from 'node:perf_hooks';
import type { Clock, Timer } from '../base/clock.js';
import type { processReading } from '../snapshot/observed.js';
import type { Made } from '../snapshot/schema.js';
import type { WatchedProcess } from './process.js';

export type ProcessSight = Made<typeof processReading>;

const BEAT_MS = 1000;
const RESOLUTION_MS = 20;
/** The delays of so long are told, and those of the same time before. */
const WINDOW_MS = 10_000;
/** A percentile of fewer looks is that of a moment. */
const LEAST_WINDOW_MS = 2000;
/** A beat that is so late, while the process took no CPU time, was a process that did not run. */
const FROZEN_MS = 5000;
const FROZEN_CPU_SHARE = 0.1;
const REMEMBER_FROZEN_MS = 600_000;

interface Delays {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** How the process itself is doing: delays of its event loop, and times when it did not run at all. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #self: WatchedProcess;
  readonly #delays: IntervalHistogram;
  #timer: Timer | null = null;
  #beatAt: number;
  #beatCpuMs: number;
  #windowAt: number;
  #before: Delays | null = null;
  /** At the last beats, the oldest first. */
  #used: EventLoopUtilization[] = [performance.eventLoopUtilization()];
  /** Times when it did not run. */
  #frozen: { readonly ms: number; readonly endedAt: number }[] = [];

  constructor(clock: Clock, self: WatchedProcess) {
    this.#clock = clock;
    this.#self = self;
    this.#delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#beatAt = clock.now();
    this.#windowAt = this.#beatAt;
    this.#beatCpuMs = self.cpuMs();
    this.#next();
  }

  read(): ProcessSight {
    this.#look();
    const now = this.#clock.now();
    const current = this.#current();
    const delays = [this.#before, current].filter((one) => one !== null);
    this.#frozen = this.#frozen.filter(({ endedAt }) => now - endedAt < REMEMBER_FROZEN_MS);
    const longest = [...this.#frozen].sort((one, other) => other.ms - one.ms)[0] ?? null;
    return {
      loopDelayP99Ms: delays.length === 0 ? null : Math.max(...delays.map(({ p99Ms }) => p99Ms)),
      loopDelayMaxMs: delays.length === 0 ? null : Math.max(...delays.map(({ maxMs }) => maxMs)),
      frozenMs: longest?.ms ?? null,
      frozenAgoMs: longest === null ? null : now - longest.endedAt,
      loopBusy: this.#busy(),
      ...this.#self.files(),
    };
  }

  /** Covers the time since the oldest of the last beats, so that loading the program does not count for long. */
  #busy(): number | null {
    const [then] = this.#used;
    return then === undefined ? null : performance.eventLoopUtilization(then).utilization;
  }

  close(): void {
    this.#timer?.cancel();
    this.#delays.disable();
  }

  #next(): void {
    this.#timer = this.#clock.setTimer(
      () => {
        this.#look();
        this.#used = [...this.#used.slice(-2), performance.eventLoopUtilization()];
        this.#next();
      },
      BEAT_MS,
      { background: true },
    );
  }

  #look(): void {
    const [now, cpuMs] = [this.#clock.now(), this.#self.cpuMs()];
    const [elapsedMs, usedMs] = [now - this.#beatAt, cpuMs - this.#beatCpuMs];
    [this.#beatAt, this.#beatCpuMs] = [now, cpuMs];
    if (elapsedMs >= BEAT_MS + FROZEN_MS && usedMs < elapsedMs * FROZEN_CPU_SHARE) {
      this.#frozen.push({ ms: elapsedMs, endedAt: now });
    }
    // The time that a program takes to load is no delay of its work.
    if (this.#delays.enable()) this.#windowAt = now;
    if (now - this.#windowAt < WINDOW_MS) return;
    this.#before = this.#current();
    this.#delays.reset();
    this.#windowAt = now;
  }

  /** The histogram holds whole intervals: without a delay each takes the resolution. */
  #current(): Delays | null {
    const { count, max } = this.#delays;
    if (count === 0 || this.#clock.now() - this.#windowAt < LEAST_WINDOW_MS) return null;
    const delayMs = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    return { p99Ms: delayMs(this.#delays.percentile(99)), maxMs: delayMs(max) };
  }
}
