import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeRecording } from '../../src/leases/decoder.js';
import { LeaseEncoder } from '../../src/leases/encoder.js';
import { clearRecording } from '../../src/leases/file.js';
import { MAGIC, Meta } from '../../src/leases/format.js';
import { Fate } from '../../src/leases/recording.js';
import { BlockFile } from '../../src/watch/record/block-file.js';

const FACTS = {
  ...{ name: 'orders', driver: 'pg', library: 'pg', size: 8 },
  ...{ acquireTimeoutMs: 5000, maxIdleMs: 10_000, leakAfterMs: 60_000 },
};

interface Call {
  readonly gapUs: number;
  readonly heldUs: number;
  readonly waitedUs: number;
  readonly site: number;
}

/** A recording of these leases, which come back in their order. */
function recorded(calls: readonly Call[], sites = 3): Buffer {
  const blocks: Buffer[] = [MAGIC];
  const encoder = new LeaseEncoder((block) => blocks.push(block));
  encoder.meta(Meta.Process, 0, { app: 'shop', pid: 7, node: 'v20', startedAtMs: 1 });
  for (let site = 0; site < sites; site++) encoder.site(site, 0, 0, site === 0 ? null : `app.js:${site}`);
  encoder.pool(0, 0, FACTS);
  let atUs = 0;
  for (const { gapUs, heldUs, waitedUs, site } of calls) {
    atUs += gapUs;
    encoder.lease(site, atUs, heldUs, waitedUs);
  }
  encoder.meta(Meta.End, atUs, 'exit');
  const last = encoder.take();
  if (last !== null) blocks.push(last);
  return Buffer.concat(blocks);
}

const call = fc.record({
  gapUs: fc.integer({ min: 0, max: 2 ** 36 }),
  heldUs: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 2 ** 36 })),
  waitedUs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 33 })),
  site: fc.integer({ min: 0, max: 2 }),
});

