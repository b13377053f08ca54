import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runEmitted } from '../helpers/emitted.js';
import { type Slurm, startSlurm } from '../helpers/slurm.js';

let folder: string;
let slurm: Slurm | null = null;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-prove-'));
  slurm = await startSlurm();
});
afterAll(async () => {
  await slurm?.stop();
  await rm(folder, { recursive: true, force: true });
});

it('loadtest --emit slurm runs all segments in a job array, and merges them', async ({ skip }) => {
  if (slurm === null) return skip();
  const report = await runEmitted('slurm', folder, { ...slurm.env, START_IN: '15 sec' });
  expect(report).toMatch(/^ +1 .*\n +2 /m);
  expect(report).not.toContain('is missing');
}, 120_000);
