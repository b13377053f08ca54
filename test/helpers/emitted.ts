import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { bin, poolctl } from './bin.js';

/** Slow enough that both segments have arrivals in the same time, however busy the machine is. */
const LOAD = ['--test-type=rate', '--rate=20/s', '--duration=2s', '--warmup=none', '--segment=auto/2'];

/** Runs the script of a scheduler in a folder of its own, and gives the report of its merge. */
export async function runEmitted(
  scheduler: string,
  folder: string,
  more: Readonly<Record<string, string>>,
): Promise<string> {
  const { code, stdout: script } = await poolctl(['loadtest', ...LOAD, `--emit=${scheduler}`]);
  expect(code).toBe(0);
  const place = await mkdtemp(join(folder, `${scheduler}-`));
  const own = join(place, 'bin');
  await mkdir(own);
  await symlink(bin, join(own, 'poolctl'));
  await writeFile(join(place, 'load.sh'), script);
  const env = { PATH: `${own}:${process.env.PATH}`, HOME: folder, LANG: 'C.UTF-8', ...more };
  // A busy machine may be too slow for a good verdict.
  const { stdout, stderr } = await promisify(execFile)('bash', ['load.sh'], { cwd: place, env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  const [made = ''] = (await readdir(place)).filter((name) => name.startsWith('load-'));
  const parts = (await readdir(join(place, made))).filter((name) => name.endsWith('.json'));
  expect([parts, stderr]).toEqual([['part-1.json', 'part-2.json'], expect.any(String)]);
  return stdout;
}
