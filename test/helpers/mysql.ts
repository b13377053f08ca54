import { randomBytes } from 'node:crypto';
import mysql from 'mysql2';
import { describe, inject } from 'vitest';
import type { MysqlAddress } from './mysql-server.js';

/** The MariaDB of this run; null where there is none. */
export const mariadb = inject('mariadb');

/** What needs the server; left out where there is none, which was said at the start of the run. */
export const describeWithMariaDb = describe.skipIf(mariadb === null);

export type Row = Record<string, unknown>;

export interface Admin {
  ask(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  end(): void;
}

/** A connection of its superuser, which is no part of what is tested. */
export function connectMysqlAdmin(server: MysqlAddress = mustHave(), database?: string): Admin {
  const { port, user, password } = server;
  const client = mysql.createConnection({
    ...{ host: '127.0.0.1', port, user, password, multipleStatements: true },
    ...(database === undefined ? {} : { database }),
  });
  client.on('error', () => {});
  return {
    ask: (sql, values = []) =>
      new Promise((resolve, reject) => {
        client.query(sql, [...values], (error, rows) => (error ? reject(error) : resolve(rows as Row[])));
      }),
    end: () => void client.end(),
  };
}

let admin: Admin | null = null;

/** Asks the server as its superuser, on a connection that the tests of this process share. */
export function askMysql(sql: string, values?: readonly unknown[]): Promise<readonly Row[]> {
  admin ??= connectMysqlAdmin();
  return admin.ask(sql, values);
}

/** A database of one test's own. */
export interface OwnMysql {
  readonly name: string;
  /** A user who has only this database. */
  readonly user: string;
  /** Its URL, password and all. With another port: that of what stands between. */
  url(options?: { readonly port?: number; readonly params?: string }): string;
  /** Ends the oldest of its connections, and resolves when the server has forgotten it. */
  killOldest(): Promise<void>;
  /** Lets nobody in any more, and ends what is in; and the opposite. */
  shut(): Promise<void>;
  reopen(): Promise<void>;
  /** Resolves when it has no connection any more. */
  allClosed(): Promise<void>;
  remove(): Promise<void>;
}

export async function newMysqlDatabase(server = mustHave(), ask = askMysql): Promise<OwnMysql> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const password = 'p:w/d @?#%';
  const account = `'${name}'@'127.0.0.1'`;
  await ask(
    `create database ${name}; create user ${account} identified by '${password}'; grant all on ${name}.* to ${account};
     grant process on *.* to ${account}`,
  );
  const open = `from information_schema.processlist where user = '${name}'`;
  const gone = async (condition: string): Promise<void> => {
    while ((await ask(`select sleep(0.002), id ${open} and ${condition}`)).length > 0);
  };
  const end = async (ids: readonly Row[]): Promise<void> => {
    for (const { id } of ids) await ask(`kill ${Number(id)}`).catch(() => {});
    if (ids.length > 0) await gone(`id in (${ids.map(({ id }) => Number(id)).join(', ')})`);
  };
  return {
    name,
    user: name,
    url: ({ port = server.port, params = '' } = {}) =>
      `mysql://${name}:${encodeURIComponent(password)}@127.0.0.1:${port}/${name}${params}`,
    killOldest: async () => end(await ask(`select id ${open} order by id limit 1`)),
    async shut() {
      await ask(`alter user ${account} account lock`);
      await end(await ask(`select id ${open}`));
    },
    reopen: async () => void (await ask(`alter user ${account} account unlock`)),
    allClosed: () => gone('true'),
    async remove() {
      await end(await ask(`select id ${open}`));
      await ask(`drop database if exists ${name}; drop user if exists ${account}`);
    },
  };
}

function mustHave(): MysqlAddress {
  if (mariadb === null) throw new Error('there is no MariaDB in this run');
  return mariadb;
}
