import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase, type Database } from '../../src/db/database.js';
import { root, start } from '../helpers/bin.js';
import { freePort } from '../helpers/guarded.js';
import { installPackage } from '../helpers/installed.js';
import { ask, describeWithPostgres, newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';

const CERTIFICATE = encodeURIComponent(join(root, 'fixtures/tls/server.crt'));

let opened: Database[];
let closeLater: (() => Promise<void>)[];

beforeEach(() => {
  opened = [];
  closeLater = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const db of opened) await db.close({ graceMs: 0 });
  for (const close of closeLater) await close();
});

function database(url: string, options: DatabaseOptions = {}): Database {
  const db = createDatabase(url, { size: 3, maxOverflow: 0, ...options });
  opened.push(db);
  return db;
}

/** What opening a session comes to, behind the pool's error; null where it opens. */
async function failureOf(url: string, options?: DatabaseOptions): Promise<unknown> {
  try {
    const session = await database(url, options).getDb();
    await session.close();
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ERR_POOL_CREATE'
      ? error.cause
      : error;
  }
}

/** A folder that is removed after the test. */
async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-pgpass-'));
  closeLater.push(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
  return folder;
}

/** Something that listens, and is no PostgreSQL. */
async function listen(onConnect: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    onConnect(socket.on('error', () => {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeLater.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe('what keeps a connection from PostgreSQL from being made is told with code and hint:', () => {
  it('nothing listens', async () => {
    const port = await freePort();
    expect(await failureOf(`postgres://u:pw@127.0.0.1:${port}/d`)).toMatchObject({
      code: 'ECONNREFUSED',
      message: expect.stringContaining(`cannot connect to PostgreSQL at 127.0.0.1:${port}: `),
      hint: expect.stringContaining('nothing listens there'),
    });
    expect(await failureOf(`postgres://u:pw@localhost:${port}/d`)).toMatchObject({
      code: 'ECONNREFUSED',
      message: expect.stringMatching(/localhost:\d+: connection refused.* \(ECONNREFUSED\)/),
    });
  });

  it('there is no such host', async () => {
    expect(await failureOf('postgres://u:pw@no-such-host.invalid/d')).toMatchObject({
      code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
      hint: expect.stringContaining('name'),
    });
  });

  it('there is no such socket', async () => {
    expect(await failureOf('postgres://u:pw@/d?host=/no/such/folder')).toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining('/no/such/folder/.s.PGSQL.5432'),
      hint: expect.stringContaining('no such socket'),
    });
  });

  it('what listens is no PostgreSQL', async () => {
    const port = await listen((socket) =>
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
    );
    expect(await failureOf(`postgres://u:pw@127.0.0.1:${port}/d`)).toMatchObject({
      code: 'ERR_CONNECTION_LOST',
      hint: expect.stringContaining('if what listens there is a PostgreSQL at all'),
    });
  });

  it('it hangs up at once', async () => {
    const port = await listen((socket) => socket.end());
    for (const params of ['', '?sslmode=require']) {
      expect(await failureOf(`postgres://u:pw@127.0.0.1:${port}/d${params}`)).toMatchObject({
        code: 'ERR_CONNECTION_LOST',
        hint: expect.stringContaining('hung up'),
      });
    }
  });

  it('it says nothing', async () => {
    const port = await listen(() => {});
    for (const params of ['', '?sslmode=require']) {
      const url = `postgres://u:pw@127.0.0.1:${port}/d${params}`;
      expect(await failureOf(url, { createTimeoutMs: 30 })).toMatchObject({
        message: 'connect took longer than 30 ms',
      });
    }
  });

  it('a file of a certificate cannot be read', async () => {
    expect(
      await failureOf('postgres://u:pw@127.0.0.1/d?sslmode=verify-ca&sslrootcert=/none.crt'),
    ).toMatchObject({
      code: 'ERR_DB_TLS',
      message: expect.stringContaining('cannot read sslrootcert: ENOENT'),
    });
  });

  it('the server does not take TLS, unless it was only preferred', async () => {
    const port = await listen((socket) => socket.once('data', () => socket.end('N')));
    expect(await failureOf(`postgres://u:pw@127.0.0.1:${port}/d?sslmode=require`)).toMatchObject({
      code: 'ERR_DB_TLS',
      message: expect.stringContaining('does not support SSL'),
      hint: expect.stringContaining('sslmode=prefer'),
    });
    // libpq does not try again either: it logs in on the same socket, which this server has closed.
    expect(await failureOf(`postgres://u:pw@127.0.0.1:${port}/d?sslmode=prefer`)).toMatchObject({
      code: 'ERR_CONNECTION_LOST',
    });
  });

  it('a server without TLS gets the log-in on the same socket', async () => {
    const seen: string[] = [];
    const port = await listen((socket) => {
      seen.push('connected');
      socket.on('data', (bytes) => {
        const isRequest = bytes.length === 8 && bytes.readInt32BE(4) === 80877103;
        seen.push(
          isRequest
            ? 'TLS?'
            : bytes
                .toString('latin1')
                .replaceAll(/[^ -~]+/g, ' ')
                .trim(),
        );
        if (isRequest) socket.write('N');
        else socket.destroy();
      });
    });
    await failureOf(`postgres://u:pw@127.0.0.1:${port}/d?sslmode=prefer`);
    expect(seen).toEqual(['connected', 'TLS?', expect.stringMatching(/user u database d/)]);
  });
});

describeWithPostgres('what a PostgreSQL server refuses is told with code and hint:', () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await newDatabase();
  });

  it.each<[what: string, change: (url: string) => string, code: string, hint: RegExp]>([
    ['a wrong password', (url) => url.replace(/:[^:@]*@/, ':wrong@'), '28P01', /check user and password/],
    ['an unknown user', (url) => url.replace('//postgres:', '//nobody:'), '28P01', /check user and password/],
    [
      'an unknown database',
      (url) => url.replace(/\/test_\w+/, '/none'),
      '3D000',
      /psql -l lists the databases/,
    ],
    ['a setting that it does not know', (url) => `${url}?options=-c%20no_such=1`, '42704', /^/],
  ])('%s', async (_, change, code, hint) => {
    const failed = await failureOf(change(own.url()));
    expect(failed).toMatchObject({
      name: 'PostgresError',
      code,
      message: expect.stringContaining('cannot connect to PostgreSQL at 127.0.0.1:'),
    });
    if (code !== '42704') expect(failed).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  it('more connections than there are', async () => {
    await ask("create role narrow login password 'pw' connection limit 1");
    const { port } = postgres ?? { port: 0 };
    const db = database(`postgres://narrow:pw@127.0.0.1:${port}/${own.name}?sslmode=disable`);
    await using session = await db.getDb();
    await session.query('select 1');
    const second = await db.getDb({ timeoutMs: 2000 }).catch((error: unknown) => error);
    // One is out and may come back, so the pool waits; its error says why nothing else could be opened.
    expect(second).toMatchObject({ code: 'ERR_POOL_TIMEOUT', cause: { code: '53300' } });
    await session.close();
    await ask('drop role narrow');
  });

  describe('TLS', () => {
    const usesTls = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
    const isEncrypted = async (params: string, host = '127.0.0.1'): Promise<unknown> => {
      const db = database(own.url({ params }).replace('127.0.0.1', host));
      const { rows } = await db.withSession((session) => session.query<{ ssl: boolean }>(usesTls));
      return rows[0]?.ssl;
    };

    it('is used as sslmode says, and checks what it says', async () => {
      expect(await isEncrypted('')).toBe(true);
      expect(await isEncrypted('?sslmode=allow')).toBe(false);
      expect(await isEncrypted('?sslmode=disable')).toBe(false);
      expect(await isEncrypted('?sslmode=prefer')).toBe(true);
      expect(await isEncrypted('?sslmode=require')).toBe(true);
      expect(await isEncrypted(`?sslmode=require&sslrootcert=${CERTIFICATE}`)).toBe(true);
      expect(await isEncrypted(`?sslmode=verify-ca&sslrootcert=${CERTIFICATE}`)).toBe(true);
      expect(await isEncrypted(`?sslmode=verify-full&sslrootcert=${CERTIFICATE}`, 'localhost')).toBe(true);
    });

    it('is as PGSSLMODE says where the URL says nothing', async () => {
      vi.stubEnv('PGSSLMODE', 'no-verify');
      expect(await isEncrypted('')).toBe(true);
      expect(await isEncrypted('?sslmode=disable')).toBe(false);
      vi.stubEnv('PGSSLMODE', 'disable');
      expect(await isEncrypted('')).toBe(false);
    });

    it.each([
      ['?sslmode=verify-full', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      ['?sslmode=verify-ca', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      [`?sslmode=verify-full&sslrootcert=${CERTIFICATE}`, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ])('refuses a certificate that does not fit: %s', async (params, code) => {
      expect(await failureOf(own.url({ params }))).toMatchObject({
        code,
        hint: expect.stringContaining('sslrootcert=FILE'),
      });
    });
  });

  describe('the password', () => {
    const { user, password, port } = postgres ?? { user: '', password: '', port: 0 };
    const bare = (): string => `postgres://${user}@127.0.0.1:${port}/${own.name}`;

    beforeEach(() => {
      vi.stubEnv('PGPASSWORD', undefined);
    });

    it.each<[where: string, options: () => Promise<DatabaseOptions>]>([
      ['the options', async () => ({ password })],
      ['a function', async () => ({ password: () => password })],
      ['a function that takes its time', async () => ({ password: async () => password })],
    ])('may be in %s', async (_, options) => {
      expect(await failureOf(bare(), await options())).toBeNull();
    });

    it('may be in PGPASSWORD', async () => {
      vi.stubEnv('PGPASSWORD', password);
      expect(await failureOf(bare(), { passwordFile: '/none' })).toBeNull();
    });

    it('may be in a password file', async () => {
      const line = `127.0.0.1:${port}:*:${user}:${password.replace(/[\\:]/g, '\\$&')}`;
      const folder = await folderOf({ pgpass: `# mine\nother:*:*:*:x\n${line}\n` });
      expect(await failureOf(bare(), { passwordFile: join(folder, 'pgpass') })).toBeNull();
    });

    it('may be in .pgpass at home', async () => {
      const folder = await folderOf({ '.pgpass': `*:*:*:*:${password.replace(/[\\:]/g, '\\$&')}` });
      vi.stubEnv('HOME', folder);
      expect(await failureOf(bare())).toBeNull();
    });

    it('is missed where there is none, and it is said where it was looked for', async () => {
      const folder = await folderOf({ pgpass: 'other:*:*:*:x' });
      const file = join(folder, 'pgpass');
      const missed = {
        code: 'ERR_DB_PASSWORD',
        hint: 'put it into PGPASSWORD or .pgpass, or pass the option password',
      };
      expect(await failureOf(bare(), { passwordFile: file })).toMatchObject({
        ...missed,
        message: `PostgreSQL at 127.0.0.1:${port} wants a password for '${user}', and none was given; ${file} has none for it`,
      });
      await chmod(file, 0o644);
      expect(await failureOf(bare(), { passwordFile: file })).toMatchObject({
        ...missed,
        message: expect.stringContaining('was passed over, since others may read it: chmod 600'),
      });
      expect(await failureOf(bare(), { passwordFile: join(folder, 'none') })).toMatchObject({
        ...missed,
        message: expect.stringContaining('there is no file'),
      });
    });

    it('is shown nowhere: not in errors, their causes and stacks, nor by looking into the database', async () => {
      const secret = 'wrong-but-secret';
      const seen: string[] = [];
      const look = (value: unknown) =>
        void seen.push(inspect(value, { depth: 20, showHidden: true, getters: true }));
      const url = own.url().replace(/:[^:@]*@/, `:${secret}@`);
      for (const params of ['', '?sslmode=require', '?sslmode=verify-full', '?options=-c%20no_such=1']) {
        const db = database(url + params);
        look(await db.getDb().catch((error: unknown) => error));
        look(db);
        look(db.pool.snapshot());
      }
      look(await failureOf(`postgres://u:${secret}@127.0.0.1:1/d`));
      look(await failureOf(bare(), { password: () => Promise.reject(new Error('no token today')) }));
      expect(seen.length).toBe(14);
      expect(seen.join('\n')).not.toContain(secret);
    });

    it('that a function does not give fails the connection with the reason', async () => {
      const failed = await failureOf(bare(), { password: () => Promise.reject(new Error('no token today')) });
      expect(failed).toMatchObject({
        code: 'ERR_DB_PASSWORD',
        message: 'the function in the option password failed: no token today',
      });
      const nothing = (() => undefined) as unknown as () => string;
      expect(await failureOf(bare(), { password: nothing })).toMatchObject({ code: 'ERR_DB_PASSWORD' });
    });
  });

  it('the end of the process, by no pool that was left open', async () => {
    const app = await mkdtemp(join(tmpdir(), 'poolctl-open-'));
    closeLater.push(() => rm(app, { recursive: true }));
    await installPackage(app);
    await writeFile(
      join(app, 'open.mjs'),
      `import { createDatabase } from 'poolctl';
      for (const url of process.argv.slice(2)) {
        const db = createDatabase(url, { size: 3, minIdle: 2 });
        await db.pool.fill();
        const ask = () => db.withSession((session) => session.query('select 1 as one'));
        const [{ rows }] = await Promise.all([ask(), ask(), ask()]);
        console.log(rows, db.pool.snapshot().idle > 0);
      }`,
    );
    const urls = [own.url(), own.url({ params: '?sslmode=require' })];
    expect(await start(join(app, 'open.mjs'), urls, { cwd: app }).finished).toMatchObject({
      ...{ stdout: '[ { one: 1 } ] true\n[ { one: 1 } ] true\n', stderr: '', code: 0, signal: null },
    });
  });
});

describeWithPostgres('a PostgreSQL server that goes and comes back', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.remove());

  const ways: [how: string, end: () => Promise<void>][] = [
    ['is shut down', () => server.stop()],
    [
      'is killed',
      async () => {
        process.kill(await server.pid(), 'SIGKILL');
        await server.stop();
      },
    ],
  ];

  it.each(ways)('and %s fails what runs, and is found again', async (_, end) => {
    const { user, password, port } = server;
    const url = `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
    const db = database(url, { size: 3, timeoutMs: null, pingIdleMs: 0 });
    const sessions = await Promise.all([db.getDb(), db.getDb(), db.getDb()]);
    const running = sessions.map((session) => session.query('select pg_sleep(60)'));
    const waiting = db.withSession((session) => session.query('select 1'));
    const outcomes = Promise.allSettled([...running, waiting]);
    await end();
    for (const session of sessions) await session.close();
    for (const outcome of (await outcomes).slice(0, 3)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CONNECTION_LOST' } });
    }
    expect((await outcomes)[3]).toMatchObject({ reason: { code: 'ERR_POOL_CREATE' } });
    await expect(db.getDb()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    await server.start();
    const again = Array.from({ length: 6 }, () =>
      db.withSession(async (session) => (await session.query('select 1 as one')).rows),
    );
    expect(await Promise.all(again)).toEqual(Array.from({ length: 6 }, () => [{ one: 1 }]));
  });
});
