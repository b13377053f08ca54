import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dist, type RunOptions, start } from '../helpers/bin.js';

const script = join(import.meta.dirname, 'made-up-bin.mjs');
const env = { MADE_UP_EDGE: pathToFileURL(join(dist, 'bin/process-edge.js')).href };

/** Runs a poolctl with a made-up command in a process of its own. */
function attempt(argv: readonly string[], options: RunOptions = {}) {
  return start(script, ['try', ...argv], { ...options, env });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-edge-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the process', () => {
  it('ends by itself with the code of the verdict, and stdout has the result and nothing else', async () => {
    expect(await attempt(['succeed']).finished).toEqual({
      code: 0,
      signal: null,
      stdout: 'the result\n',
      stderr: '',
    });
    expect(await attempt(['fail']).finished).toMatchObject({ code: 1, stdout: 'the result\n' });
  });

  it('stays while a handle is open, since process.exit would cover up a leak', async () => {
    expect(await attempt(['leave-a-handle']).finished).toMatchObject({ code: 0, stderr: 'still here\n' });
  });

  it('writes all of a large result into a pipe', async () => {
    const { stdout, code } = await attempt(['write-a-lot']).finished;
    expect({ code, length: stdout.length }).toEqual({ code: 1, length: 5_000_000 });
  });

  it('ends quietly when nobody reads its result, with the code of the verdict', async () => {
    const { child, finished } = attempt(['write-a-lot'], { stdin: 'open' });
    child.stdout?.destroy();
    child.stdin?.end();
    expect(await finished).toMatchObject({ code: 1, signal: null, stderr: '' });
  });

  it.skipIf(!existsSync('/dev/full'))('says it when stdout cannot take the result', async () => {
    const full = await open('/dev/full', 'w');
    const { code, stderr } = await attempt(['succeed'], { stdout: full.fd }).finished;
    await full.close();
    expect(code).toBe(3);
    expect(stderr).toContain(
      'poolctl: the output stdout cannot be written: no space left on the device (ERR_OUTPUT)',
    );
  });

  it.skipIf(!existsSync('/proc/self/cmdline'))('does not show its arguments to others', async () => {
    const { child, finished, seen } = attempt(['hang', 'postgres://anna:s3cret@db/x']);
    await seen('ready');
    expect(await readFile(`/proc/${child.pid}/cmdline`, 'latin1')).not.toContain('s3cret');
    child.kill('SIGKILL');
    await finished;
  });
});

describe('an interrupt', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s stops the work, and the partial result is shown: exit %d', async (signal, code) => {
    const { child, finished, seen } = attempt(['drain-when-stopped']);
    await seen('ready');
    child.kill(signal);
    expect(await finished).toEqual({ code, signal: null, stdout: 'partial\n', stderr: 'ready\ndraining\n' });
  });

  it('gives up at the second', async () => {
    const { child, finished, seen } = attempt(['give-up-when-aborted']);
    await seen('ready');
    child.kill('SIGINT');
    await seen('draining');
    child.kill('SIGINT');
    const stderr = 'ready\ndraining\npoolctl: stopped by SIGINT\n';
    expect(await finished).toEqual({ code: 130, signal: null, stdout: '', stderr });
  });

  it('ends even a command that hangs at the third', async () => {
    const { child, finished, seen } = attempt(['hang']);
    await seen('ready');
    child.kill('SIGINT');
    await seen('stopped');
    child.kill('SIGINT');
    await seen('aborted');
    child.kill('SIGINT');
    expect(await finished).toMatchObject({ signal: 'SIGINT' });
  });

  it('does not change a verdict that is out', async () => {
    const { child, finished, seen } = attempt(['be-stopped-after-the-result']);
    await seen('ready');
    child.kill('SIGINT');
    expect(await finished).toMatchObject({ code: 1, stdout: 'the result\n' });
  });
});

describe('a defect', () => {
  it('of a command is told with its stack and without its passwords', async () => {
    const { code, stdout, stderr } = await attempt(['throw']).finished;
    expect({ code, stdout }).toEqual({ code: 70, stdout: '' });
    expect(stderr).toContain('poolctl: something went wrong inside poolctl; this is a defect in poolctl');
    expect(stderr).toContain('TypeError: x of postgres://anna:***@db/y is not a function');
    expect(stderr).toContain('made-up-bin.mjs');
    expect(stderr).toContain(`Node ${process.version}`);
    expect(stderr).not.toContain('s3cret');
  });

  it.each([
    ['throw-later', 'Error: thrown later'],
    ['reject-later', 'Error: rejected later'],
  ])('that nobody caught is exit 70 too, though the command went on: %s', async (behaviour, message) => {
    const { code, stderr } = await attempt([behaviour]).finished;
    expect(code).toBe(70);
    expect(stderr).toContain(message);
    expect(stderr).toContain('a defect in poolctl');
  });

  it('ends the process even where something holds it open', async () => {
    const { code, signal, stderr } = await attempt(['throw-later-and-hang']).finished;
    expect({ code, signal }).toEqual({ code: 70, signal: null });
    expect(stderr).toContain('did not end by itself');
  });
});
