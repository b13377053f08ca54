import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bin, start } from '../helpers/bin.js';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'poolctl-dotenv-'));
  await writeFile(join(cwd, '.env'), 'DB_POOL_SIZE=7\nGREETING="good day"\nNODE_OPTIONS=--no-warnings\n');
});
afterAll(() => rm(cwd, { recursive: true }));

const run = (argv: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  start(bin, argv, { cwd, env }).finished;

// In a process of its own: only there Node takes part.
describe('a file of variables', () => {
  it('is read by --dotenv', async () => {
    const { code, stdout } = await run(['loadtest', '--print-config', '--dotenv', '.env']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^poolSize +7 +environment: DB_POOL_SIZE in \.env$/m);
  });

  it('reaches the application of poolctl run, whose own variables win', async () => {
    const print = 'process.stdout.write([process.env.GREETING, process.env.DB_POOL_SIZE].join())';
    const argv = ['run', '--dotenv', '.env', '--', process.execPath, '-e', print];
    expect(await run(argv)).toMatchObject({ code: 0, stdout: 'good day,7' });
    expect(await run(argv, { DB_POOL_SIZE: '9' })).toMatchObject({ code: 0, stdout: 'good day,9' });
  });

  it('is explained to who names it by the option of Node', async () => {
    const { code, stdout, stderr } = await run(['loadtest', '--env-file', '.env']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      'poolctl: --env-file is an option of Node, which loads that file into this process before poolctl starts, NODE_OPTIONS included\n' +
        "  hint: to let poolctl read it, write --dotenv .env\nRun 'poolctl loadtest --help' for usage.\n",
    );
  });

  it('is left to Node behind --, where it is an option of the application', async () => {
    const argv = ['run', '--', process.execPath, '--env-file', '.env', '-p', 'process.env.GREETING'];
    expect(await run(argv)).toMatchObject({ code: 0, stdout: 'good day\n' });
  });
});
