import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testIo } from '../helpers/io.js';
import { draw } from './made-up-command.js';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'poolctl-output-'));
});
afterEach(() => rm(cwd, { recursive: true }));

const read = (file: string) => readFile(join(cwd, file), 'utf8');

describe('the result', () => {
  it('goes to stdout, remarks go to stderr', async () => {
    const io = testIo();
    await draw([], io, async (context) => {
      context.warn('a remark');
      context.log('a detail');
      await context.write('result\n');
      return 0;
    });
    expect([io.out(), io.err()]).toEqual(['result\n', 'poolctl: a remark\n']);
  });

  it.each([
    [['-v'], 'poolctl: a remark\na detail\n'],
    [['-q'], ''],
    [['-qv'], ''],
  ])('has remarks as %j wants them', async (argv, err) => {
    const io = testIo();
    await draw(argv, io, async (context) => {
      context.warn('a remark');
      context.log('a detail');
      return 0;
    });
    expect(io.err()).toBe(err);
  });

  it('goes to a file that replaces the old one only when it is there', async () => {
    await writeFile(join(cwd, 'old.txt'), 'the old result, which was longer');
    const io = testIo({ cwd });
    await draw(['-o', 'old.txt'], io, async (context) => {
      expect(await read('old.txt')).toContain('the old result');
      await context.write('new ');
      await context.write('result');
      return 0;
    });
    expect(await read('old.txt')).toBe('new result');
    expect(io.out()).toBe('');
  });

  it('keeps the old file, and makes no empty new one, when the command fails', async () => {
    await writeFile(join(cwd, 'old.txt'), 'old');
    for (const file of ['old.txt', 'new.txt']) {
      await draw(['-o', file], testIo({ cwd }), () => Promise.reject(new Error('no result')));
    }
    expect(await read('old.txt')).toBe('old');
    expect(existsSync(join(cwd, 'new.txt'))).toBe(false);
  });

  it('goes through a link into its target', async () => {
    await writeFile(join(cwd, 'real.txt'), 'old');
    await symlink('real.txt', join(cwd, 'link.txt'));
    await draw(['-o', 'link.txt'], testIo({ cwd }), (context) => context.write('new').then(() => 0 as const));
    expect(await read('real.txt')).toBe('new');
  });

  it('is on stdout for -', async () => {
    const io = testIo({ cwd });
    await draw(['-o', '-'], io, (context) => context.write('new').then(() => 0 as const));
    expect(io.out()).toBe('new');
  });

  it.each([
    ['missing/out.txt', 'its directory does not exist'],
    ['folder', 'it is a directory'],
    ['file/out.txt', 'part of its path is not a directory'],
  ])('cannot go to %s, which is said before anything runs', async (file, reason) => {
    await mkdir(join(cwd, 'folder'));
    await writeFile(join(cwd, 'file'), '');
    const io = testIo({ cwd });
    const { exitCode, context } = await draw(['-o', file], io);
    expect(exitCode).toBe(3);
    expect(context).toBeNull();
    expect(io.err()).toContain(`poolctl: the output ${file} cannot be opened: ${reason} (ERR_OUTPUT)`);
  });

  it.skipIf(!existsSync('/dev/full'))('is not lost when the file cannot take it', async () => {
    const io = testIo({ cwd });
    const { exitCode } = await draw(['-o', '/dev/full'], io, (context) =>
      context.write('result').then(() => 0 as const),
    );
    expect(exitCode).toBe(3);
    expect(io.out()).toBe('result');
    expect(io.err()).toContain(
      'the output /dev/full cannot be written: no space left on the device (ERR_OUTPUT)',
    );
    expect(io.err()).toContain('hint: the result is on stdout instead');
  });

  it('is drawn for where it goes', async () => {
    const place = async (argv: string[], env: Record<string, string> = {}) => {
      const io = testIo({ cwd, isTty: true, columns: 120, env });
      return (await draw(argv, io)).context?.render;
    };
    expect(await place([])).toEqual({ color: true, unicode: true, width: 120, cwd });
    expect(await place(['-o', 'x'])).toEqual({ color: false, unicode: true, width: 80, cwd });
    expect(await place(['-o', 'x', '--color'])).toMatchObject({ color: true });
    expect(await place(['--no-color'])).toMatchObject({ color: false });
  });
});

describe('an interrupt', () => {
  it('before the result makes it a partial one, whatever the verdict', async () => {
    const io = testIo();
    const { exitCode } = await draw([], io, async (context) => {
      io.interrupts.receive('SIGINT');
      await context.write('partial');
      return 1;
    });
    expect(exitCode).toBe(130);
  });

  it('by hand is answered on a terminal', async () => {
    const io = testIo({ isTty: true });
    await draw([], io, async () => {
      io.interrupts.receive('SIGINT');
      return 0;
    });
    expect(io.err()).toBe('poolctl: stopping; Ctrl-C again gives up at once\n');
  });

  it('after the result changes nothing', async () => {
    const io = testIo();
    const { exitCode } = await draw([], io, async (context) => {
      await context.write('all');
      io.interrupts.receive('SIGINT');
      return 1;
    });
    expect(exitCode).toBe(1);
  });

  it('is the code of a command that gave no result', async () => {
    const io = testIo();
    const { exitCode } = await draw([], io, async () => {
      io.interrupts.receive('SIGTERM');
      return 0;
    });
    expect(exitCode).toBe(143);
  });
});