describe('a recording of leases', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const { pools, end, lostBytes, process } = decodeRecording(recorded(calls), 'a.rec');
        expect({ end, lostBytes, app: process?.app }).toEqual({ end: 'exit', lostBytes: 0, app: 'shop' });
        const [pool] = pools;
        let atUs = 0;
        const wanted = calls
          .map(({ gapUs, heldUs, waitedUs, site }) => {
            atUs += gapUs;
            return { asked: atUs - heldUs - waitedUs, heldUs, waitedUs, site };
          })
          .sort((one, other) => one.asked - other.asked);
        expect(pool?.leases.count).toBe(wanted.length);
        for (const [i, { asked, heldUs, waitedUs, site }] of wanted.entries()) {
          expect(pool?.leases.askedMs[i]).toBeCloseTo(asked / 1000, 6);
          if (wanted.filter((one) => one.asked === asked).length > 1) continue;
          expect(pool?.leases.heldMs[i]).toBeCloseTo(heldUs / 1000, 6);
          expect(pool?.leases.waitedMs[i]).toBeCloseTo(waitedUs / 1000, 6);
          expect(pool?.sites[pool.leases.site[i] ?? 0]).toBe(site === 0 ? null : `app.js:${site}`);
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('takes less than 12 bytes a lease, at 30,000 a second with holds up to 100 ms', () => {
    const calls = Array.from({ length: 30_000 }, (_, at) => ({
      gapUs: 20 + (at % 30),
      heldUs: (at * 7919) % 100_000,
      waitedUs: (at * 104_729) % 50_000,
      site: at % 3,
    }));
    expect(recorded(calls).length / calls.length).toBeLessThan(10);
  });

  it('is readable up to its last whole block wherever it is cut off', () => {
    const calls = Array.from({ length: 20_000 }, () => ({ gapUs: 30, heldUs: 900, waitedUs: 5, site: 1 }));
    const whole = recorded(calls);
    for (const share of [0.2, 0.5, 0.77, 0.999]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      const { pools, end, lostBytes } = decodeRecording(cut, 'a.rec');
      expect(end).toBeNull();
      const count = pools[0]?.leases.count ?? 0;
      expect(count).toBeLessThan(calls.length * share + 1);
      expect(lostBytes).toBeLessThan(64 << 10);
      expect(count).toBeGreaterThan((cut.length - (64 << 10)) / 10);
    }
  });

  it('leaves out a block that was changed, and keeps the others', () => {
    const calls = Array.from({ length: 20_000 }, () => ({ gapUs: 30, heldUs: 900, waitedUs: 5, site: 1 }));
    const bytes = recorded(calls);
    const before = decodeRecording(bytes, 'a.rec').pools[0]?.leases.count ?? 0;
    // In the second block: the first has the names of pools and sites.
    const at = MAGIC.length + 8 + bytes.readUInt32LE(MAGIC.length) + 100;
    bytes[at] = (bytes[at] ?? 0) ^ 255;
    const { pools, lostBytes } = decodeRecording(bytes, 'a.rec');
    expect(lostBytes).toBeGreaterThan(1000);
    expect(pools[0]?.leases.count).toBeLessThan(before);
    expect(pools[0]?.leases.count).toBeGreaterThan(before / 3);
  });

  it('is readable where the disk has only zeros for its end, as after a power cut', () => {
    const bytes = recorded([{ gapUs: 5, heldUs: 10, waitedUs: 1, site: 1 }]);
    const { pools, lostBytes } = decodeRecording(Buffer.concat([bytes, Buffer.alloc(4096)]), 'x.rec');
    expect(pools[0]?.leases.count).toBe(1);
    expect(lostBytes).toBe(4096);
  });

  it('has those that are still out, and those that gave up', () => {
    const blocks: Buffer[] = [MAGIC];
    const encoder = new LeaseEncoder((block) => blocks.push(block));
    encoder.site(0, 0, 0, 'app.js:1');
    encoder.pool(0, 0, FACTS);
    encoder.gauge(0, 1_000_000, { live: 1, idle: 0, inUse: 1, waiting: 0 });
    encoder.open(0, 1_000_000, 900_000, 0, false);
    encoder.gaveUp(0, 2_000_000, 1, 500_000);
    encoder.gauge(0, 3_000_000, { live: 2, idle: 0, inUse: 2, waiting: 0 });
    encoder.open(0, 3_000_000, 2_900_000, 0, false);
    encoder.open(0, 3_000_000, 1_500_000, 100_000, true);
    blocks.push(encoder.take() as Buffer);
    const leases = decodeRecording(Buffer.concat(blocks), 'a.rec').pools[0]?.leases;
    const rows = Array.from({ length: leases?.count ?? 0 }, (_, at) => ({
      askedMs: leases?.askedMs[at],
      heldMs: leases?.heldMs[at],
      waitedMs: leases?.waitedMs[at],
      fate: leases?.fate[at],
    }));
    expect(rows).toEqual([
      { askedMs: 100, heldMs: 2900, waitedMs: 0, fate: Fate.Out },
      { askedMs: 1400, heldMs: 1500, waitedMs: 100, fate: Fate.OnPurpose },
      { askedMs: 1500, heldMs: 0, waitedMs: 500, fate: Fate.GaveUp },
    ]);
  });
});

describe('the file of a recording', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-leases-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('has every block that was appended when it is closed, in order', async () => {
    const path = join(folder, 'blocks.rec');
    const file = new BlockFile(path, 1 << 20, () => {});
    const blocks = Array.from({ length: 50 }, (_, at) => Buffer.alloc(1000 + at, at));
    for (const block of blocks) expect(file.append(block)).toBe(true);
    file.close();
    expect((await readFile(path)).equals(Buffer.concat([MAGIC, ...blocks]))).toBe(true);
  });

  it('never grows beyond its limit, and is never taken from another', async () => {
    const path = join(folder, 'limit.rec');
    const file = new BlockFile(path, 5000, () => {});
    const taken = Array.from({ length: 10 }, () => file.append(Buffer.alloc(1000, 1)));
    expect(taken.filter(Boolean)).toHaveLength(4);
    file.close();
    expect((await stat(path)).size).toBeLessThanOrEqual(5000);
    expect(() => new BlockFile(path, 5000, () => {})).toThrow('EEXIST');
  });

  it('replaces an earlier recording only', async () => {
    const [old, other] = [join(folder, 'old.rec'), join(folder, 'notes.txt')];
    await writeFile(old, recorded([]));
    await writeFile(other, 'my notes');
    await clearRecording(old);
    await expect(stat(old)).rejects.toThrow('ENOENT');
    await expect(clearRecording(other)).rejects.toThrow('is not a recording of leases');
    expect(await readFile(other, 'utf8')).toBe('my notes');
    expect(() => decodeRecording(Buffer.from('my notes'), 'notes.txt')).toThrow('is not a recording');
  });
});
