import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TopLine } from '../../src/top/report.js';
import { bin, type Running, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { mariadb, newMysqlDatabase, type OwnMysql } from '../helpers/mysql.js';
import { newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { startInTerminal } from '../helpers/terminal.js';
import { KINDS, type Kind, type RunningProgram, type StartOptions, startProgram } from './programs.js';

let folder: string;
let database: OwnDatabase | null = null;
let mysql: OwnMysql | null = null;
const running: Running[] = [];
const programs: RunningProgram[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-attach-'));
});
afterEach(async () => {
  for (const { child } of [...running.splice(0), ...programs.splice(0)]) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  await mysql?.remove();
});

/** The kinds whose server is there. */
function kindsHere(): readonly Kind[] {
  return KINDS.filter(({ server }) => server === null || (server === 'postgres' ? database : mysql) !== null);
}

async function begin(kinds: readonly Kind[], options: Partial<StartOptions> = {}): Promise<RunningProgram> {
  const env = {
    XDG_RUNTIME_DIR: folder,
    ...(database === null ? {} : { DATABASE_URL: database.url() }),
    ...(mysql === null ? {} : { MYSQL_URL: mysql.url() }),
  };
  // A port of its own: other programs on this machine have the usual one at times.
  const args = ['--inspect-port=127.0.0.1:0', ...(options.args ?? [])];
  const begun = await startProgram(kinds, {
    ...{ folder: join(folder, 'app'), env, ...options, args },
    ...(process.env.POOLCTL_TARGET_NODE ? { node: process.env.POOLCTL_TARGET_NODE } : {}),
  });
  programs.push(begun);
  return begun;
}

function attach(pid: number, ...argv: string[]): Running {
  const begun = start(bin, ['attach', String(pid), ...argv], { env: { XDG_RUNTIME_DIR: folder } });
  running.push(begun);
  return begun;
}

/** Attached until it is interrupted. */
async function attached(pid: number): Promise<Running> {
  const begun = attach(pid, '--yes', '--for=1h', '--format=json', '--verbose');
  await begun.seen('searched');
  return begun;
}

async function detached(one: Running): Promise<TopLine> {
  one.child.kill('SIGINT');
  const { stdout, stderr, code } = await one.finished;
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as TopLine;
}

// Three processes start one after another, on a machine that may be busy.
describe('attaching a running program', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    if (postgres !== null) database = await newDatabase();
    if (mariadb !== null) mysql = await newMysqlDatabase();
  });

  async function looksInto(kinds: readonly Kind[], isModule: boolean): Promise<void> {
    const app = await begin(kinds, { isModule });
    await app.act('use');
    await app.act('hold');
    const before = await app.act('state');
    const poolctl = await attached(app.pid);
    await app.act('use');
    await app.act('hold');
    const { sources } = await detached(poolctl);
    const pools = sources[0]?.reading?.pools ?? [];
    for (const kind of kinds) {
      const pool = pools.find(({ size }) => size === kind.size);
      expect(pool, kind.name).toMatchObject({ driver: kind.driver, inUse: 2, waiting: 0 });
      const [newer, ...older] = [...(pool?.holders ?? [])].reverse();
      expect(newer, kind.name).toMatchObject({ ageMs: expect.any(Number), lastSql: kind.sql });
      expect(newer?.site, kind.name).toContain(app.siteOf(kind));
      // Our own pool knows its leases. A request that undici has sent before is named by nothing in it.
      if (kind.name === 'poolctl') expect(older).toMatchObject([{ ageMs: expect.any(Number) }]);
      else if (kind.name !== 'undici')
        expect(older, kind.name).toMatchObject([{ ageMs: null, site: null, leaked: false }]);
    }
    expect(JSON.parse(await app.act('state'))).toEqual(JSON.parse(before));
    expect(await readdir(join(folder, 'poolctl'))).toEqual([]);
    await app.act('use');
  }

  it('shows what is out, since when and from where, and leaves an ES module as it was', () =>
    looksInto(kindsHere(), true));

  it.skipIf(postgres === null)('does so with CommonJS', () => looksInto(KINDS.slice(0, 1), false));

  it('lets go of the program when poolctl is killed, and can attach it again', async () => {
    const kinds = KINDS.filter(({ name }) => name === 'generic-pool');
    const app = await begin(kinds);
    await app.act('hold');
    const before = await app.act('state');
    const killed = await attached(app.pid);
    killed.child.kill('SIGKILL');
    await eventually(async () => (await app.act('state')) === before);
    await eventually(async () => (await readdir(join(folder, 'poolctl'))).length === 0);
    const again = await attached(app.pid);
    expect((await detached(again)).sources[0]?.reading?.pools).toHaveLength(1);
    expect(await app.act('state')).toBe(before);
    expect(app.stderr().match(/Debugger listening/g)).toHaveLength(2);
  });

  it('says that the program has ended, and that it is watched already', async () => {
    const app = await begin(KINDS.filter(({ name }) => name === 'generic-pool'));
    const first = await attached(app.pid);
    const second = await attach(app.pid, '--yes').finished;
    expect(second).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(
        /poolctl watches process \d+ already .*ERR_ATTACH_WATCHED[\s\S]*poolctl top pool:/,
      ),
    });
    await app.act('quit');
    expect(await first.finished).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('has ended while poolctl was attached'),
    });
  });

  it('needs a question, or --yes', async () => {
    const app = await begin(KINDS.filter(({ name }) => name === 'generic-pool'));
    const { code, stderr } = await attach(app.pid).finished;
    expect([code, stderr]).toEqual([2, expect.stringContaining('pass --yes')]);
    expect(app.stderr()).toBe('');
  });

  it('shows the program in top, and lets go of it at the end', async () => {
    const app = await begin(KINDS.filter(({ name }) => name === 'generic-pool'));
    await app.act('hold');
    const before = await app.act('state');
    const top = startInTerminal(['top', '--attach', String(app.pid)], { env: { XDG_RUNTIME_DIR: folder } });
    await top.shows(/Attach\? \[y\/N\]/);
    top.type('y');
    await top.shows(/generic-p.*1\/7/);
    top.type('q');
    expect(await top.ended).toBe(0);
    expect(await app.act('state')).toBe(before);
  });

  it('takes nothing but a Node process that it may signal, and touches no other', async () => {
    const sleeper = spawn('sleep', ['60']);
    const app = await begin(KINDS.filter(({ name }) => name === 'generic-pool'));
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const taken = await begin(
      KINDS.filter(({ name }) => name === 'generic-pool'),
      { args: [`--inspect-port=127.0.0.1:${port}`], folder: join(folder, 'second') },
    );
    app.child.kill('SIGSTOP');
    const cases = [
      [sleeper.pid, 'which is not the program node (ERR_ATTACH_NOT_NODE)'],
      [app.pid, 'is stopped (ERR_ATTACH_INSPECTOR)'],
      [taken.pid, `port ${port} is taken by process ${process.pid}`],
      [2 ** 22 + 1, 'there is no process'],
    ] as const;
    for (const [pid, words] of cases) {
      const { code, stderr } = await attach(pid ?? 0, '--yes').finished;
      expect([code, stderr]).toEqual([3, expect.stringContaining(words)]);
    }
    app.child.kill('SIGCONT');
    expect(sleeper.exitCode ?? sleeper.signalCode).toBe(null);
    sleeper.kill();
    other.close();
    await app.act('hold');
    await taken.act('hold');
    expect([app.stderr(), taken.stderr()]).toEqual(['', '']);
  });
});
