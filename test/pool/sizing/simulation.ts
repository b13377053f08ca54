import { AdaptiveSize } from '../../../src/pool/adaptive-size.js';

/** A server by its speed: how fast each of `n` requests in progress advances, in ms of work a ms, and their work. */
export interface SimulatedServer {
  speed(n: number, nowMs: number): number;
  workMs(random: () => number, nowMs: number): number;
  /** How much slower than usual the whole machine is, as a factor of the speed; asked in order of time. */
  readonly disturbance?: (random: () => number) => (nowMs: number) => number;
  /** From how many on it refuses. */
  readonly refusesAbove?: number;
}

export interface SimulatedLoad {
  /** Closed: so many callers, each with one request at a time. */
  readonly callers?: number;
  /** Open: requests a second, at random. */
  readonly perSecond?: (nowMs: number) => number;
}

export interface SimulationResult {
  readonly perSecond: number;
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly refused: number;
  readonly sizes: readonly number[];
  readonly reversals: number;
  readonly finalSize: number;
  /** Without the size that is being tried. */
  readonly settled: number;
  readonly reason: string;
}

interface Job {
  readonly arrivedMs: number;
  startedMs: number;
  left: number;
}

/** Plays a pool before a server that shares its speed among the requests in progress. Time is virtual. */
export function simulate({
  server,
  load,
  sizing,
  seconds,
  warmUpSeconds = 0,
  seed = 1,
}: {
  readonly server: SimulatedServer;
  readonly load: SimulatedLoad;
  readonly sizing: number | { readonly min: number; readonly max: number; readonly start: number };
  readonly seconds: number;
  readonly warmUpSeconds?: number;
  readonly seed?: number;
}): SimulationResult {
  const random = randomFrom(seed);
  const disturbed = server.disturbance?.(randomFrom(seed + 1000)) ?? (() => 1);
  const adaptive = typeof sizing === 'number' ? null : new AdaptiveSize(sizing, 0);
  const size = (): number => (typeof sizing === 'number' ? sizing : (adaptive as AdaptiveSize).size);
  const queue: Job[] = [];
  let head = 0;
  const running = new Set<Job>();
  const sizes: number[] = [size()];
  const totals: number[] = [];
  let refused = 0;
  let now = 0;
  const endMs = seconds * 1000;
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;
  const arrive = (): void => void queue.push({ arrivedMs: now, startedMs: 0, left: 0 });
  let nextArrival = Number.POSITIVE_INFINITY;
  if (load.callers !== undefined) for (let i = 0; i < load.callers; i++) arrive();
  else nextArrival = 0;
  const start = (): void => {
    while (head < queue.length && running.size < size()) {
      const job = queue[head++] as Job;
      if (head > 10_000) {
        queue.splice(0, head);
        head = 0;
      }
      if (server.refusesAbove !== undefined && running.size >= server.refusesAbove) {
        refused++;
        adaptive?.overloaded(now, running.size + 1);
        if (load.callers !== undefined) arrive();
        if (head + 50_000 < queue.length) break;
        if (load.callers !== undefined) break;
        continue;
      }
      job.startedMs = now;
      job.left = server.workMs(random, now);
      running.add(job);
      adaptive?.began(now - job.arrivedMs);
    }
  };
  start();
  while (now < endMs) {
    const speed = server.speed(running.size, now) * disturbed(now);
    let first: Job | null = null;
    for (const job of running) if (first === null || job.left < first.left) first = job;
    // A change of the server's speed in between is seen within 5 ms.
    const toEnd = first === null ? 5 : Math.min(5, first.left / speed);
    const stepMs = Math.max(0, Math.min(toEnd, nextArrival - now, endMs - now));
    for (const job of running) job.left -= stepMs * speed;
    now += stepMs;
    if (now >= nextArrival) {
      arrive();
      nextArrival = now + exponential(1000 / (load.perSecond as (ms: number) => number)(now));
    }
    for (const job of [...running]) {
      if (job.left > 1e-9) continue;
      running.delete(job);
      if (now >= warmUpSeconds * 1000) totals.push(now - job.arrivedMs);
      adaptive?.ended(now, now - job.startedMs, running.size + 1, queue.length - head);
      if (load.callers !== undefined) arrive();
      if (size() !== sizes.at(-1)) sizes.push(size());
    }
    start();
  }
  totals.sort((a, b) => a - b);
  return {
    perSecond: totals.length / (seconds - warmUpSeconds),
    meanMs: totals.reduce((sum, each) => sum + each, 0) / totals.length,
    p99Ms: totals[Math.floor(totals.length * 0.99)] ?? 0,
    refused,
    sizes,
    reversals: adaptive?.figures().reversals ?? 0,
    finalSize: size(),
    settled: adaptive?.settled ?? size(),
    reason: adaptive?.figures().reason ?? 'fixed',
  };
}

/** Mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
