import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bin, start } from '../helpers/bin.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-interrupt-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('ends at once by %s, though one function takes long', async (signal, code) => {
  const branches = Array.from({ length: 60_000 }, (_, at) => `  if (on[${at}]) await client.query('${at}');`);
  const text = `import { Pool } from 'pg';\nconst pool = new Pool();\nexport async function all(on: boolean[]) {\n  const client = await pool.connect();\n${branches.join('\n')}\n}\n`;
  await writeFile(join(folder, 'all.ts'), text);
  // Node says when it makes a thread.
  const run = start(bin, ['audit-leaks', '--no-cache'], { cwd: folder, env: { NODE_DEBUG: 'worker' } });
  await run.seen('WORKER');
  run.child.kill(signal);
  const ended = await run.finished;
  expect(ended).toMatchObject({ code, signal: null, stdout: '' });
  expect(ended.stderr).toContain(`stopped by ${signal}`);
});
