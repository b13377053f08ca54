import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bin, root } from './helpers/bin.js';
import { documentOf, fencesOf } from './helpers/documents.js';
import { describeWithPgBouncer, startPgBouncer } from './helpers/pgbouncer.js';
import { connectAdmin, newDatabase } from './helpers/postgres.js';

const run = promisify(execFile);

/** The first output that an example's README shows, of a `text` fence. */
function shownBy(example: string): string {
  return (
    fencesOf(documentOf(`examples/${example}/README.md`)).find(({ language }) => language === 'text')?.code ??
    ''
  );
}

/** Whether the packages of an example are installed, which `.ci/run` does. Says so where they are not. */
function isInstalled(example: string): boolean {
  if (existsSync(join(root, 'examples', example, 'node_modules'))) return true;
  if (process.env.POOLCTL_REQUIRE_EXAMPLES === '1') throw new Error(`examples/${example} is not installed`);
  process.stderr.write(`not tested: examples/${example} (run npm install there)\n`);
  return false;
}

/** A server of an example, from its first line on, which names its address. */
async function startServer(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, argv, {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const read = (text: string) => {
      output += text;
      const [, found] = /listening on (\S+)\n/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    void ended.then(() => reject(new Error(`the server ended:\n${output}`)));
  });
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

describe('the example', () => {
  it.each(['trading', 'feed'])('%s prints what its README shows', async (example) => {
    const { stdout } = await run(process.execPath, [join(root, 'examples', example, 'app.js')]);
    expect(stdout).toBe(shownBy(example));
  });

  it('express-pgbouncer has the leak that the README shows', async () => {
    const audit = (path: string) =>
      run(process.execPath, [bin, 'audit-leaks', path, '--no-cache'], { cwd: root }).catch((error) => error);
    const { code, stdout } = await audit('examples/express-pgbouncer');
    expect(code).toBe(1);
    // The README shows its first lines.
    const shown = fencesOf(documentOf('README.md')).find(({ language }) => language === 'console');
    const lines = shown?.code.split('\n').slice(1, -1) ?? [];
    expect(lines.length).toBe(3);
    for (const line of lines) expect(stdout.split('\n')).toContain(line);
  });

  it.runIf(isInstalled('nestjs'))('nestjs answers with a session per request, and leaks none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-nestjs-'));
    const server = await startServer(
      ['node_modules/tsx/dist/cli.mjs', 'main.ts'],
      join(root, 'examples/nestjs'),
      { DATABASE_URL: `sqlite:${join(folder, 'orders.db')}` },
    );
    try {
      const ask = async (path: string) => (await fetch(`${server.url}${path}`)).text();
      const answers = [await ask('/revenue/2026-01-02'), await ask('/pool')];
      expect(answers.map((line) => `${line}\n`).join('')).toBe(shownBy('nestjs'));
    } finally {
      await server.stop();
      await rm(folder, { recursive: true });
    }
  });
});

describeWithPgBouncer('the example express-pgbouncer', () => {
  it.runIf(isInstalled('express-pgbouncer'))('runs dry, and top names the line', async () => {
    const database = await newDatabase();
    const admin = await connectAdmin(database.name);
    const bouncer = await startPgBouncer({ default_pool_size: 4 });
    const folder = join(root, 'examples/express-pgbouncer');
    const runtime = await mkdtemp(join(tmpdir(), 'poolctl-example-'));
    const env = { XDG_RUNTIME_DIR: runtime, PATH: process.env.PATH ?? '' };
    try {
      await admin.query(await readFile(join(folder, 'schema.sql'), 'utf8'));
      const server = await startServer([bin, 'run', '--leak-after', '1s', '--', 'node', 'start.js'], folder, {
        ...env,
        DATABASE_URL: database.url({ port: bouncer.port }),
      });
      try {
        expect(((await (await fetch(`${server.url}/orders`)).json()) as unknown[]).length).toBe(10_000);
        for (let at = 0; at < 5; at++) expect((await fetch(`${server.url}/revenue/never`)).status).toBe(500);
        // Waits until the pool of the example gives up.
        expect((await fetch(`${server.url}/revenue/2026-01-05`)).status).toBe(500);
        const { stdout } = await run(process.execPath, [bin, 'top', '--once'], { cwd: folder, env });
        expect(stdout.split('\n')[0]).toMatch(/5 of 5 leases held .*server\.js:18/);
      } finally {
        await server.stop();
      }
    } finally {
      await bouncer.stop();
      await admin.end();
      await rm(runtime, { recursive: true });
    }
  });
});
