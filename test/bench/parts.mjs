import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { importQueuePool } from './contenders.mjs';

/**
 * @typedef {{ histogramRecordNs: number, performanceNowNs: number, clockNs: number, freshSnapshotUs: number,
 *   usedSnapshotUs: number }} Parts
 */

/** Keeps results alive, so that nothing is optimised away. */
let sink = 0;

/**
 * What the parts of a pool cost by themselves: nanoseconds for a recorded sample and a clock read, microseconds for
 * a snapshot of a pool with 10 idle resources (fresh; and after use, when its histograms hold something).
 * @param {string} build
 * @returns {Promise<Parts>}
 */
export async function measureParts(build) {
  /** @type {typeof import('../../src/base/histogram.js')} */
  const { Histogram } = await import(pathToFileURL(join(build, 'src/base/histogram.js')).href);
  /** @type {typeof import('../../src/base/clock.js')} */
  const { systemClock } = await import(pathToFileURL(join(build, 'src/base/clock.js')).href);
  const histogram = new Histogram();
  // Durations from 0 to 100 ms, most of them short, in an order that no branch predictor learns by heart.
  const samples = Float64Array.from({ length: 4096 }, () => 100 * Math.random() ** 4);
  const fresh = await openPool(build);
  const used = await openPool(build);
  for (let i = 0; i < 2000; i++) {
    const lease = await used.acquire();
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, (i / 100) % 5));
    lease.release();
  }
  const parts = {
    histogramRecordNs: nsPerCall(2_000_000, (i) => histogram.recordMs(samples[i & 4095] ?? 0)),
    performanceNowNs: nsPerCall(2_000_000, () => {
      sink += performance.now();
    }),
    clockNs: nsPerCall(2_000_000, () => {
      sink += systemClock.now();
    }),
    freshSnapshotUs:
      nsPerCall(5000, () => {
        sink += fresh.snapshot().idle;
      }) / 1000,
    usedSnapshotUs:
      nsPerCall(5000, () => {
        sink += used.snapshot().idle;
      }) / 1000,
  };
  return Number.isNaN(sink + histogram.count) ? Promise.reject(new Error('not measured')) : parts;
}

/**
 * The quickest of several series: what disturbs one only ever makes it slower.
 * @param {number} calls
 * @param {(i: number) => void} work
 */
function nsPerCall(calls, work) {
  let least = Number.POSITIVE_INFINITY;
  for (let series = 0; series < 7; series++) {
    const startedAt = performance.now();
    for (let i = 0; i < calls; i++) work(i);
    least = Math.min(least, ((performance.now() - startedAt) * 1e6) / calls);
  }
  return least;
}

/** @param {string} build */
async function openPool(build) {
  const { QueuePool } = await importQueuePool(build);
  const driver = { name: 'bench', create: async () => ({}), destroy() {} };
  const pool = new QueuePool({ driver, size: 10 });
  const leases = await Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
  for (const lease of leases) lease.release();
  return pool;
}
