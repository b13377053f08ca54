import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import { serverUser } from '../helpers/guarded.js';
import { describeWithPgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { connectAdmin, describeWithPostgres, postgres } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';

const folder = mkdtempSync(join(tmpdir(), 'poolctl-ca-'));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A certificate authority, and what it has signed: a server at localhost and 127.0.0.1, and a client. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const key = ['-newkey', 'rsa:2048', '-nodes', '-sha256'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  );
  const sign = (name: string, subject: string, names: string): void => {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
    writeFileSync(file(`${name}.ext`), names);
    const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-sha256'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...ca, '-out', `${name}.crt`, '-extfile', `${name}.ext`);
  };
  sign('server', '/CN=localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  sign('other', '/CN=elsewhere', 'subjectAltName=DNS:elsewhere.example');
  // Its own authority, which the server does not know.
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'stray.key',
    '-out',
    'stray.crt',
    '-subj',
    '/CN=elsewhere',
    '-days',
    '2',
  );
  openssl('rsa', '-aes256', '-passout', 'pass:secret word', '-in', 'other.key', '-out', 'locked.key');
  const bundle = ['-inkey', 'other.key', '-in', 'other.crt', '-passout', 'pass:secret word'];
  openssl('pkcs12', '-export', ...bundle, '-out', 'other.p12');
  const settings = 'database=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=2\n';
  writeFileSync(file('ca.cnf'), `[ca]\ndefault_ca=own\n[own]\n${settings}`);
  writeFileSync(file('index.txt'), '');
  writeFileSync(file('crlnumber'), '01\n');
  const authority = ['ca', '-config', 'ca.cnf', '-cert', 'ca.crt', '-keyfile', 'ca.key'];
  openssl(...authority, '-gencrl', '-out', 'empty.crl');
  openssl(...authority, '-revoke', 'server.crt');
  openssl(...authority, '-gencrl', '-out', 'revoked.crl');
}

interface Row {
  readonly ssl: boolean;
  readonly port: number;
}

async function ask(url: string): Promise<Row | undefined> {
  await using db = createDatabase(url, { size: 1, maxOverflow: 0, createTimeoutMs: 20_000 });
  const sql = `select ssl, inet_server_port() as port from pg_stat_ssl where pid = pg_backend_pid()`;
  return await db.withSession(async (session) => (await session.query<Row>(sql)).rows[0]);
}

async function failureOf(url: string): Promise<unknown> {
  return ask(url).then(
    () => null,
    (error: unknown) => (error as { cause?: unknown }).cause ?? error,
  );
}

