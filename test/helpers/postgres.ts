import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { describe, inject } from 'vitest';
import type { PostgresAddress } from './postgres-server.js';

/** The PostgreSQL of this run; null where there is none. */
export const postgres = inject('postgres');

/** What needs the server; left out where there is none, which was said at the start of the run. */
export const describeWithPostgres = describe.skipIf(postgres === null);

/** A connection of its superuser, which is no part of what is tested. */
export async function connectAdmin(database = 'postgres', server = mustHave()): Promise<pg.Client> {
  const { port, user, password } = server;
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  client.on('error', () => {});
  await client.connect();
  return client;
}

let admin: Promise<pg.Client> | null = null;

/** Asks the server as its superuser, on a connection that the tests of this process share. */
export async function ask(sql: string): Promise<pg.QueryResult<Record<string, unknown>>> {
  admin ??= connectAdmin().then((client) => {
    // The types do not know it.
    (client as unknown as { unref(): void }).unref();
    return client;
  });
  return (await admin).query(sql);
}

/** A database of one test's own. */
export interface OwnDatabase {
  readonly name: string;
  /** Its URL, password and all. With another port: that of a pooler, or of what else stands between. */
  url(options?: UrlOptions): string;
  /** Ends the oldest of its connections, and resolves when the server process is gone. */
  killOldest(): Promise<void>;
  /** Lets nobody in any more, and ends what is in; and the opposite. */
  shut(): Promise<void>;
  reopen(): Promise<void>;
  /** Resolves when it has no connection any more. */
  allClosed(): Promise<void>;
  /** Empties it, for the next test, which costs less than another. */
  empty(): Promise<void>;
}

export interface UrlOptions {
  readonly port?: number;
  readonly params?: string;
}

export async function newDatabase(): Promise<OwnDatabase> {
  const server = mustHave();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const backends = `from pg_stat_activity where datname = '${name}' and backend_type = 'client backend'`;
  await ask(`create database ${name}`);
  /** Ends server processes, and resolves when they are gone; the function's own way of waiting is a slow one. */
  const end = async (which: string): Promise<void> => {
    const { rows } = await ask(`select pid, pg_terminate_backend(pid) ${which}`);
    await gone(rows.map(({ pid }) => pid));
  };
  const gone = async (pids: readonly unknown[]): Promise<void> => {
    const wanted = `select pg_sleep(0.002), pid ${backends} and pid in (0, ${pids.join(', ')})`;
    while (pids.length > 0 && (await ask(wanted)).rowCount !== 0);
  };
  return {
    name,
    url: ({ port = server.port, params = '' } = {}) =>
      `postgres://${server.user}:${encodeURIComponent(server.password)}@127.0.0.1:${port}/${name}${params}`,
    async killOldest() {
      await end(`${backends} and backend_start = (select min(backend_start) ${backends})`);
    },
    async shut() {
      await ask(`alter database ${name} allow_connections false`);
      await end(backends);
    },
    async reopen() {
      await ask(`alter database ${name} allow_connections true`);
    },
    async allClosed() {
      // A process ends a moment after its connection: asked until it has, or the test is out of time.
      while ((await ask(`select pg_sleep(0.002), pid ${backends}`)).rowCount !== 0);
    },
    async empty() {
      await end(backends);
      const client = await connectAdmin(name, server);
      await client.query('drop schema public cascade; create schema public');
      await client.end();
    },
  };
}

function mustHave(): PostgresAddress {
  if (postgres === null) throw new Error('there is no PostgreSQL in this run');
  return postgres;
}
