import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { poolctl } from '../helpers/bin.js';
import { startInTerminal, type TerminalRun } from '../helpers/terminal.js';

const LEAK = `import { Pool } from 'pg';
const pool = new Pool();
export async function orders() {
  const client = await pool.connect();
  await client.query('select 1');
  client.release();
}
`;
const MENDED = LEAK.replace("  await client.query('select 1');\n", '');

let folder: string;
let run: TerminalRun;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-watch-'));
  await put('src/a.ts', LEAK);
  run = startInTerminal(['audit-leaks', folder, '--watch'], { columns: 120, rows: 40 });
  await run.shows(/1 leak in 1 file[\s\S]*watching for changes/);
});
afterEach(async () => {
  run.signal('SIGTERM');
  await run.ended;
  await rm(folder, { recursive: true, force: true });
});

async function put(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

describe('audit-leaks --watch', () => {
  it('reports what is new and what is gone, on a screen that was cleared', async () => {
    await put('src/a.ts', MENDED);
    await run.shows(/no leaks in 1 file[\s\S]*no new findings, 1 gone[\s\S]*- .*a\.ts:4/);
    expect(run.screen().join('\n')).not.toContain('1 leak in');
    await put('src/deep/b.ts', LEAK);
    await run.shows(/1 leak in 2 files[\s\S]*1 new finding, none gone[\s\S]*\+ .*b\.ts:4/);
    // The finding only moves.
    await put('src/deep/b.ts', `// One line more.\n${LEAK}`);
    await run.shows(/b\.ts:5:[\s\S]*no finding changed/);
  });

  it('survives an editor that replaces files, syntax errors, and a deleted folder that comes back', async () => {
    await put('src/a.ts.tmp', MENDED);
    await rename(join(folder, 'src/a.ts.tmp'), join(folder, 'src/a.ts'));
    await run.shows(/no leaks in 1 file/);
    await put('src/a.ts', `${LEAK}}}} function (`);
    await run.shows(/1 leak in 1 file[\s\S]*syntax error/);
    await rm(join(folder, 'src'), { recursive: true });
    await run.shows(/no leaks in no files/);
    await put('src/a.ts', LEAK);
    await run.shows(/1 leak in 1 file/);
    await rm(folder, { recursive: true });
    await run.shows(/no leaks in no files/);
    await put('src/a.ts', LEAK);
    await run.shows(/1 leak in 1 file/);
  });

  it('ends with 0 on Ctrl-C', async () => {
    run.type('\u0003');
    expect(await run.ended).toBe(0);
  });
});

it('refuses what it cannot be combined with', async () => {
  const { code, stderr } = await poolctl(['audit-leaks', '--watch', '--fix'], { cwd: tmpdir() });
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining('--watch does not go with --fix'),
  });
});
