import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { proofOf } from '../../src/base/token.js';
import type { Challenge, Hello, PublishedPools } from '../../src/watch/protocol.js';
import { bin, dist, type Running, root, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/guarded.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { TOKEN, TOKEN_ENV } from '../helpers/token.js';

const apps = join(root, 'test/watch/apps');

let folder: string;
const started: Running[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-run-'));
});
afterEach(async () => {
  for (const { child } of started.splice(0)) {
    child.stdin?.end();
    child.kill('SIGTERM');
  }
  await rm(folder, { recursive: true });
});

/** Runs a command under `poolctl run`; its sockets are in the test's own folder. */
function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const running = start(bin, ['run', ...argv], {
    stdin: 'open',
    env: { XDG_RUNTIME_DIR: folder, ...env },
  });
  started.push(running);
  return running;
}

interface Seen {
  readonly hello: Hello;
  readonly reading: PublishedPools;
}

/** What the process at that address publishes now. */
async function ask(...where: [path: string] | [port: number, host: string]): Promise<Seen> {
  const socket = where.length === 1 ? connect(where[0]) : connect(...where);
  try {
    const lines = createInterface(socket)[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
    if (where.length === 2) {
      const { challenge } = (await next()) as Challenge;
      socket.write(`${proofOf(TOKEN, challenge)}\n`);
    }
    const hello = (await next()) as Hello;
    socket.write('\n');
    return { hello, reading: (await next()) as PublishedPools };
  } finally {
    socket.destroy();
  }
}

const sockets = async (): Promise<string[]> => {
  const place = join(folder, 'poolctl');
  const names = existsSync(place) ? await readdir(place) : [];
  return names.sort().map((name) => join(place, name));
};

describeWithPostgres('an unmodified pg application under poolctl run', () => {
  let database: OwnDatabase;

  beforeAll(async () => {
    database = await newDatabase();
  });
  afterEach(() => database.empty());
  afterAll(() => database.allClosed());

  it('in CommonJS is published, with both of its leaks', async () => {
    const running = run(['--name', 'orders', '--', process.execPath, join(apps, 'shop.cjs'), '--own', 'x'], {
      DATABASE_URL: database.url(),
    });
    await running.seen('ready');
    const [path = ''] = await sockets();
    const { hello, reading } = await ask(path);
    expect(hello.app).toMatchObject({ name: 'orders', node: process.version });
    expect(hello.app.pid).not.toBe(running.child.pid);
    expect(reading).toMatchObject({
      gaps: [],
      pools: [
        {
          ...{ driver: 'pg', size: 4, inUse: 2, idle: 1, waiting: 0 },
          counters: { acquired: 3, released: 1, created: 3 },
          holders: [
            { site: expect.stringMatching(/shop\.cjs:7:\d+$/), lastSql: 'select 1 as orders', busy: false },
            { site: expect.stringMatching(/shop\.cjs:13:\d+$/), lastSql: 'select 2 as users' },
          ],
        },
      ],
    });
    running.child.stdin?.end();
    const { code, stdout, stderr } = await running.finished;
    expect({ code, stdout }).toEqual({ code: 5, stdout: '[{"n":3}] 0 --own,x\n' });
    expect(stderr).toMatch(
      /poolctl: 2 leases out at exit\n {2}\S+: 2 of 4\n {4}1 acquired at \S+shop\.cjs:7:\d+, for \S+, last: select 1 as orders\n {4}1 acquired at \S+shop\.cjs:13:/,
    );
    expect(await sockets()).toEqual([]);
  });

  it('as an ES module is too, and two leaks of one place are one line', async () => {
    const running = run(['--', process.execPath, join(apps, 'shop.mjs')], { DATABASE_URL: database.url() });
    await running.seen('ready');
    const [path = ''] = await sockets();
    const { hello, reading } = await ask(path);
    expect(hello.app.name).toBe('poolctl');
    expect(reading.pools[0]).toMatchObject({ inUse: 2, holders: [{}, {}] });
    running.child.stdin?.end();
    const { code, stderr } = await running.finished;
    expect(code).toBe(5);
    expect(stderr).toMatch(
      /poolctl: 2 leases out at exit\n.*: 2 of 4\n {4}2 acquired at \S+shop\.mjs:7:\d+, for/,
    );
  });

  it('is watched by an import alone, without poolctl run', async () => {
    const register = pathToFileURL(join(dist, 'src/watch/register.js')).href;
    const running = start(join(apps, 'shop.mjs'), [], {
      stdin: 'open',
      nodeArgs: ['--import', register],
      env: { XDG_RUNTIME_DIR: folder, DATABASE_URL: database.url() },
    });
    started.push(running);
    await running.seen('ready');
    const [path = ''] = await sockets();
    expect((await ask(path)).reading.pools[0]).toMatchObject({ inUse: 2 });
    running.child.stdin?.end();
    expect((await running.finished).stderr).toContain('2 leases out at exit');
  });

  it('is watched in its child processes and its threads', async () => {
    const running = run(['--name', 'parts', '--', process.execPath, join(apps, 'parent.cjs')], {
      DATABASE_URL: database.url(),
    });
    await running.seen('ready');
    const seen = await Promise.all((await sockets()).map((path) => ask(path)));
    expect(seen.map(({ hello }) => hello.app.name).sort()).toEqual([
      'parts',
      'parts',
      expect.stringMatching(/^parts \(thread \d+\)$/),
    ]);
    const [withPools, without] = [true, false].map((has) =>
      seen.filter(({ reading }) => reading.pools.length > 0 === has),
    );
    expect(without?.map(({ reading }) => reading.gaps)).toEqual([
      [expect.stringContaining('no pool was found in this process')],
    ]);
    for (const { reading } of withPools ?? []) {
      expect(reading.pools[0]?.holders).toMatchObject([{ site: expect.stringContaining('part.cjs:5:') }]);
    }
    expect(new Set(seen.map(({ hello }) => hello.app.pid)).size).toBe(2);
    running.child.stdin?.end();
    const { code, stderr } = await running.finished;
    expect(code).toBe(0);
    expect(stderr).toContain('1 lease out at exit\n');
    expect(stderr).toMatch(/1 lease out at exit of thread \d+\n/);
  });

  it('can be read by a port, and by no other means then', async () => {
    const port = await freePort();
    const running = run(['--publish', `127.0.0.1:${port}`, '--', process.execPath, join(apps, 'shop.mjs')], {
      DATABASE_URL: database.url(),
      ...TOKEN_ENV,
    });
    await running.seen('ready');
    expect((await ask(port, '127.0.0.1')).reading.pools[0]).toMatchObject({ inUse: 2 });
    expect(await sockets()).toEqual([join(folder, 'poolctl', `127.0.0.1-${port}.token`)]);
  });

  it('lets its own user read a port, and others only with the token', async () => {
    const port = await freePort();
    const running = run(['--publish', `127.0.0.1:${port}`, '--', process.execPath, join(apps, 'shop.mjs')], {
      DATABASE_URL: database.url(),
    });
    await running.seen('ready');
    const health = (env: Record<string, string>) =>
      start(bin, ['health', `pool:127.0.0.1:${port}`, '--format', 'json'], { env }).finished;
    const own = await health({ XDG_RUNTIME_DIR: folder });
    expect(JSON.parse(own.stdout).pools).toHaveLength(1);
    const token = await readFile(join(folder, 'poolctl', `127.0.0.1-${port}.token`), 'utf8');
    const elsewhere = join(folder, 'elsewhere');
    const given = await health({ XDG_RUNTIME_DIR: elsewhere, POOLCTL_TOKEN: token.trim() });
    expect(JSON.parse(given.stdout).pools).toHaveLength(1);
    for (const [env, words] of [
      [{}, 'needs a token'],
      [{ POOLCTL_TOKEN: 'wrong-token-of-16' }, 'does not accept this token'],
    ] as const) {
      const { code, stdout, stderr } = await health({ XDG_RUNTIME_DIR: elsewhere, ...env });
      expect([code, `${stdout}${stderr}`]).toEqual([3, expect.stringContaining(words)]);
      expect(`${stdout}${stderr}`).not.toMatch(/wrong-token|shop/);
    }
  });

  it('with several processes and threads has a port for each, from the one that was given on', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const argv = ['--publish', `127.0.0.1:${port}`, '--', process.execPath, join(apps, 'parent.cjs')];
    const running = run(argv, { DATABASE_URL: database.url(), ...TOKEN_ENV });
    let said = '';
    running.child.stderr?.on('data', (text: string) => {
      said += text;
    });
    const addresses = (): (readonly [who: string, port: number])[] =>
      [...said.matchAll(/is taken: (.*) publishes its pools at 127\.0\.0\.1:(\d+)\n/g)].map(
        ([, who = '', at]) => [who, Number(at)],
      );
    await eventually(() => addresses().length === 2);
    const [pids, ports] = [new Set<number>(), new Set<number>()];
    for (const [who, at] of addresses()) {
      const { hello } = await ask(at, '127.0.0.1');
      expect(who).toMatch(new RegExp(`^(thread \\d+ of )?process ${hello.app.pid}$`));
      pids.add(hello.app.pid);
      ports.add(at);
    }
    expect([pids.size, ports.size]).toEqual([2, 2]);
    expect(said).toContain(`poolctl: port ${port} is taken: `);
    expect(Math.min(...ports)).toBeGreaterThan(port);
    taken.close();
  });

  it('publishes nothing if it is not to', async () => {
    const running = run(['--publish', 'off', '--', process.execPath, join(apps, 'shop.mjs')], {
      DATABASE_URL: database.url(),
    });
    await running.seen('ready');
    expect(await sockets()).toEqual([]);
    running.child.stdin?.end();
    expect((await running.finished).stderr).toContain('2 leases out at exit');
  });

  it('that has its driver bundled is watched as well', async () => {
    const file = join(folder, 'bundle.cjs');
    const bundle = await rolldown({
      input: join(apps, 'shop.cjs'),
      platform: 'node',
      external: ['pg-native', 'pg-cloudflare'],
      cwd: root,
    });
    await bundle.write({ file, format: 'cjs', minify: true });
    await bundle.close();
    const running = run(['--', process.execPath, file], { DATABASE_URL: database.url() });
    await running.seen('ready');
    const [path = ''] = await sockets();
    const { reading } = await ask(path);
    expect(reading).toMatchObject({ pools: [{ driver: 'pg', inUse: 2 }], gaps: [] });
    running.child.stdin?.end();
    expect((await running.finished).stderr).toContain('2 leases out at exit');
  });
});

