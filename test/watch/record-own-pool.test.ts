import { expect, it } from 'vitest';
import { decodeRecording } from '../../src/leases/decoder.js';
import { MAGIC } from '../../src/leases/format.js';
import type { QueuePool } from '../../src/pool/queue-pool.js';
import { ownPool } from '../../src/watch/own-pool.js';
import { LeaseRecorder } from '../../src/watch/record/recorder.js';
import { follow, newPool } from '../helpers/pools.js';

/** A pool that measures waits for itself, and one that has no use for them. */
const POOLS = {
  'with histograms': {},
  'that reads no clock': { histograms: false, leakWatch: false, maxIdleMs: null, prePing: false },
} as const;

it.each(Object.entries(POOLS))('a pool of ours %s is recorded with its waits', async (_, options) => {
  const { pool, clock } = newPool({ size: 1, maxOverflow: 0, ...options });
  // Lent before the recording: nothing is known of its beginning.
  const before = await pool.acquire();
  const blocks: Buffer[] = [MAGIC];
  const about = { app: 'shop', pid: 7, node: 'v20', startedAtMs: 1 };
  const recorder = new LeaseRecorder(clock, about, (block) => blocks.push(block) > 0);
  ownPool(pool as unknown as QueuePool<object>, () => 'orders').record?.(recorder);
  const waiting = follow(pool.acquire(), clock);
  await clock.advance(30);
  before.release();
  await clock.settle();
  const next = follow(pool.acquire(), clock);
  await clock.advance(15);
  waiting.value?.release();
  await clock.settle();
  next.value?.release();
  recorder.end('exit');
  const [recorded] = decodeRecording(Buffer.concat(blocks), 'a.rec').pools;
  expect([...(recorded?.leases.waitedMs ?? [])]).toEqual([30, 15]);
  expect([...(recorded?.leases.heldMs ?? [])]).toEqual([15, 0]);
});
