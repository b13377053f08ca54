import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeTogether } from '../../src/pgbouncer/files.js';
import { type InitRequest, planInit } from '../../src/pgbouncer/init.js';
import { SETTINGS } from '../../src/pgbouncer/settings.js';

const SCRAM = 'SCRAM-SHA-256$4096:x$y:z';

function planned(own: Partial<InitRequest> = {}) {
  return planInit({
    target: '1.25',
    server: {
      ...{ host: 'db', port: 5433, user: 'app', database: 'shop', sslMode: null, sslRootCert: null },
    },
    settings: Object.values(SETTINGS).map((setting) => ({ setting, value: setting.fallback })),
    extra: [],
    secrets: [{ name: 'app', secret: SCRAM }],
    serverPassword: null,
    adminUsers: ['app'],
    statsUsers: [],
    authFile: '/etc/pgbouncer/userlist.txt',
    secretsAreNew: true,
    ...own,
  });
}

const figureOf = ({ lines }: ReturnType<typeof planned>, key: string) =>
  lines.find((line) => line.key === key)?.value ?? null;

describe('the plan of pgbouncer init', () => {
  it('has clients log in to the server as themselves, where there is no password for all', () => {
    const plan = planned();
    expect(figureOf(plan, 'shop')).toBe('host=db port=5433 dbname=shop');
    expect(plan.ini).toContain('\nshop = host=db port=5433 dbname=shop\n');
    expect(plan.userlist).toBe(`"app" "${SCRAM}"\n`);
    expect(plan.roles).toContain(`ALTER ROLE "app" PASSWORD '${SCRAM}';\n`);
  });

  it('logs in for all clients by a password, which stands in the file and is shown nowhere', () => {
    const plan = planned({ serverPassword: "it's" });
    expect(figureOf(plan, 'shop')).toBe('host=db port=5433 dbname=shop user=app password=***');
    expect(plan.ini).toContain("\nshop = host=db port=5433 dbname=shop user=app password='it''s'\n");
    expect(plan.roles).toBeNull();
    expect(JSON.stringify([plan.lines, plan.adapted, plan.notes])).not.toContain("it's");
  });

  it('writes * for a name that the file cannot hold', () => {
    const plan = planned({
      server: { host: 'db', port: 1, user: 'a', database: 'my db', sslMode: null, sslRootCert: null },
    });
    expect(figureOf(plan, '*')).toBe('host=db port=1');
    expect(plan.lines[0]?.why).toContain("'my db'");
    expect(planned().lines[0]?.why).not.toContain('*');
  });

  it.each<[string, InitRequest['secrets'], string]>([
    ['scram alone', [{ name: 'a', secret: SCRAM }], 'scram-sha-256'],
    [
      'both kinds',
      [
        { name: 'a', secret: SCRAM },
        { name: 'b', secret: 'md5x' },
      ],
      'md5',
    ],
  ])('has the auth_type of its secrets: %s', (_, secrets, expected) => {
    expect(figureOf(planned({ secrets }), 'auth_type')).toBe(expected);
  });

  it('asks TLS of the server only if its URL did, and names stats_users only if there are any', () => {
    const plain = planned();
    for (const key of ['server_tls_sslmode', 'server_tls_ca_file', 'stats_users'])
      expect(figureOf(plain, key)).toBeNull();
    const server = {
      host: 'db',
      port: 1,
      user: 'a',
      database: 'b',
      sslMode: 'verify-ca',
      sslRootCert: '/ca',
    };
    const full = planned({ server, statsUsers: ['a', 'b'], adminUsers: ['c', 'd'] });
    expect(figureOf(full, 'server_tls_sslmode')).toBe('verify-ca');
    expect(figureOf(full, 'server_tls_ca_file')).toBe('/ca');
    expect(figureOf(full, 'stats_users')).toBe('a, b');
    expect(figureOf(full, 'admin_users')).toBe('c, d');
  });

  it('has each setting once: a line of the user’s own replaces it', () => {
    const extra = [{ section: 'pgbouncer', key: 'pool_mode', value: 'session' }] as const;
    const { lines } = planned({ extra });
    expect(lines.filter(({ key }) => key === 'pool_mode')).toMatchObject([{ value: 'session' }]);
    const other = [{ section: 'databases', key: 'pool_mode', value: 'session' }] as const;
    const both = planned({ extra: other });
    expect(figureOf(both, 'pool_mode')).toBe('transaction');
    expect(figureOf(both, 'shop')).toContain('pool_mode=session');
  });

  it('leaves out what the version does not know, renames what it calls otherwise, and says so', () => {
    const extra = [
      { section: 'databases', key: 'reserve_pool_size', value: '3' },
      { section: 'pgbouncer', key: 'peer_id', value: '3' },
    ] as const;
    const old = planned({ target: '1.18', extra });
    expect(figureOf(old, 'shop')).toContain('reserve_pool=3');
    expect(figureOf(old, 'peer_id')).toBeNull();
    expect(figureOf(old, 'max_prepared_statements')).toBeNull();
    expect(old.adapted.join('\n')).toMatch(/max_prepared_statements.*named statements/);
    expect(old.adapted.filter((text) => text.includes('named statements'))).toHaveLength(1);
    expect(old.adapted.join('\n')).toMatch(/reserve_pool_size.*reserve_pool\b/);
    expect(old.adapted.join('\n')).toContain('peer_id');
    const now = planned({ extra });
    expect(now.adapted).toEqual([]);
    expect(figureOf(now, 'shop')).toContain('reserve_pool_size=3');
    expect(figureOf(now, 'peer_id')).toBe('3');
  });

  it('names all that the files cannot hold, each once', () => {
    const attempt = () =>
      planned({
        extra: [
          { section: 'pgbouncer', key: 'nonsense', value: '1' },
          { section: 'pgbouncer', key: 'nonsense', value: '2' },
          { section: 'databases', key: 'pool_mode', value: ' x' },
        ],
        secrets: [{ name: 'a\nb', secret: SCRAM }],
        adminUsers: ['a,b'],
        statsUsers: ['c d'],
      });
    expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_VALUE' }));
    expect(attempt).toThrow(/line break/);
    expect(attempt).toThrow(/pool_mode begins or ends with a space/);
    expect(attempt).toThrow(/admin_users cannot name 'a,b'.*stats_users cannot name 'c d'/);
    expect(attempt).toThrow(/^(?!.*'nonsense'.*'nonsense')/s);
    expect(attempt).toThrow(/'nonsense'/);
    expect(() => planned({ authFile: 'a\nb' })).toThrow(/auth_file.*line break/);
  });

  it.each<[string, Partial<InitRequest>, RegExp, boolean]>([
    ['the server must have new secrets', {}, /roles\.sql/, true],
    ['not those that it has already', { secretsAreNew: false }, /roles\.sql/, false],
    ['nor where a password is for all', { serverPassword: 'x' }, /roles\.sql/, false],
    [
      'an md5 secret cannot be handed over',
      {
        secrets: [
          { name: 'a', secret: SCRAM },
          { name: 'b', secret: 'md5x' },
        ],
      },
      /md5/,
      true,
    ],
    ['an admin without a secret cannot log in', { adminUsers: ['app', 'ghost'] }, /^'ghost' of/m, true],
    [
      'an admin with one can',
      {
        secrets: [
          { name: 'x', secret: SCRAM },
          { name: 'app', secret: SCRAM },
        ],
      },
      /admin_users/,
      false,
    ],
    ['files for clients and servers', {}, /1050 connections/, true],
    [
      'files for default_pool_size where there is no limit',
      {
        settings: [
          { setting: SETTINGS.maxClientConn, value: '100' },
          { setting: SETTINGS.maxDbConnections, value: '0' },
          { setting: SETTINGS.defaultPoolSize, value: '25' },
        ],
      },
      /125 connections/,
      true,
    ],
    ['RELOAD answers OK to mistakes before 1.25', { target: '1.24' }, /RELOAD/, true],
    ['and not since', { target: '1.25' }, /RELOAD/, false],
  ])('notes: %s', (_, own, note, there) => {
    const text = planned(own).notes.join('\n');
    if (there) expect(text).toMatch(note);
    else expect(text).not.toMatch(note);
  });

  it('has statements for SCRAM secrets only', () => {
    expect(planned({ secretsAreNew: false }).roles).toBeNull();
    expect(planned({ secrets: [{ name: 'b', secret: 'md5x' }] }).roles).toBeNull();
    const mixed = planned({
      secrets: [
        { name: 'b', secret: 'md5x' },
        { name: 'q"t', secret: SCRAM },
      ],
    }).roles;
    expect(mixed?.match(/ALTER ROLE .*/g)).toEqual([`ALTER ROLE "q""t" PASSWORD '${SCRAM}';`]);
  });
});

