import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { freePort, type Guarded } from '../helpers/guarded.js';
import { describeWithPgBouncer } from '../helpers/pgbouncer.js';
import { ask, newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { askAs, newFolder, pgbouncer, startOn } from './started.js';

/** What names and passwords of people have in them. */
const WEIRD = { user: 'o\'"ne 50%é', password: 'pä\u00a0ss:"w\'o\\rd%;#\u2168' };
const WEIRD_DATABASE = `na"me 50%'x ;#`;
const PLAIN = { user: 'init_plain', password: 'plain:pass word' };

describeWithPgBouncer('PgBouncer on what init wrote', () => {
  let own: OwnDatabase;
  let running: Guarded[] = [];

  beforeAll(async () => {
    own = await newDatabase();
    await ask(`set scram_iterations = 4096; set password_encryption = 'scram-sha-256'`);
    for (const { user, password } of [WEIRD, PLAIN]) {
      const role = `"${user.replaceAll('"', '""')}"`;
      await ask(`drop role if exists ${role}`);
      await ask(`create role ${role} login password '${password.replaceAll("'", "''")}'`);
    }
    await ask(`drop database if exists "${WEIRD_DATABASE.replaceAll('"', '""')}"`);
    await ask(`create database "${WEIRD_DATABASE.replaceAll('"', '""')}"`);
  });
  afterEach(async () => {
    for (const one of running) await one.stop();
    running = [];
  });
  afterAll(async () => {
    await ask(`drop database if exists "${WEIRD_DATABASE.replaceAll('"', '""')}" with (force)`);
  });

  const urlOf = (user: string, password: string, database = own.name): string =>
    `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${postgres?.port}/${encodeURIComponent(database)}`;
  const admin = () => urlOf(postgres?.user ?? '', postgres?.password ?? '');

  async function started(url: string, ...argv: readonly string[]) {
    return startedWith({}, url, ...argv);
  }
  async function startedWith(options: { stdin?: string }, url: string, ...argv: readonly string[]) {
    const folder = await newFolder();
    const port = await freePort();
    const done = await pgbouncer(
      ['init', url, '--dir', folder, '--listen-port', String(port), '--min-pool-size', '0', ...argv],
      { cwd: folder, ...options },
    );
    expect(done).toMatchObject({ code: 0, err: '' });
    const ini = await readFile(join(folder, 'pgbouncer.ini'), 'utf8');
    const userlist = await readFile(join(folder, 'userlist.txt'), 'utf8');
    for (const name of ['pgbouncer.ini', 'userlist.txt'])
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    const roles = await readFile(join(folder, 'roles.sql'), 'utf8').catch(() => null);
    running.push(await startOn(folder));
    return { port, ini, userlist, roles, out: done.out };
  }

  it.each([
    ['scram', 'SCRAM-SHA-256$4096:', 'auth_type = scram-sha-256'],
    ['md5', '"md5', 'auth_type = md5'],
  ])('lets in with %s secrets that were made from a password', async (kind, secret, authType) => {
    const { port, ini, userlist, roles, out } = await started(
      urlOf(PLAIN.user, PLAIN.password),
      ...['--secrets', kind],
    );
    // Only a SCRAM secret has to be the server's own; for md5 the password stands in pgbouncer.ini.
    expect(roles === null).toBe(kind === 'md5');
    if (roles !== null) await ask(roles);
    expect(ini).toContain(`\n${authType}\n`);
    expect(userlist).toContain(secret);
    expect(userlist).not.toContain(PLAIN.password);
    expect(out).not.toContain(PLAIN.password);
    expect(await askAs(port, { ...PLAIN, database: own.name })).toEqual([{ who: PLAIN.user }]);
    const wrong = askAs(port, { ...PLAIN, password: 'another', database: own.name });
    await expect(wrong).rejects.toThrow(/authentication failed/);
    // The console is there for the same user.
    const rows = await askAs(port, { ...PLAIN, database: 'pgbouncer' }, 'SHOW CONFIG');
    const figures = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
    expect(figures).toMatchObject({
      ...{
        pool_mode: 'transaction',
        max_client_conn: '1000',
        default_pool_size: '25',
        reserve_pool_size: '5',
      },
      ...{ max_db_connections: '50', server_idle_timeout: '600', server_lifetime: '3600', so_reuseport: '1' },
      ...{ tcp_keepalive: '1', tcp_keepidle: '60', tcp_keepintvl: '10', tcp_keepcnt: '5' },
      ...{ tcp_user_timeout: '30000', server_connect_timeout: '15' },
      ignore_startup_parameters: 'extra_float_digits,application_name',
    });
  });

  it('lets in with secrets that were copied, and logs in to the server by them: no password stands anywhere', async () => {
    const users = ['--user', WEIRD.user, '--user', PLAIN.user, '--admin-user', PLAIN.user];
    const { port, ini, userlist } = await started(admin(), '--secrets', 'copy', ...users);
    expect(ini).not.toContain('password=');
    expect(userlist.match(/SCRAM-SHA-256\$/g)).toHaveLength(2);
    for (const one of [WEIRD, PLAIN])
      expect(await askAs(port, { ...one, database: own.name })).toEqual([{ who: one.user }]);
  });

  it('takes names with quotes, spaces and signs that mean something', async () => {
    const { port, roles, ini } = await startedWith(
      { stdin: `"${WEIRD.user.replaceAll('"', '""')}":${WEIRD.password}\n` },
      urlOf(WEIRD.user, WEIRD.password, WEIRD_DATABASE),
      ...['--passwords-stdin', '--admin-user', 'adm', '--set', 'server_reset_query=DISCARD ALL'],
    );
    expect(ini).toContain('\n* = host=127.0.0.1 port=');
    await ask(roles ?? '');
    expect(await askAs(port, { ...WEIRD, database: WEIRD_DATABASE })).toEqual([{ who: WEIRD.user }]);
  });

  it('with several users it writes the statements that give the server the same secrets', async () => {
    const other = { user: 'init_other', password: 'x' };
    await ask(`drop role if exists init_other`);
    await ask(`create role init_other login password 'something else'`);
    const stdin = `${PLAIN.user}:${PLAIN.password}\n${other.user}:${other.password}\n`;
    const { port, roles } = await startedWith({ stdin }, urlOf(PLAIN.user, ''), '--passwords-stdin');
    await expect(askAs(port, { ...other, database: own.name })).rejects.toThrow();
    await ask(roles ?? '');
    expect(await askAs(port, { ...PLAIN, database: own.name })).toEqual([{ who: PLAIN.user }]);
    await ask(`alter role init_plain password '${PLAIN.password}'`);
  });

  it('who may not read pg_authid is told what to do', async () => {
    const folder = await newFolder();
    const argv = ['init', urlOf(PLAIN.user, PLAIN.password), '--dir', folder, '--secrets', 'copy'];
    expect(await pgbouncer(argv, { cwd: folder })).toMatchObject({
      ...{ code: 3, out: '' },
      err: expect.stringMatching(/init_plain may not read pg_authid[\s\S]*hint: a superuser may/),
    });
    const unknown = await pgbouncer([
      'init',
      admin(),
      '--dir',
      folder,
      '--secrets',
      'copy',
      '--user',
      'nobody here',
    ]);
    expect(unknown).toMatchObject({ code: 3, err: expect.stringContaining("no role 'nobody here'") });
    const wrong = await pgbouncer(['init', urlOf(PLAIN.user, 'no'), '--dir', folder, '--secrets', 'copy']);
    expect(wrong).toMatchObject({ code: 3, err: expect.stringContaining('password authentication failed') });
  });
});
