// One measurement in a process of its own: `node --expose-gc child.mjs JOB`, with the job as JSON; the figures come
// out as one line of JSON. Nothing that another pool has left behind (its shapes, its garbage) can matter here.
import { writeSync } from 'node:fs';
import { contenders } from './contenders.mjs';
import { measureParts } from './parts.mjs';

/**
 * @typedef {{ workers: number, holds: boolean }} Load
 * @typedef {{ kind: 'cycles', contender: string, build: string, load: Load, warmUpMs: number, ms: number }} CyclesJob
 * @typedef {{ kind: 'bytes', contender: string, build: string, load: Load }} BytesJob
 * @typedef {{ kind: 'storm', contender: string, build: string, waiters: number, timeoutMs: number }} StormJob
 * @typedef {{ kind: 'parts', build: string }} PartsJob
 * @typedef {CyclesJob | BytesJob | StormJob | PartsJob} Job
 *
 * @typedef {{ perSecond: number, cpuUs: number }} Cycles
 * @typedef {{ bytes: number | null }} Bytes
 * @typedef {{ enqueuedMs: number, settledMs: number, gapMs: number, idleGapMs: number, rejected: number,
 *   leasesOut: number }} Storm
 */

const SIZE = 10;
/** Longer than any run: no acquire of a cycle is to time out. */
const TIMEOUT_MS = 60_000;
/** Cycles between two turns of the event loop, in which timers and finalizers get their chance. */
const PORTION = 50_000;

const collectGarbage = globalThis.gc ?? (() => {});
const turn = () => new Promise((resolve) => void setImmediate(resolve));

/** @type {Job} */
const job = JSON.parse(process.argv[2] ?? '');
writeSync(1, `${JSON.stringify(await measure(job))}\n`);
// Some peers are still busy with requests that timed out long ago; their figures are taken.
process.exit();

/** @param {Job} job */
function measure(job) {
  switch (job.kind) {
    case 'cycles':
      return measureCycles(job);
    case 'bytes':
      return measureBytes(job);
    case 'storm':
      return measureStorm(job);
    case 'parts':
      return measureParts(job.build);
  }
}

/**
 * Acquire and release, over and over.
 * @param {CyclesJob} job
 * @returns {Promise<Cycles>}
 */
async function measureCycles({ contender, build, load, warmUpMs, ms }) {
  const pool = await openFull(contender, build, SIZE, TIMEOUT_MS);
  await cycleFor(pool, load, warmUpMs);
  collectGarbage();
  await turn();
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const cycles = await cycleFor(pool, load, ms);
  const { user, system } = process.cpuUsage(cpuBefore);
  const tookMs = performance.now() - startedAt;
  return { perSecond: (cycles / tookMs) * 1000, cpuUs: (user + system) / cycles };
}

/**
 * @param {import('./contenders.mjs').OpenPool} pool
 * @param {Load} load
 * @param {number} ms
 */
async function cycleFor(pool, load, ms) {
  const until = performance.now() + ms;
  let cycles = 0;
  while (performance.now() < until) {
    await runPortion(pool, load, PORTION);
    cycles += PORTION;
    await turn();
  }
  return cycles;
}

/**
 * @param {import('./contenders.mjs').OpenPool} pool
 * @param {Load} load
 * @param {number} cycles
 */
async function runPortion(pool, { workers, holds }, cycles) {
  let left = cycles;
  const withoutHold = async () => {
    while (left-- > 0) pool.release(await pool.acquire());
  };
  // A hold over one microtask: with that, and more workers than resources, the pool really is exhausted.
  const withHold = async () => {
    while (left-- > 0) {
      const held = await pool.acquire();
      await undefined;
      pool.release(held);
    }
  };
  await Promise.all(Array.from({ length: workers }, holds ? withHold : withoutHold));
}

/**
 * Heap used by one cycle: the growth over a few cycles with no collection in between; null if there was one.
 * @param {BytesJob} job
 * @returns {Promise<Bytes>}
 */
async function measureBytes({ contender, build, load }) {
  const pool = await openFull(contender, build, SIZE, TIMEOUT_MS);
  await cycleFor(pool, load, 150);
  /** @type {number[]} */
  const samples = [];
  for (let round = 0; round < 5; round++) {
    await turn();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    await runPortion(pool, load, 10_000);
    samples.push((process.memoryUsage().heapUsed - before) / 10_000);
  }
  const grown = samples.filter((bytes) => bytes >= 0).sort((a, b) => a - b);
  return { bytes: grown[grown.length >> 1] ?? null };
}

/**
 * Many acquires on a pool that is all lent out, and stays so: all of them time out together.
 * @param {StormJob} job
 * @returns {Promise<Storm>}
 */
async function measureStorm({ contender, build, waiters, timeoutMs }) {
  const pool = await openFull(contender, build, SIZE, timeoutMs);
  const held = await Promise.all(Array.from({ length: SIZE }, () => pool.acquire()));
  collectGarbage();
  await turn();
  // What the machine does to a loop that has nothing to do, for comparison.
  const stopIdleProbe = probeGaps();
  await new Promise((resolve) => void setTimeout(resolve, timeoutMs));
  const idleGapMs = stopIdleProbe();
  let rejected = 0;
  const startedAt = performance.now();
  const acquires = Array.from({ length: waiters }, () =>
    pool.acquire().then(
      (late) => pool.release(late),
      () => {
        rejected++;
      },
    ),
  );
  const enqueuedMs = performance.now() - startedAt;
  // What the collector does about so many calls at once is over by then.
  await new Promise((resolve) => void setTimeout(resolve, timeoutMs / 2));
  const stopProbe = probeGaps();
  await Promise.all(acquires);
  const settledMs = performance.now() - startedAt;
  await turn();
  const gapMs = stopProbe();
  // Named here so that the leases stay reachable: ours would be reclaimed, and serve a waiter.
  return { enqueuedMs, settledMs, gapMs, idleGapMs, rejected, leasesOut: held.length };
}

/** Asks for turn after turn of the event loop; the answer of the returned function is the longest time between two. */
function probeGaps() {
  let longestMs = 0;
  let running = true;
  let last = performance.now();
  const probe = () => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
    if (running) setImmediate(probe);
  };
  setImmediate(probe);
  return () => {
    running = false;
    return longestMs;
  };
}

/**
 * A pool whose resources are all open, and idle.
 * @param {string} name
 * @param {string} build
 * @param {number} size
 * @param {number} timeoutMs
 */
async function openFull(name, build, size, timeoutMs) {
  const contender = contenders.find((each) => each.name === name);
  if (contender === undefined) throw new Error(`no contender is called ${name}`);
  const pool = await contender.open({ size, timeoutMs, build });
  const all = await Promise.all(Array.from({ length: size }, () => pool.acquire()));
  for (const held of all) pool.release(held);
  await turn();
  return pool;
}
