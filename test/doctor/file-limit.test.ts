import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import type { CheckResult } from '../../src/doctor/types.js';
import { dist, root } from '../helpers/bin.js';
import { examine } from './bench.js';

/** What the check says of an application whose pool has so many connections, and which may have 200 files open. */
async function look(max: number, folder: string): Promise<CheckResult | undefined> {
  const watchModule = pathToFileURL(join(dist, 'src/watch/index.js')).href;
  const app = [join(root, 'test/sources/app.mjs'), watchModule, 'shop', 'postgres://x@127.0.0.1:1/y'];
  const child = spawn('sh', ['-c', 'ulimit -n 200; exec "$@"', 'sh', process.execPath, ...app, String(max)], {
    env: { PATH: process.env.PATH, XDG_RUNTIME_DIR: folder },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { address } = JSON.parse(line) as { readonly address: string };
    return (await examine([`pool:${address}`, '--only=app-file-limit'])).results[0];
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

it.skipIf(process.platform !== 'linux')('app-file-limit: more connections than files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-doctor-'));
  try {
    const before = await look(500, folder);
    expect(before).toMatchObject({ status: 'fail', summary: 'up to 564 files, limit 200' });
    expect(before?.evidence).toEqual(['shop: 500', expect.stringMatching(/^ulimit -n 200, \d+ open$/)]);
    const [, max = ''] = /set max: (\d+)$/.exec(before?.fix?.steps[0]?.text ?? '') ?? [];
    expect(await look(Number(max), folder)).toMatchObject({
      status: 'pass',
      summary: 'up to 200 files, limit 200',
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