describe('poolctl run', () => {
  const script = async (text: string): Promise<string> => {
    const path = join(folder, 'script.cjs');
    await writeFile(path, text);
    return path;
  };

  it('has the exit code of its command, its output, and its arguments, also empty ones', async () => {
    const path = await script(
      "process.stdout.write(JSON.stringify(process.argv.slice(2))); process.stderr.write('e'); process.exitCode = 42;",
    );
    const running = run(['--', process.execPath, path, '', '--help', '-x']);
    expect(await running.finished).toEqual({
      ...{ code: 42, signal: null },
      ...{ stdout: '["","--help","-x"]', stderr: 'e' },
    });
    expect(await sockets()).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'hands %s on, and ends by it as its command does',
    async (signal) => {
      const path = await script("setInterval(() => {}, 1000); process.stderr.write('ready');");
      const running = run(['--', process.execPath, path]);
      await running.seen('ready');
      running.child.kill(signal);
      expect(await running.finished).toMatchObject({ code: null, signal });
    },
  );

  it('hands every signal on, and waits for a command that has its own way to end', async () => {
    const path = await script(`
      let n = 0;
      process.on('SIGTERM', () => {
        process.stderr.write('<' + ++n + '>');
        if (n === 4) process.exit(9);
      });
      setInterval(() => {}, 1000);
      process.stderr.write('ready');
    `);
    const running = run(['--', process.execPath, path]);
    await running.seen('ready');
    for (let n = 1; n <= 4; n++) {
      running.child.kill('SIGTERM');
      await running.seen(`<${n}>`);
    }
    expect(await running.finished).toMatchObject({ code: 9, stderr: 'ready<1><2><3><4>' });
  });

  it('passes input on', async () => {
    const path = await script('process.stdin.pipe(process.stdout);');
    const running = run(['--', process.execPath, path]);
    running.child.stdin?.end('a line\n');
    expect(await running.finished).toMatchObject({ code: 0, stdout: 'a line\n' });
  });

  it('keeps the NODE_OPTIONS that are there', async () => {
    const path = await script('process.stdout.write(String(process.title));');
    const running = run(['--', process.execPath, path], { NODE_OPTIONS: '--title=mine' });
    expect(await running.finished).toMatchObject({ code: 0, stdout: 'mine' });
  });

  it('lets an application crash as it would', async () => {
    const path = await script("require('pg'); Promise.reject(new Error('made up'));");
    const env = { NODE_PATH: join(root, 'node_modules') };
    const { code, stderr } = await run(['--', process.execPath, path], env).finished;
    expect(code).toBe(1);
    expect(stderr).toContain('Error: made up');
    expect(stderr).not.toContain('poolctl:');
  });

  it('names the cause, and its repair, when the application has exited', async () => {
    const path = await script(`
      const pool = new (require('pg').Pool)({ host: '127.0.0.1', port: 1 });
      pool.query('select 1').catch(() => pool.query('select 1').catch(() => process.exit(4)));
    `);
    const { code, stderr } = await run(['--', process.execPath, path], {
      NODE_PATH: join(root, 'node_modules'),
      TMPDIR: folder,
    }).finished;
    expect(code).toBe(4);
    expect(stderr).toMatch(
      /^poolctl: server-down: .*ECONNREFUSED.*\n {2}in the application: start the server.*\n {2}details: poolctl explain server-down$/m,
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('poolctl-exit-'))).toEqual([]);
  });

  it('says so where a pool is used whose rejection nobody handles: that stays unhandled', async () => {
    const path = await script("new (require('pg').Pool)({ host: '127.0.0.1', port: 1 }).connect();");
    const { code, stderr } = await run(['--', process.execPath, path], {
      NODE_PATH: join(root, 'node_modules'),
    }).finished;
    expect(code).toBe(1);
    expect(stderr).toContain('ECONNREFUSED');
  });

  it('says what cannot be run', async () => {
    const missing = await run(['--', 'no-such-program-anywhere']).finished;
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining('cannot run no-such-program') });
    expect(await run(['--']).finished).toMatchObject({ code: 2 });
    const script = join(apps, 'shop.cjs');
    expect((await run(['--', script]).finished).stderr).toContain(`hint: poolctl run -- node ${script}`);
  });

  it('refuses to publish where others can reach it', async () => {
    const { code, stderr } = await run(['--publish', '0.0.0.0:9876', '--', 'node']).finished;
    expect(code).toBe(2);
    expect(stderr).toContain("'0.0.0.0:9876' can be reached from elsewhere");
  });
});
