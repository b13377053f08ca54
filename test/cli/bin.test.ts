import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { allCommands } from '../../src/cli/command.js';
import { bin, poolctl, root, start } from '../helpers/bin.js';

describe('the built poolctl', () => {
  it('tells the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await poolctl(['--version'])).toEqual({
      code: 0,
      signal: null,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  it('lists every command in its help, within 80 columns', async () => {
    const { code, stdout, stderr } = await poolctl(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const [name, { summary }] of Object.entries(commands)) {
      expect(stdout).toContain(name);
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain(summary);
    }
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('says on stderr what it did not understand, and exits with 2', async () => {
    expect(await poolctl(['laodtest'])).toMatchObject({ code: 2, stdout: '' });
    expect(await poolctl(['--hlep'])).toMatchObject({ code: 2, stdout: '' });
  });

  it.each(Object.entries(allCommands(commands)))(
    'explains %s, whose name and summary are those of the list',
    async (name, entry) => {
      expect(await entry.load()).toMatchObject({ name, summary: entry.summary });
      const { code, stdout } = await poolctl([...name.split(' '), '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: poolctl ${name}`);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    },
  );

  it('says which Node it needs before anything fails on an older one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-bin-'));
    const older = join(folder, 'older.mjs');
    await writeFile(
      older,
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } });",
    );
    const nodeArgs = ['--import', pathToFileURL(older).href];
    const { code, stderr } = await start(bin, ['--version'], { nodeArgs }).finished;
    await rm(folder, { recursive: true });
    expect(code).toBe(3);
    expect(stderr).toContain('poolctl: needs Node 20.19 or newer');
  });

  it.skipIf(process.platform === 'win32')('works where the current directory is gone', async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'poolctl-gone-'));
    const argv = ['-c', `rmdir '${cwd}'; exec '${process.execPath}' '${bin}' --version`];
    const { status, stderr } = spawnSync('/bin/sh', argv, { cwd, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
