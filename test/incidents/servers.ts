import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { freePort, type Guarded, serverUser, startGuarded } from '../helpers/guarded.js';
import { connectAdmin } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import type { Lab } from './lab.js';

/** A PostgreSQL of these incidents' own: they stop it, fill it up, and change its rules. */
export class OwnPostgres {
  server!: PostgresServer;
  #admin!: pg.Client;

  /** To be called in a `describe`. */
  constructor(settings: readonly string[]) {
    beforeAll(async () => {
      // In its file, so that standbys have them, too.
      this.server = await startPostgres([], settings);
      await this.reconnect();
      await this.run('create database shop');
      await this.run("create role app login password 'app'");
      await this.run("create role billing login password 'billing'");
      const shop = await connectAdmin('shop', this.server);
      await shop.query(
        'create table accounts (id int primary key, balance int); create table log (x int); grant all on all tables in schema public to app, billing; grant create on schema public to app; alter table log owner to app',
      );
      await shop.query('insert into accounts select i, 0 from generate_series(1, 99) i');
      await shop.end();
    });
    // What an application that is gone has left on the server belongs to no later incident.
    afterEach(() => this.endSessions());
    afterAll(async () => {
      await this.#admin.end().catch(() => {});
      await this.server.remove();
    });
  }

  endSessions(): Promise<unknown> {
    return this.run(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename in ('app', 'billing')",
    );
  }

  /** After a restart of the server. */
  async reconnect(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        this.#admin = await connectAdmin('postgres', this.server);
        return;
      } catch (error) {
        // It recovers after a crash.
        if (tries > 100) throw error;
        await new Promise((resolve) => void setTimeout(resolve, 100));
      }
    }
  }

  url(user = 'app', password = user, port = this.server.port, database = 'shop'): string {
    return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  }

  /** The address of the superuser. */
  root(database = 'shop'): string {
    const { user, password, port } = this.server;
    return this.url(user, encodeURIComponent(password), port, database);
  }

  async run(sql: string): Promise<readonly Record<string, unknown>[]> {
    return (await this.#admin.query<Record<string, unknown>>(sql)).rows;
  }

  /** Statements of the superuser now, and others when the incident is over. */
  async set(lab: Lab, now: readonly string[], after: readonly string[]): Promise<void> {
    for (const one of now) await this.run(one);
    lab.defer(async () => {
      for (const one of after) await this.run(one);
    });
  }

  /** Somebody else's session in the database, until the incident is over. */
  async session(lab: Lab, ...statements: readonly string[]): Promise<pg.Client> {
    const client = await connectAdmin('shop', this.server);
    lab.defer(() => client.end().catch(() => {}));
    for (const one of statements) await client.query(one);
    return client;
  }

  /** Statements of the superuser in the database, on a connection of their own. */
  async inShop(...statements: readonly string[]): Promise<void> {
    const client = await connectAdmin('shop', this.server);
    for (const one of statements) await client.query(one);
    await client.end();
  }

  /** Another pg_hba.conf, until the incident is over. */
  async rules(lab: Lab, lines: readonly string[]): Promise<void> {
    const [row] = await this.run('show hba_file');
    const path = String(row?.hba_file);
    const before = await readFile(path, 'utf8');
    const all = [
      ...lines,
      ...[`host shop ${this.server.user} all scram-sha-256`, 'host postgres all all scram-sha-256'],
      'local all all trust',
    ];
    await writeFile(path, `${all.join('\n')}\n`);
    await this.run('select pg_reload_conf()');
    lab.defer(async () => {
      await writeFile(path, before);
      await this.run('select pg_reload_conf()');
    });
  }

  async bouncer(
    lab: Lab,
    settings: Readonly<Record<string, string | number>> = {},
    {
      users = '"app" "app"\n"billing" "billing"\n"admin" "admin"\n',
      database = '* = host=127.0.0.1 port=PORT',
      shell,
    }: BouncerOptions = {},
  ): Promise<Bouncer> {
    const port = await freePort();
    const user = serverUser();
    const file = join(lab.folder, 'pgbouncer.ini');
    const write = (changed: Readonly<Record<string, string | number>>): Promise<void> => {
      const all = {
        ...{ listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'scram-sha-256' },
        ...{ auth_file: join(lab.folder, 'users'), admin_users: 'admin', pool_mode: 'transaction' },
        ...{ server_login_retry: 3, ...settings, ...changed },
      };
      const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}`);
      const databases = database.replace('PORT', String(this.server.port));
      return writeFile(file, ['[databases]', databases, '[pgbouncer]', ...lines, ''].join('\n'));
    };
    await write({});
    await writeFile(join(lab.folder, 'users'), users);
    for (const path of [lab.folder, file, join(lab.folder, 'users')]) {
      await chmod(path, path === lab.folder ? 0o755 : 0o700);
      if (user.uid !== undefined && user.gid !== undefined && path !== lab.folder)
        await chown(path, user.uid, user.gid);
    }
    const program = ['pgbouncer', file];
    const running = await startGuarded(
      shell === undefined ? program : ['sh', '-c', `${shell}; exec "$@"`, 'sh', ...program],
      { user, folder: join(lab.folder, 'none'), stopSignal: 'INT', ready: /process up/ },
    );
    lab.defer(() => running.stop());
    const console = `pgbouncer://admin:admin@127.0.0.1:${port}/`;
    const command = async (text: string): Promise<void> => {
      const client = new pg.Client(`${console.replace('pgbouncer:', 'postgres:')}pgbouncer`);
      await client.connect();
      await client.query(text);
      await client.end();
    };
    return {
      ...{ app: this.url('app', 'app', port), port, console, running, command },
      async reload(changed) {
        await write(changed);
        await command('RELOAD');
      },
    };
  }
}

export interface BouncerOptions {
  readonly users?: string;
  /** A line of [databases]; PORT stands for that of the server. */
  readonly database?: string;
  /** What the shell does before it starts, as `ulimit -n 40`. */
  readonly shell?: string;
}

export interface Bouncer {
  /** The address of the application. */
  readonly app: string;
  readonly port: number;
  readonly console: string;
  readonly running: Guarded;
  command(text: string): Promise<void>;
  /** Other lines of its file, taken at once. */
  reload(changed: Readonly<Record<string, string | number>>): Promise<void>;
}
