import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leaseRecording } from '../helpers/lease-recordings.js';
import { examine } from './bench.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-doctor-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function look(bytes: Buffer) {
  const file = join(folder, 'leases.rec');
  await writeFile(file, bytes);
  const { results } = await examine(['--recording', file, '--only=recorded-pool-size']);
  expect(results).toHaveLength(1);
  return results[0];
}

describe('recorded-pool-size', () => {
  it('warns of a pool that is too small, and its step is enough', async () => {
    const load = { perSecond: 120, seconds: 12 };
    const small = await look(leaseRecording({ ...load, size: 3 }));
    expect(small).toMatchObject({ status: 'warn', summary: expect.stringContaining('is too small') });
    const size = Number(/to (\d+)$/.exec(small?.fix?.steps[0]?.text ?? '')?.[1]);
    expect(size).toBeGreaterThan(3);
    expect(await look(leaseRecording({ ...load, size }))).toMatchObject({ status: 'pass' });
  });

  it('warns of a pool that is far too large', async () => {
    const large = await look(leaseRecording({ perSecond: 60, seconds: 12, size: 40 }));
    expect(large).toMatchObject({
      status: 'warn',
      summary: expect.stringContaining('larger than it needs to be'),
    });
    expect(large?.fix?.steps[0]?.text).toMatch(/^lower the size of the pool .* from 40 to \d+$/);
  });

  it('skips a recording that is too short, and a file that is none', async () => {
    expect(await look(leaseRecording({ seconds: 0.2 }))).toMatchObject({ status: 'skipped' });
    expect(await look(Buffer.from('my notes'))).toMatchObject({
      status: 'skipped',
      summary: expect.stringContaining('is not a recording'),
    });
  });
});