describe('files that are written together', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-files-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  const files = (...names: string[]) => names.map((name) => ({ path: at(name), text: `new ${name}` }));
  const write = (names: string[], overwrite = false) =>
    writeTogether(files(...names), { overwrite, mark: 'm' });

  it('are there, private to their owner, and nothing else is', async () => {
    await write(['a', 'b']);
    expect(await readdir(folder)).toEqual(['a', 'b']);
    expect(await readFile(at('b'), 'utf8')).toBe('new b');
    expect((await stat(at('a'))).mode & 0o777).toBe(0o600);
  });

  it('replace what is there only if told to', async () => {
    await writeFile(at('b'), 'old');
    await expect(write(['a', 'b'])).rejects.toMatchObject({
      code: 'ERR_FILE_EXISTS',
      message: expect.stringContaining(at('b')),
      hint: expect.stringContaining('--force'),
    });
    expect(await readdir(folder)).toEqual(['b']);
    expect(await readFile(at('b'), 'utf8')).toBe('old');
    await write(['a', 'b'], true);
    expect(await readdir(folder)).toEqual(['a', 'b']);
    expect(await readFile(at('b'), 'utf8')).toBe('new b');
  });

  it('are as before where one of them cannot be written', async () => {
    await writeFile(at('a'), 'old');
    await mkdir(at('dir'));
    await writeFile(at('dir/x'), '');
    await expect(write(['a', 'new', 'dir'], true)).rejects.toMatchObject({ code: 'ERR_FILE_WRITE' });
    expect(await readdir(folder)).toEqual(['a', 'dir']);
    expect(await readFile(at('a'), 'utf8')).toBe('old');
    await expect(write(['nowhere/a'])).rejects.toMatchObject({
      code: 'ERR_FILE_WRITE',
      message: expect.stringContaining('folder does not exist'),
      hint: null,
    });
  });
});
