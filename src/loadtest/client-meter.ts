import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { ClientFigures } from './result.js';

/** The source of the readings: `Io` of src/cli has them all. */
export interface ClientSource {
  eventLoopUtilization(): { readonly active: number; readonly idle: number };
  /** CPU time of the whole process so far; null if it is not known. */
  cpuTime(): { readonly userMs: number; readonly systemMs: number } | null;
  /** CPU time of everything on the machine so far; null if it is not known. */
  hostCpuTime(): { readonly busyMs: number; readonly totalMs: number } | null;
  /** Cores that this process may use; null if it is not known. */
  readonly cores: number | null;
  /** Default: what Linux tells, null elsewhere. */
  readonly threadTime?: () => ThreadTime | null;
}

/** Readings that need no argument. */
export const eventLoop: ClientSource = {
  eventLoopUtilization: () => performance.eventLoopUtilization(),
  cpuTime: () => null,
  hostCpuTime: () => null,
  cores: null,
};

/** The figures where nobody measures. */
export const NOT_MEASURED: ClientFigures = {
  loopBusy: null,
  loopRan: null,
  loopQueued: null,
  loopDelayMeanMs: null,
  loopDelayP99Ms: null,
  loopDelayMaxMs: null,
  cpuCores: null,
  machineBusy: null,
  otherCores: null,
  cores: null,
};

/** Time of the main thread so far: ran on a core, or waited for one. Only differences mean anything. */
export interface ThreadTime {
  readonly ranMs: number;
  readonly queuedMs: number;
}

/** Measures while there is work: the pauses between bursts would make the busiest process look idle. */
export interface ClientMeter {
  /** Iterations are under way from now on. */
  resume(): void;
  /** None is, until the next `resume`. */
  pause(): void;
  /** The figures of all the time between `resume` and `pause`; the meter is over then. */
  stop(): ClientFigures;
}

const RESOLUTION_MS = 10;
/** The system counts the machine's time in ticks of about 10 ms: what it says of less than this is chance. */
const LEAST_FOR_MACHINE_MS = 500;

/** Measures how hard this process itself works, from the first `resume` on. */
export function startClientMeter(source: ClientSource, clock: { now(): number }): ClientMeter {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let since: Reading | null = null;
  let total = NOTHING;
  const pause = () => {
    if (since !== null) total = plus(total, since, read(source, clock));
    since = null;
  };
  return {
    resume() {
      // Goes on through pauses: to stop it and start it again would count each of them as one long delay.
      delay.enable();
      since ??= read(source, clock);
    },
    pause,
    stop() {
      delay.disable();
      pause();
      return { ...figuresOf(total), ...loopDelays(delay), cores: source.cores };
    },
  };
}

const KEYS = ['passed', 'active', 'idle', 'ran', 'queued', 'cpu', 'machineBusy', 'machineTotal'] as const;
/** Totals up to one moment, or within some time: all in ms, null where nobody tells. */
type Reading = Readonly<Record<(typeof KEYS)[number], number | null>>;

const NOTHING: Reading = readingOf(() => 0);

function read(source: ClientSource, clock: { now(): number }): Reading {
  const { threadTime = linuxThreadTime } = source;
  const { active, idle } = source.eventLoopUtilization();
  const thread = threadTime();
  const cpu = source.cpuTime();
  const machine = source.hostCpuTime();
  return {
    passed: clock.now(),
    active,
    idle,
    ran: thread?.ranMs ?? null,
    queued: thread?.queuedMs ?? null,
    cpu: cpu === null ? null : cpu.userMs + cpu.systemMs,
    machineBusy: machine?.busyMs ?? null,
    machineTotal: machine?.totalMs ?? null,
  };
}

function plus(total: Reading, from: Reading, to: Reading): Reading {
  return readingOf((key) => {
    const [sum, before, after] = [total[key], from[key], to[key]];
    return sum === null || before === null || after === null ? null : sum + Math.max(0, after - before);
  });
}

function readingOf(ofKey: (key: keyof Reading) => number | null): Reading {
  return Object.fromEntries(KEYS.map((key) => [key, ofKey(key)])) as Reading;
}

function figuresOf(total: Reading): Omit<ClientFigures, keyof Delays | 'cores'> {
  const { passed, active, idle, ran, queued, cpu } = total;
  const isLong = (passed ?? 0) >= LEAST_FOR_MACHINE_MS;
  const [machineBusy, machineTotal] = isLong ? [total.machineBusy, total.machineTotal] : [null, null];
  const others = machineBusy === null || cpu === null ? null : Math.max(0, machineBusy - cpu);
  return {
    loopBusy: share(active, active === null || idle === null ? null : active + idle),
    loopRan: share(ran, passed),
    loopQueued: share(queued, passed),
    cpuCores: ratio(cpu, passed),
    machineBusy: share(machineBusy, machineTotal),
    otherCores: ratio(others, passed),
  };
}

/** A little more than all is how clocks that tick differently come out. */
function share(part: number | null, whole: number | null): number | null {
  const all = ratio(part, whole);
  return all === null ? null : Math.min(1, all);
}

function ratio(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : part / whole;
}

/** The scheduler's own figures (Documentation/scheduler/sched-stats of Linux), which are those of the main thread. */
function linuxThreadTime(): ThreadTime | null {
  try {
    const [ran, queued] = readFileSync('/proc/self/schedstat', 'utf8').split(' ').map(Number);
    return ran && queued !== undefined ? { ranMs: ran / 1e6, queuedMs: queued / 1e6 } : null;
  } catch {
    return null;
  }
}

type Delays = Pick<ClientFigures, 'loopDelayMeanMs' | 'loopDelayP99Ms' | 'loopDelayMaxMs'>;

/** Node's figures contain the interval at which it looks; what is above it is delay. */
function loopDelays(delay: ReturnType<typeof monitorEventLoopDelay>): Delays {
  if (delay.count === 0) return { loopDelayMeanMs: null, loopDelayP99Ms: null, loopDelayMaxMs: null };
  const above = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    loopDelayMeanMs: above(delay.mean),
    loopDelayP99Ms: above(delay.percentile(99)),
    loopDelayMaxMs: above(delay.max),
  };
}
