import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../helpers/guarded.js';
import { describeWithPgBouncer } from '../helpers/pgbouncer.js';
import { newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import type { PostgresAddress } from '../helpers/postgres-server.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';
import { connected, doctor, examine, type Pooler, sql, startPooler, urlOf } from './bench.js';

describeWithPgBouncer('the doctor, where something is wrong with a target,', () => {
  // Where there is none, nothing below is run.
  const server = postgres as PostgresAddress;
  let pooler: Pooler;
  let database: OwnDatabase;
  beforeAll(async () => {
    database = await newDatabase();
    pooler = await startPooler(server, {
      databases: { shop: `host=127.0.0.1 port=${server.port} dbname=${database.name}` },
      users: { stats: 'x', nobody: 'y' },
      settings: { stats_users: 'stats' },
    });
  });
  afterAll(() => pooler?.stop());

  const good = () => [urlOf(server, { database: database.name }), pooler.url('stats', 'x')];
  const both = '--only=pending-restart,pooler-paused';

  it('says what, and still judges the others', async () => {
    const nothing = await freePort();
    const targets = {
      'wrong password': urlOf(server, { password: 'wrong' }),
      'no server': `postgres://app@127.0.0.1:${nothing}/shop`,
      'no database': urlOf(server, { database: "no'such\n%s" }),
      'no PostgreSQL but a console': `postgres://stats:x@127.0.0.1:${pooler.port}/pgbouncer`,
      'no rights in the console': pooler.url('nobody', 'y'),
      'wrong password of the console': pooler.url('stats', 'wrong'),
      'no console but a PostgreSQL': `pgbouncer://${server.user}:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}/`,
      'no console at all': `pgbouncer://stats@127.0.0.1:${nothing}/`,
      'no application': 'pool:/nowhere/at/all.sock',
      'no file': `sqlite:${join('/nowhere', 'app.db')}`,
    };
    const {
      targets: examined,
      results,
      code,
      counts,
    } = await examine([...good(), ...Object.values(targets), both]);
    const problems = Object.keys(targets).map((name, at) => [name, examined[at + 2]?.problem?.message]);
    expect(Object.fromEntries(problems)).toEqual({
      'wrong password': expect.stringMatching(/password authentication failed for user "postgres"$/),
      'no server': expect.stringMatching(/ECONNREFUSED/),
      'no database': expect.stringMatching(/database "no'such\n%s" does not exist/),
      'no PostgreSQL but a console': "that is PgBouncer's admin console, and no PostgreSQL",
      'no rights in the console': expect.stringMatching(/not allowed$/),
      'wrong password of the console': expect.stringMatching(/authentication failed$/),
      'no console but a PostgreSQL': "that is a PostgreSQL, and no PgBouncer's admin console",
      'no console at all': expect.stringMatching(/^cannot connect to PgBouncer .*ECONNREFUSED/),
      'no application': expect.stringMatching(/ENOENT/),
      'no file': expect.stringMatching(/there is no folder \/nowhere$/),
    });
    expect(examined.slice(2).every(({ problem }) => problem?.hint !== undefined)).toBe(true);
    expect(examined[0]?.problem ?? examined[1]?.problem).toBeNull();
    expect(results.filter(({ status }) => status === 'pass').map(({ check }) => check)).toEqual([
      'pending-restart',
      'pooler-paused',
    ]);
    // Three further servers and four further consoles.
    expect({ code, ...counts }).toEqual({ code: 3, pass: 2, warn: 0, fail: 0, skipped: 8 });
  });

  it('is not held up by a server that says nothing', async () => {
    const proxy = await startTcpProxy(server.port);
    proxy.fallSilent();
    const silent = urlOf({ ...server, port: proxy.port }, { database: database.name });
    const { targets, results, code } = await examine([silent, ...good(), both, '--timeout=200ms']);
    expect(targets[0]?.problem?.message).toBe('no answer within 200ms');
    // The machine may be too slow for the others: then they say the same.
    expect(results.length).toBe(3);
    expect(code).toBe(3);
    await proxy.close();
  });

  it('takes a user who may only look on, and says who may do what is to be done', async () => {
    const { results } = await examine([pooler.url('stats', 'x'), '--only=pooler-keepalives']);
    expect(results).toMatchObject([
      {
        status: 'warn',
        fix: {
          steps: expect.arrayContaining([
            { kind: 'console', at: expect.anything(), as: 'one of admin_users', text: 'RELOAD' },
          ]),
        },
      },
    ]);
    const { out } = await doctor([pooler.url('stats', 'x'), '--only=pooler-keepalives']);
    expect(out).toMatch(/\(as one of\n? *admin_users\):/);
  });

  it('uses what it had read when PgBouncer went away', async () => {
    const proxy = await between(pooler.port, (text) => (text.includes('SHOW POOLS') ? null : text));
    const url = pooler.url('stats', 'x').replace(`:${pooler.port}/`, `:${proxy.port}/`);
    const { targets, results, code } = await examine([
      ...good(),
      url,
      '--only=pooler-keepalives,pooler-queue,pooler-paused,pending-restart',
    ]);
    expect(targets[2]?.problem?.message).toMatch(/^it went away before all was read: /);
    const own = results.filter(({ subjects }) => subjects.join() === targets[2]?.label);
    expect(own.map(({ check, status, summary }) => [check, status, summary])).toEqual([
      ['pooler-paused', 'pass', expect.anything()],
      ['pooler-queue', 'skipped', expect.stringMatching(/^SHOW POOLS was not answered: /)],
      ['pooler-keepalives', 'warn', expect.anything()],
    ]);
    expect(results.filter(({ subjects }) => subjects.join() !== targets[2]?.label)).toHaveLength(4);
    expect(code).toBe(3);
    proxy.server.close();
  });

  it('does not guess at a version that it does not know', async () => {
    const proxy = await between(
      pooler.port,
      (text) => text,
      (text) => text.replace('PgBouncer 1.18.0', 'PgBouncer devel?'),
    );
    const url = pooler.url('stats', 'x').replace(`:${pooler.port}/`, `:${proxy.port}/`);
    const { targets, results } = await examine([
      url,
      '--only=pooler-version,prepared-statements,reset-query',
    ]);
    expect(targets[0]?.what).toBe('PgBouncer devel?, as stats');
    expect(results.map(({ check, status, summary }) => [check, status, summary])).toEqual([
      ['prepared-statements', 'skipped', "'devel?' is no version that is known"],
      ['reset-query', 'pass', expect.anything()],
      ['pooler-version', 'skipped', "'devel?' is no version that is known"],
    ]);
    proxy.server.close();
  });

  it('shows nothing of hostile names as it is', async () => {
    const evil = 'e"v\'i`l\n%s\u001b[31m|<b>';
    await sql(server, `CREATE ROLE "${evil.replace('"', '""')}" LOGIN SUPERUSER PASSWORD 'x'`);
    const login = { database: database.name, user: evil, password: 'x' };
    const client = await connected(server, login);
    await client.query(`BEGIN; SELECT '\u001b]0;title\u0007' AS "x\n\`\`\`"`);
    const argv = [
      urlOf(server, login),
      '--only=idle-transactions-now,statement-timeout',
      '--idle-transaction=1ms',
    ];
    for (const format of ['text', 'markdown', 'junit', 'json']) {
      const { out, code } = await doctor([...argv, `--format=${format}`, '--no-color']);
      expect(code).toBe(1);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
      expect(out).toMatch(/idle\s+in\s+transaction/);
    }
    await client.end();
    await sql(server, `DROP ROLE "${evil.replace('"', '""')}"`);
  });
});

describe('an address that is wrong', () => {
  it.each([
    [['foo'], "'foo' is not a source: it has no scheme"],
    [['redis://a/b'], "the scheme 'redis' is not known"],
    [['postgres://h:99999/x'], 'the port must be a number from 1 to 65535'],
    [['pgbouncer://a:secret@h/shop'], 'the console is not in a database'],
    [['sqlite://host/x'], 'sqlite has no hosts'],
    [['pool:nothing'], 'that is neither a path nor HOST:PORT'],
    [['foo', 'x://'], '2 problems, nothing was run'],
    [[], 'there is nothing to look at'],
  ])('%j is a mistake of the command line', async (argv, message) => {
    const { code, out, err } = await doctor(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
    expect(err).not.toContain('secret');
  });
});

/** Stands between; what is null ends the connection, as a process does that is killed. */
async function between(
  port: number,
  toServer: (text: string) => string | null,
  toClient: (text: string) => string = (text) => text,
): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    client.on('data', (data) => {
      const text = toServer(data.toString('latin1'));
      if (text === null) end();
      else upstream.write(text, 'latin1');
    });
    upstream.on('data', (data) => void client.write(toClient(data.toString('latin1')), 'latin1'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}
