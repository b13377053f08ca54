import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBefore } from '../../src/pgbouncer/versions.js';
import { eventually } from '../helpers/eventually.js';
import { freePort, type Guarded } from '../helpers/guarded.js';
import type { TestIo, TestIoOptions } from '../helpers/io.js';
import { describeWithPgBouncer, pgbouncerVersion, startPgBouncer } from '../helpers/pgbouncer.js';
import { newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { askAs, newFolder, pgbouncer, startOn } from '../pgbouncer/started.js';

describeWithPgBouncer('poolctl pgbouncer', () => {
  let own: OwnDatabase;
  let folder: string;
  let port: number;
  let running: Guarded;
  const login = () => ({ user: postgres?.user ?? '', password: postgres?.password ?? '' });
  beforeAll(async () => {
    own = await newDatabase();
    folder = await newFolder();
    port = await freePort();
    const stdin = `${login().user}:${login().password}\nwatcher:w\n`;
    const argv = ['init', own.url(), '--dir', folder, '--listen-port', String(port), '--secrets', 'md5'];
    const settings = ['--passwords-stdin', '--server-login', 'password', '--stats-user', 'watcher'];
    expect(await pgbouncer([...argv, ...settings], { cwd: folder, stdin })).toMatchObject({ code: 0 });
    running = await startOn(folder);
    await askAs(port, { ...login(), database: own.name });
  });
  afterAll(() => running?.stop());

  const run = (argv: readonly string[], user = login().user, password = login().password) =>
    pgbouncer([...argv, '--at', `pgbouncer://${user}@127.0.0.1:${port}/`], {
      env: { PGPASSWORD: password },
      cwd: '/',
    });

  it.each(['pools', 'stats', 'databases', 'clients', 'servers', 'lists', 'config', 'users', 'version'])(
    'shows %s, as a table that fits and by column name',
    async (what) => {
      const text = await run(['show', what]);
      expect(text).toMatchObject({ code: 0, err: '' });
      for (const line of text.out.split('\n'))
        if (what !== 'config') expect(line.length).toBeLessThanOrEqual(100);
      const { code, out } = await run(['show', what, '--format', 'json']);
      expect(code).toBe(0);
      const result = JSON.parse(out) as { what: string; rows: Record<string, string>[] };
      expect(result.what).toBe(what);
      expect(result.rows.length).toBeGreaterThan(0);
    },
  );

  it('shows the columns that were asked for, and says which there are', async () => {
    const argv = ['show', 'pools', '--column', 'database', '--column', 'sv_idle'];
    expect((await run(argv)).out).toMatch(new RegExp(`^database +sv_idle\\n(.*\\n)*${own.name} +\\d`));
    expect(await run(['show', 'pools', '--column', 'nothing'])).toMatchObject({
      ...{ code: 2, err: expect.stringMatching(/there is no nothing[\s\S]*there is database, user/) },
    });
  });

  /** Runs until there is enough to see, and is ended by Ctrl-C. */
  const watching = async (
    argv: readonly string[],
    isEnough: (io: TestIo) => boolean,
    options: TestIoOptions & { readonly port?: number } = {},
  ) => {
    let io: TestIo | null = null;
    const place = `pgbouncer://${login().user}@127.0.0.1:${options.port ?? port}/`;
    const done = pgbouncer(
      ['show', ...argv, '--watch', '--every', '100ms', '--at', place],
      { env: { PGPASSWORD: login().password }, cwd: '/', ...options },
      (made) => {
        io = made;
        return made;
      },
    );
    await eventually(() => io !== null && isEnough(io));
    (io as TestIo | null)?.interrupts.receive('SIGINT');
    return done;
  };
  const times = (text: string, part: string): number => text.split(part).length - 1;

  it('--watch shows a table again and again, until Ctrl-C; on a terminal in place of the one before', async () => {
    const argv = ['pools', '--column', 'database', '--column', 'cl_active'];
    const piped = await watching(argv, (io) => times(io.out(), 'cl_active') >= 3);
    expect(piped).toMatchObject({ code: 0, err: '' });
    expect(piped.out).not.toContain('\u001b');
    const onTerminal = await watching(argv, (io) => times(io.out(), 'cl_active') >= 3, { isTty: true });
    expect(times(onTerminal.out, '\u001b[H\u001b[J')).toBe(times(onTerminal.out, 'cl_active'));
  });

  it('--watch writes a line of JSON each time', async () => {
    const { code, out } = await watching(['pools', '--format', 'json'], (io) => times(io.out(), '\n') >= 2);
    expect(code).toBe(0);
    for (const line of out.trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({
        schema: 1,
        what: 'pools',
        rows: expect.any(Array) as unknown[],
      });
  });

  it('--watch goes on when the pooler goes away, and says so each time', async () => {
    const other = await startPgBouncer();
    let stopped: Promise<void> | null = null;
    const { code, out, err } = await watching(
      ['lists', '--format', 'json'],
      (io) => {
        if (io.out() !== '') stopped ??= other.stop();
        return times(io.err(), 'poolctl: ') >= 2;
      },
      { port: other.port },
    );
    await stopped;
    expect(code).toBe(0);
    expect(out).toContain('"what":"lists"');
    expect(err).toMatch(/went away|cannot connect to PgBouncer/);
  });

  it('a user of stats_users may look on, and is told what else it takes', async () => {
    expect(await run(['show', 'pools'], 'watcher', 'w')).toMatchObject({ code: 0 });
    expect(await run(['reconnect', '--yes'], 'watcher', 'w')).toMatchObject({
      ...{ code: 3, out: '' },
      err: expect.stringMatching(/RECONNECT is not for this user[\s\S]*admin_users/),
    });
  });

  it('a wrong password, and nobody there, are told', async () => {
    expect(await run(['show', 'pools'], login().user, 'wrong')).toMatchObject({
      ...{ code: 3, err: expect.stringContaining('authentication failed') },
    });
    const nobody = await pgbouncer(['resume', '--at', `pgbouncer://x@127.0.0.1:${await freePort()}/`]);
    expect(nobody).toMatchObject({ code: 3, err: expect.stringContaining('ECONNREFUSED') });
  });

  it('asks before it does harm, and refuses where nobody can be asked', async () => {
    for (const argv of [['disable', own.name], ['reload'], ['shutdown'], ['reconnect']]) {
      expect(await run(argv)).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
    }
  });

  it.skipIf(pgbouncerVersion === null || !isBefore(pgbouncerVersion, '1.23'))(
    'shutdown --wait-for is refused by a version that would end at once, and the pooler goes on',
    async () => {
      for (const what of ['clients', 'servers']) {
        expect(await run(['shutdown', '--wait-for', what, '--yes'])).toMatchObject({
          ...{ code: 2, out: '' },
          err: expect.stringMatching(/--wait-for: PgBouncer 1\.\d+\S* can only end at once; pause it first/),
        });
      }
      expect(await askAs(port, { ...login(), database: own.name }, 'select 1 as one')).toEqual([{ one: 1 }]);
    },
  );

  it('shutdown --wait-for takes two words', async () => {
    expect(await run(['shutdown', '--wait-for', 'godot', '--yes'])).toMatchObject({
      ...{ code: 2, err: expect.stringContaining("'godot' is not one of servers, clients") },
    });
  });

  it('disables and enables a database', async () => {
    expect(await run(['disable', own.name, '--yes'])).toMatchObject({ code: 0 });
    await expect(askAs(port, { ...login(), database: own.name })).rejects.toThrow(/disabled|does not allow/);
    expect(await run(['enable', own.name])).toMatchObject({ code: 0 });
    expect(await askAs(port, { ...login(), database: own.name }, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it.each([['no"such 50%\'x'], ['line\nbreak'], ['é']])(
    'a hostile name goes to the console as it is: %j',
    async (name) => {
      const { code, err } = await run(['disable', name, '--yes']);
      expect(code).toBe(3);
      expect(err).toContain('no such database');
    },
  );

  it('a name that the console cannot be told is refused before', async () => {
    expect(await run(['enable', `"${'x'.repeat(60)}`])).toMatchObject({
      ...{ code: 2, err: expect.stringContaining('63 bytes') },
    });
  });

  it('resume says that nothing was paused', async () => {
    expect(await run(['resume'])).toMatchObject({ code: 3, err: expect.stringContaining('not paused') });
  });

  it('reload shows what changed, and finds out what was not taken, to which PgBouncer says OK', async () => {
    const file = join(folder, 'pgbouncer.ini');
    const before = await readFile(file, 'utf8');
    const good = before.replace('default_pool_size = 25', 'default_pool_size = 30');
    await writeFile(file, good);
    const taken = await run(['reload', '--yes']);
    expect(taken.out).toMatch(/^reloaded: all that/);
    expect(taken.out).toMatch(/default_pool_size +25 +30/);
    expect(taken.code).toBe(0);
    await writeFile(
      file,
      `${good.replace('= 30', '= 31').replace('listen_port = ', 'nonsense = 1\nlisten_port = 1')}`,
    );
    const bad = await run(['reload', '--yes']);
    expect(bad.code).toBe(1);
    expect(bad.out).toMatch(/NOT ALL TAKEN/);
    expect(bad.out).toMatch(/nonsense +1 +\(none\) +this version has no such setting/);
    await writeFile(file, before);
    expect(await run(['reload', '--yes'])).toMatchObject({ code: 0 });
  });
});

describe('poolctl pgbouncer init', () => {
  it('refuses to replace files, unless it is told to, and leaves nothing half', async () => {
    const cwd = await newFolder();
    const argv = ['init', 'postgres://u:p@127.0.0.1/db', '--target-version', '1.18'];
    expect(await pgbouncer(argv, { cwd })).toMatchObject({ code: 0 });
    const first = await readFile(join(cwd, 'userlist.txt'), 'utf8');
    expect(await pgbouncer(argv, { cwd })).toMatchObject({
      code: 3,
      err: expect.stringContaining('--force'),
    });
    expect(await readFile(join(cwd, 'userlist.txt'), 'utf8')).toBe(first);
    expect(await pgbouncer([...argv, '--force'], { cwd })).toMatchObject({ code: 0 });
    expect(await readFile(join(cwd, 'userlist.txt'), 'utf8')).not.toBe(first);
  });

  it('says what is to be done now, in its order, as a shell takes it', async () => {
    const cwd = await newFolder();
    const { out } = await pgbouncer(['init', "postgres://o'ne:p@h/a%20b", '--target-version', '1.18'], {
      cwd,
    });
    expect(out).toContain(
      "next      psql -h h -p 5432 -U 'o'\\''ne' -d 'a b' -f roles.sql\n          pgbouncer pgbouncer.ini\n",
    );
    const md5 = ['--secrets', 'md5', '--force', '--format', 'json'];
    const json = await pgbouncer(['init', 'postgres://u:p@h/db', '--target-version', '1.18', ...md5], {
      cwd,
    });
    expect(JSON.parse(json.out)).toMatchObject({ next: ['pgbouncer pgbouncer.ini'] });
  });

  it('leaves out what a version does not know, renames what it calls otherwise, and says both', async () => {
    const argv = [
      'init',
      'postgres://u:p@h/db',
      '--set',
      'transaction_timeout=5',
      '--set-database',
      'reserve_pool_size=3',
    ];
    const old = await pgbouncer([...argv, '--target-version', '1.18'], { cwd: await newFolder() });
    expect(old.out).toContain('reserve_pool=3');
    expect(old.out).toMatch(/PgBouncer 1\.18 does not know transaction_timeout, which came with 1\.25/);
    expect(old.out).toMatch(/does not know max_prepared_statements/);
    const latest = await pgbouncer([...argv, '--target-version', '1.25'], { cwd: await newFolder() });
    expect(latest.out).toContain('reserve_pool_size=3');
    expect(latest.out).toContain('transaction_timeout = 5');
    expect(latest.out).not.toContain('for this version');
  });

  it('prints the compose service', async () => {
    const cwd = await newFolder();
    const { code, out } = await pgbouncer(['init', 'postgres://u:p@db/db', '--compose'], { cwd });
    expect(code).toBe(0);
    expect(out).toContain('image: "edoburu/pgbouncer:1.21.0"');
    expect(out).toContain('- "6432:5432"');
    expect(await readFile(join(cwd, 'pgbouncer.ini'), 'utf8')).toContain(
      'auth_file = /etc/pgbouncer/userlist.txt',
    );
  });
});