describeWithPostgres('a server with a certificate of an own authority', () => {
  let server: PostgresServer;
  let plain: PostgresServer;
  const at = (params: string, host = 'localhost', { port, user, password } = server): string =>
    `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/postgres?${params}`;

  beforeAll(async () => {
    makeCertificates();
    // The server reads the files as its own user, and wants to own the key.
    const { uid, gid } = serverUser();
    chmodSync(folder, 0o755);
    chmodSync(file('server.key'), 0o600);
    if (uid !== undefined && gid !== undefined) chownSync(file('server.key'), uid, gid);
    writeFileSync(
      file('pg_hba.conf'),
      'local all all trust\nhostssl all elsewhere all cert\nhost all all all scram-sha-256\n',
    );
    server = await startPostgres([
      `ssl_cert_file=${file('server.crt')}`,
      `ssl_key_file=${file('server.key')}`,
      `ssl_ca_file=${file('ca.crt')}`,
      `hba_file=${file('pg_hba.conf')}`,
    ]);
    const admin = await connectAdmin('postgres', server);
    await admin.query('create role elsewhere login');
    await admin.end();
    plain = await startPostgres(['ssl=off', 'default_transaction_read_only=on']);
  }, 120_000);

  afterAll(async () => {
    await server?.remove();
    await plain?.remove();
  });

  it.each([
    ['verify-full', 'localhost'],
    ['verify-full', '127.0.0.1'],
    ['verify-ca', 'localhost'],
  ])('is checked: sslmode=%s at %s', async (mode, host) => {
    expect(await ask(at(`sslmode=${mode}&sslrootcert=${file('ca.crt')}`, host))).toMatchObject({ ssl: true });
  });

  it('is refused where the authority or the name is another', async () => {
    expect(await failureOf(at('sslmode=verify-full&sslrootcert=system'))).toMatchObject({
      code: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/),
    });
    expect(await failureOf(at(`sslmode=verify-full&sslrootcert=${file('other.crt')}`))).toMatchObject({
      code: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/),
    });
    const elsewhere = `sslmode=verify-full&sslrootcert=${file('ca.crt')}&hostaddr=127.0.0.1`;
    expect(await failureOf(at(elsewhere, 'elsewhere.example'))).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    expect(await ask(at(elsewhere, 'localhost'))).toMatchObject({ ssl: true });
  });

  it('is bound to the connection with channel_binding=require', async () => {
    const params = `sslmode=verify-full&sslrootcert=${file('ca.crt')}&channel_binding=require`;
    expect(await ask(at(params))).toMatchObject({ ssl: true });
    expect(await failureOf(at('sslmode=disable&channel_binding=require'))).toMatchObject({
      code: 'ERR_DB_AUTH',
      message: expect.stringContaining('without channel binding'),
    });
  });

  it.each(['sslmode=require', 'sslmode=verify-full', 'sslmode=require&channel_binding=require'])(
    'takes TLS from the first byte: sslnegotiation=direct&%s',
    async (params) => {
      const url = at(`sslnegotiation=direct&sslrootcert=${file('ca.crt')}&${params}`);
      expect(await ask(url)).toMatchObject({ ssl: true });
    },
  );

  it('fails in words where a server without TLS is to take it from the first byte', async () => {
    const error = await failureOf(at('sslnegotiation=direct&sslmode=require', 'localhost', plain));
    expect(error).toMatchObject({
      message: expect.stringMatching(/cannot connect to PostgreSQL at localhost:\d+/),
    });
  });

  describe('asks a client for its certificate', () => {
    const as = (params: string): string =>
      `postgres://elsewhere@localhost:${server.port}/postgres?sslmode=verify-full&sslrootcert=${file('ca.crt')}&${params}`;

    it.each([
      ['a key', 'sslcert=other.crt&sslkey=other.key'],
      ['a key with a passphrase', 'sslcert=other.crt&sslkey=locked.key&sslpassword=secret%20word'],
      ['both in one file', 'sslidentity=other.p12&sslpassword=secret%20word'],
      ['TLS from the first byte', 'sslcert=other.crt&sslkey=other.key&sslnegotiation=direct'],
    ])('which comes with %s', async (_, params) => {
      const paths = params.replaceAll(/(?<==)(other|locked)\.\w+/g, (name) => file(name));
      expect(await ask(as(paths))).toMatchObject({ ssl: true });
    });

    it.each([
      ['none', ''],
      ['that of another authority', 'sslcert=stray.crt&sslkey=stray.key'],
    ])('and lets nobody in with %s', async (_, params) => {
      const paths = params.replaceAll(/(?<==)stray\.\w+/g, (name) => file(name));
      expect(await failureOf(as(paths))).toBeInstanceOf(Error);
    });

    it.each([
      ['a wrong passphrase', 'sslcert=other.crt&sslkey=locked.key&sslpassword=wrong', 'sslkey'],
      ['no passphrase', 'sslcert=other.crt&sslkey=locked.key', 'sslkey'],
      ['a certificate that is none', 'sslcert=ca.cnf&sslkey=other.key', 'sslcert'],
      ['a revocation list that is none', 'sslcrl=ca.cnf', 'sslcrl'],
      ['a file that is not there', 'sslcert=nowhere.crt&sslkey=other.key', 'sslcert'],
    ])('and says so of %s, as a mistake in TLS', async (_, params, parameter) => {
      const paths = params.replaceAll(/(?<==)[\w]+\.\w+/g, (name) => file(name));
      expect(await failureOf(as(paths))).toMatchObject({
        code: 'ERR_DB_TLS',
        message: expect.stringContaining(parameter),
      });
    });
  });

  it('is refused where its authority has revoked it, and only then', async () => {
    const url = (list: string) =>
      at(`sslmode=verify-full&sslrootcert=${file('ca.crt')}&sslcrl=${file(list)}`);
    expect(await ask(url('empty.crl'))).toMatchObject({ ssl: true });
    expect(await failureOf(url('revoked.crl'))).toMatchObject({ code: 'CERT_REVOKED' });
  });

  it('may be asked for only some methods', async () => {
    expect(await ask(at('require_auth=scram-sha-256'))).toMatchObject({ ssl: true });
    expect(await failureOf(at('require_auth=md5'))).toMatchObject({ code: 'ERR_DB_AUTH' });
    expect(await failureOf(at('require_auth=!scram-sha-256'))).toMatchObject({ code: 'ERR_DB_AUTH' });
  });

  it('is preferred by default, and its absence is no failure', async () => {
    expect(await ask(at(''))).toMatchObject({ ssl: true });
    expect(await ask(at('sslmode=allow'))).toMatchObject({ ssl: false });
    expect(await ask(at('', 'localhost', plain))).toMatchObject({ ssl: false });
    expect(await failureOf(at('sslmode=require', 'localhost', plain))).toMatchObject({ code: 'ERR_DB_TLS' });
  });

  it('is found among several hosts by what it is', async () => {
    const hosts = (params: string): string => {
      const { user, password } = server;
      // Both have the same superuser; nothing listens on port 1.
      return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:1,127.0.0.1:${plain.port},127.0.0.1:${server.port}/postgres?${params}`;
    };
    expect(await ask(hosts(''))).toMatchObject({ port: plain.port });
    expect(await ask(hosts('target_session_attrs=read-write'))).toMatchObject({ port: server.port });
    expect(await ask(hosts('target_session_attrs=read-only'))).toMatchObject({ port: plain.port });
    expect(await ask(hosts('target_session_attrs=primary'))).toMatchObject({ port: plain.port });
    expect(await ask(hosts('target_session_attrs=prefer-standby'))).toMatchObject({ port: plain.port });
    expect(await failureOf(hosts('target_session_attrs=standby'))).toMatchObject({
      message: expect.stringMatching(
        /no host is standby: .*ECONNREFUSED.*is not a standby.*is not a standby/,
      ),
    });
    const seen = new Set<number | undefined>();
    while (seen.size < 2) seen.add((await ask(hosts('load_balance_hosts=random')))?.port);
    // A wrong password is one everywhere: the other hosts are not tried.
    expect(await failureOf(hosts('password=wrong&target_session_attrs=read-write'))).toMatchObject({
      code: '28P01',
    });
  });

  it('is reached by a connection string of libpq', async () => {
    const { user, password, port } = server;
    const quoted = password.replace(/['\\]/g, '\\$&');
    const text = `host=localhost port=${port} dbname=postgres user=${user} password='${quoted}' sslmode=verify-full sslrootcert=${file('ca.crt')}`;
    expect(await ask(text)).toMatchObject({ ssl: true, port });
  });
});

describeWithPgBouncer('PgBouncer', () => {
  it('takes the URL of Prisma, and has no channel binding', async () => {
    const pooler = await startPgBouncer();
    try {
      const url = (params: string): string =>
        `postgresql://${postgres?.user}:${encodeURIComponent(postgres?.password ?? '')}@127.0.0.1:${pooler.port}/postgres?${params}`;
      expect(await ask(url('pgbouncer=true&connection_limit=1&schema=public'))).toBeDefined();
      expect(await ask(url('schema=public'))).toBeDefined();
      expect(await failureOf(url('channel_binding=require'))).toMatchObject({ code: 'ERR_DB_AUTH' });
    } finally {
      await pooler.stop();
    }
  });
});
