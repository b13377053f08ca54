import { once } from 'node:events';
import type { Socket } from 'node:net';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../helpers/eventually.js';
import { pgbouncerVersion } from '../helpers/pgbouncer.js';
import { describeWithPostgres } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import { connected, examine, provesBothWays, setSystem, sql, startPooler, urlOf } from './bench.js';

describeWithPostgres('a check of PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres([], ['max_connections=20']);
  });
  afterAll(() => server?.remove());

  const patient = (flags: readonly string[] = []) => ({ server, targets: [urlOf(server)], flags });

  /** Sets it, and takes it back: repaired, then as it was. */
  const withSetting = async (name: string, value: string, work: () => Promise<unknown>): Promise<void> => {
    await setSystem(server, name, value);
    await work();
    await sql(server, `ALTER SYSTEM RESET ${name}`);
    await sql(server, 'SELECT pg_reload_conf()');
  };

  it('idle-transaction-timeout: a transaction may be left open for ever', async () => {
    const [before, after] = await provesBothWays('idle-transaction-timeout', 'fail', patient());
    expect(before.evidence).toEqual(['idle_in_transaction_session_timeout = 0 (default)']);
    expect(after.summary).toBe('after 10m');
  });

  it('statement-timeout: a query may run for ever', async () => {
    const [before, after] = await provesBothWays('statement-timeout', 'warn', patient());
    expect(before.evidence).toContain('statement_timeout = 0 (default)');
    expect(after.summary).toContain('1m');
  });

  it('server-keepalives: a dead client would stay for two hours', () =>
    withSetting('tcp_keepalives_idle', '7200', async () => {
      const [before, after] = await provesBothWays('server-keepalives', 'warn', patient());
      expect(before.summary).toMatch(/^the server detects a dead client after 2h/);
      expect(after.summary).toBe('the server detects a dead client after 1m50s');
    }));

  it('idle-session-timeout: connections are cut in the pool', () =>
    withSetting('idle_session_timeout', '5min', async () => {
      const [before] = await provesBothWays('idle-session-timeout', 'fail', patient());
      expect(before.summary).toBe('the server ends idle connections after 5m');
    }));

  it('idle-session-timeout: that of the database alone is taken back there', async () => {
    await sql(server, "ALTER DATABASE postgres SET idle_session_timeout = '7min'");
    await sql(server, "ALTER ROLE postgres SET idle_session_timeout = '5min'");
    const [before] = await provesBothWays('idle-session-timeout', 'fail', patient());
    expect(before.evidence).toEqual(['idle_session_timeout = 5m (user)']);
    expect(before.fix?.steps.map(({ text }) => text)).toEqual([
      'ALTER DATABASE "postgres" RESET idle_session_timeout',
      'ALTER ROLE "postgres" RESET idle_session_timeout',
      "ALTER SYSTEM SET idle_session_timeout = '0'",
      'SELECT pg_reload_conf()',
    ]);
  });

  it('activity-tracking: nothing is to be seen', () =>
    withSetting('track_activities', 'off', async () => {
      const [before] = await provesBothWays('activity-tracking', 'fail', patient());
      expect(before.summary).toBe('track_activities is off');
    }));

  it('password-encryption: md5', () =>
    withSetting('password_encryption', 'md5', async () => {
      const [before] = await provesBothWays('password-encryption', 'warn', patient());
      expect(before.summary).toBe('password_encryption is md5');
    }));

  it('work-memory: all connections together need more than there is', () =>
    withSetting('work_mem', '100MB', async () => {
      const [before, after] = await provesBothWays('work-memory', 'fail', patient(['--memory=1GiB']));
      expect(before.summary).toMatch(/^128MB \+ 20 x 100MB = 2.08GB, memory 1GB$/);
      expect(after.summary).toMatch(/memory 1GB$/);
    }));

  it('cache-size: the planner believes in memory that is not there', async () => {
    const [before] = await provesBothWays('cache-size', 'warn', patient(['--memory=2GiB']));
    expect(before.summary).toBe('4GB of 2GB (200 %)');
  });

  it('pg-monitor: others are not to be seen', async () => {
    const name = `mon"it'or\n%s`;
    await sql(server, `CREATE ROLE "${name.replace('"', '""')}" LOGIN PASSWORD 'x'`);
    const targets = [urlOf(server, { user: name, password: 'x' })];
    const [before] = await provesBothWays('pg-monitor', 'fail', { server, targets });
    expect(before.fix?.steps[0]?.text).toBe(`GRANT pg_monitor TO U&"mon""it'or\\+00000a%s"`);
  });

  it('idle-transactions-now: somebody has forgotten a transaction', async () => {
    const client = await connected(server);
    const ended = once(client, 'error');
    await client.query('BEGIN; SELECT 1 AS forgotten');
    const [before, after] = await provesBothWays(
      'idle-transactions-now',
      'fail',
      patient(['--idle-transaction=1ms']),
    );
    await ended;
    expect(before.evidence[0]).toMatch(
      /^pid \d+, postgres@postgres from 127.0.0.1:\d+, idle in transaction for/,
    );
    expect(before.evidence[0]).toMatch(/SELECT 1 AS forgotten$/);
    expect(after.summary).toMatch(/^none for longer than 1ms/);
  });

  it('lock-waits-now: somebody waits for somebody', async () => {
    await sql(server, 'CREATE TABLE one (id int); INSERT INTO one VALUES (1)');
    const clients = await Promise.all([connected(server), connected(server)]);
    const [holder, waiter] = clients as [pg.Client, pg.Client];
    await holder.query('BEGIN; UPDATE one SET id = 2');
    const waiting = waiter.query('UPDATE one SET id = 3');
    waiting.catch(() => {});
    await eventually(async () => {
      const { results } = await examine([urlOf(server), '--only=lock-waits-now', '--queue-wait=1ms']);
      return results[0]?.status === 'fail';
    });
    const [before] = await provesBothWays('lock-waits-now', 'fail', patient(['--queue-wait=1ms']));
    await waiting;
    expect(before.evidence.join('\n')).toMatch(
      /blocks: pid .*idle in transaction[\s\S]*waits for .*UPDATE one SET id = 3/,
    );
    await waiter.end();
  });

  it('long-queries-now: somebody asks for too much', async () => {
    const client = await connected(server);
    const asking = client.query('SELECT pg_sleep(600)').catch((error: Error) => error.message);
    const flags = ['--long-query=1ms'];
    await eventually(async () => {
      const { results } = await examine([urlOf(server), '--only=long-queries-now', ...flags]);
      return results[0]?.status === 'fail';
    });
    const [before] = await provesBothWays('long-queries-now', 'fail', patient(flags));
    expect(before.evidence[0]).toMatch(/^pid \d+, postgres@postgres from .*: SELECT pg_sleep\(600\)$/);
    expect(await asking).toMatch(/canceling statement due to user request/);
    await client.end();
  });

  it('sessions-abandoned: clients vanish', async () => {
    await sql(server, 'CREATE DATABASE "left %s \'alone"');
    const database = "left %s 'alone";
    const vanish = async (client: pg.Client): Promise<void> => {
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
      stream.destroy();
      await once(stream, 'close');
    };
    for (let count = 0; count < 6; count++) await vanish(await connected(server, { database }));
    const argv = [urlOf(server, { database }), '--only=sessions-abandoned'];
    await eventually(async () => (await examine(argv)).results[0]?.status === 'fail');
    const targets = [urlOf(server, { database })];
    const [before] = await provesBothWays('sessions-abandoned', 'fail', { server, targets });
    expect(before.evidence[0]).toMatch(/^database left %s 'alone: 6 of \d+ sessions abandoned, .* an hour/);
  });

  it('pending-restart: settings are not in force', async () => {
    await setPending('max_prepared_transactions', '7');
    const [before] = await provesBothWays('pending-restart', 'warn', patient());
    expect(before).toMatchObject({ summary: 'max_prepared_transactions waits for a restart' });
  });

  it('shared-buffers: far too small', async () => {
    const [before, after] = await provesBothWays('shared-buffers', 'warn', patient(['--memory=2GiB']));
    expect(before.summary).toBe('128MB of 2GB (6 %)');
    expect(after.summary).toMatch(/\(25 %\)$/);
  });

  it.skipIf(pgbouncerVersion === null)('fleet-sum: there are more databases than connections', async () => {
    const names = Array.from({ length: 20 }, (_, at) => `db_${at}`);
    const line = `host=127.0.0.1 port=${server.port} dbname=postgres`;
    const pooler = await startPooler(server, {
      databases: Object.fromEntries(names.map((name) => [name, line])),
      settings: { default_pool_size: 2 },
    });
    const targets = [urlOf(server), pooler.url()];
    for (const check of ['fleet-sum', 'pool-explosion']) {
      await sql(server, 'ALTER SYSTEM RESET max_connections');
      await server.stop();
      await server.start();
      const [before, after] = await provesBothWays(check, 'fail', { server, pooler, targets });
      expect(before.summary).toMatch(/^up to 40 connections; the server has 1\d$/);
      expect(after.evidence).toContain('10 further databases: 20');
    }
    await pooler.stop();
    await sql(server, 'ALTER SYSTEM RESET max_connections');
  });

  it('reserved-connections: no place is left for a superuser', async () => {
    await sql(server, 'ALTER SYSTEM SET superuser_reserved_connections = 0');
    await server.stop();
    await server.start();
    const [before, after] = await provesBothWays('reserved-connections', 'fail', patient());
    expect(before.summary).toBe('only 0 are reserved for superusers');
    expect(after.summary).toBe('5 are reserved for superusers');
  });

  it('connection-headroom: pools have nearly all, then all', async () => {
    await sql(server, "CREATE ROLE app LOGIN PASSWORD 'x'");
    const fill = async (): Promise<void> => {
      for (;;) await connected(server, { user: 'app', password: 'x' });
    };
    await fill().catch(() => {});
    const full = await examine([urlOf(server, { user: 'app', password: 'x' }), '--only=connection-headroom']);
    expect(full.results).toMatchObject([
      { status: 'fail', summary: 'all connections are in use: the server accepts no more' },
    ]);
    expect(full).toMatchObject({ code: 1, targets: [{ problem: { code: '53300' } }] });
    // A superuser still gets in, by what is reserved.
    const [before, after] = await provesBothWays('connection-headroom', 'fail', patient());
    expect(before.summary).toMatch(/^1[56] of 15 connections are in use/);
    expect(after.evidence).toEqual(['max_connections 40 - superuser_reserved_connections 5 = 35']);
  });

  /** Written and read, and waiting for a restart. */
  async function setPending(name: string, value: string): Promise<void> {
    await sql(server, `ALTER SYSTEM SET ${name} = '${value}'`);
    await sql(server, 'SELECT pg_reload_conf()');
    await eventually(async () => {
      const [row] = await sql(server, `SELECT pending_restart FROM pg_settings WHERE name = '${name}'`);
      return row?.pending_restart === true;
    });
  }
});
