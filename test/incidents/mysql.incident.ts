import { afterEach, beforeEach, describe } from 'vitest';
import { askMysql, connectMysqlAdmin, mariadb, newMysqlDatabase, type OwnMysql } from '../helpers/mysql.js';
import { incident, type Lab, printTable } from './lab.js';

describe.skipIf(mariadb === null)('incidents on MariaDB', () => {
  let own: OwnMysql;
  printTable();

  beforeEach(async () => {
    own = await newMysqlDatabase();
    await askMysql(
      `create table ${own.name}.accounts (id int primary key, balance int); create table ${own.name}.log (x int);
       insert into ${own.name}.accounts select seq, 0 from ${own.name}.seq_1_to_99`,
    );
  });
  afterEach(() => own.remove());

  const runs = (lab: Lab, state: string): void => {
    lab.sources = [own.url()];
    lab.asAdmin = () => {
      if (mariadb === null) throw new Error('there is no MariaDB');
      const { port, user, password } = mariadb;
      return `mysql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/`;
    };
    lab.app('mysql.mjs', [own.url(), state]);
  };
  /** A session of somebody else that holds something up. */
  const other = async (lab: Lab, ...statements: string[]): Promise<void> => {
    const session = connectMysqlAdmin(undefined, own.name);
    lab.defer(() => session.end());
    for (const one of statements) await session.ask(one);
  };

  /** The state, the cause, and what the printed step says that the repaired form of the state does. */
  const SIMPLE: readonly (readonly [state: string, cause: string | null, printed?: RegExp])[] = [
    ['leak', 'leak-missing-release', /connection\.release\(\) in a finally/],
    ['leftOpen', 'transaction-left-open', /connection\.commit\(\)/],
    ['remoteCall', 'remote-call-in-transaction'],
    ['poisoned', 'poisoned-connection', /connection\.rollback\(\) in the catch/],
    ['slow', 'slow-query'],
    ['sleep', 'slow-query'],
    ['deadlock', 'deadlock-storm', /lock in one order everywhere/],
    ['idleCut', 'idle-connections-cut'],
    ['idleTransactionCut', 'idle-transaction-killed'],
    ['statementTimeout', 'slow-query'],
    ['clientTimeout', 'query-left-by-client-timeout'],
    ['nested', 'nested-acquire', /hand the connection down/],
    ['fanOut', 'fan-out-promise-all'],
    ['poolPerRequest', 'pool-per-request', /globalThis\.pool \?\?= mysql\.createPool/],
    ['ended', 'pool-ended-too-early', /pool\.end\(\) last/],
    ['stream', 'server-waits-for-client'],
    ['burst', null],
    ['full', null],
  ];
  for (const [state, cause, printed] of SIMPLE)
    incident(`mysql2 ${state}`, async (lab) => {
      runs(lab, state);
      const said = await lab.expect(cause);
      if (printed !== undefined) await lab.repairCode(said, printed, { limitMs: 25_000 });
    });

  incident('mysql2 row: held by another session', async (lab) => {
    await other(lab, 'begin', 'update accounts set balance = 1 where id = 1');
    runs(lab, 'row');
    await lab.expect('lock-chain-row');
  });
  incident('mysql2 lock-wait timeout', async (lab) => {
    await other(lab, 'begin', 'update accounts set balance = 1 where id = 1');
    runs(lab, 'lockTimeout');
    await lab.expect('lock-chain-row');
  });
  incident('mysql2 DDL waits for a reader, and all wait for the DDL', async (lab) => {
    await other(lab, 'begin', 'select * from accounts');
    const ddl = connectMysqlAdmin(undefined, own.name);
    lab.defer(() => ddl.end());
    ddl.ask('alter table accounts add column x int').catch(() => {});
    runs(lab, 'read');
    await lab.expect('ddl-lock-queue');
  });
  incident('mysql2 LOCK TABLES', async (lab) => {
    await other(lab, 'lock tables accounts write');
    runs(lab, 'read');
    await lab.expect('lock-chain-row');
  });
  incident('mysql2 GET_LOCK', async (lab) => {
    await other(lab, "select get_lock('nightly', 1)");
    runs(lab, 'userLock');
    await lab.expect('advisory-lock-held');
  });
  incident('mysql2: a backup keeps the global read lock', async (lab) => {
    await other(lab, 'flush tables with read lock');
    runs(lab, 'write');
    await lab.repairSql(await lab.expect('lock-chain-row'));
  });
  incident('mysql2: a pool that refuses instead of queuing', async (lab) => {
    runs(lab, 'refusing');
    await lab.expect('slow-query');
  });
  incident('mysql2: a queue that is full', async (lab) => {
    runs(lab, 'queueLimit');
    await lab.expect('pool-too-small');
  });
  incident('mysql2 read-only server', async (lab) => {
    await askMysql('set global read_only = 1');
    lab.defer(() => askMysql('set global read_only = 0'));
    runs(lab, 'write');
    await lab.expect('fail-over-read-only');
  });
  incident('mysql2 server full', async (lab) => {
    const before = Number((await askMysql('select @@global.max_connections as n'))[0]?.n);
    const used = Number((await askMysql("show status like 'Threads_connected'"))[0]?.Value);
    await askMysql(`set global max_connections = ${Math.max(10, used + 1)}`);
    lab.defer(() => askMysql(`set global max_connections = ${before}`));
    const others = Array.from({ length: Math.max(10, used + 1) - used }, () => connectMysqlAdmin());
    lab.defer(() => others.map((one) => one.end()));
    for (const one of others) await one.ask('select 1').catch(() => {});
    runs(lab, 'read');
    await lab.expect('fleet-exceeds-server');
  });
  incident('mysql2 limit of the account', async (lab) => {
    await askMysql(`grant usage on *.* to '${own.name}'@'127.0.0.1' with max_user_connections 1`);
    lab.sources = [];
    lab.app('mysql.mjs', [own.url(), 'sleep']);
    await lab.expect('role-connection-limit');
  });
  incident('mysql2 wrong password', async (lab) => {
    lab.app('mysql.mjs', [own.url().replace(/:[^:@]+@/, ':wrong@'), 'read']);
    await lab.expect('wrong-password');
  });
  incident('mysql2 unknown database', async (lab) => {
    lab.app('mysql.mjs', [own.url().replace(/\/[^/]+$/, '/nowhere'), 'read']);
    await lab.expect('role-cannot-connect');
  });
  incident('mysql2 server down', async (lab) => {
    lab.app('mysql.mjs', ['mysql://a:b@127.0.0.1:1/x', 'read']);
    await lab.expect('server-down');
  });
  incident('mysql2 too many prepared statements', async (lab) => {
    const before = Number((await askMysql('select @@global.max_prepared_stmt_count as n'))[0]?.n);
    await askMysql('set global max_prepared_stmt_count = 20');
    lab.defer(() => askMysql(`set global max_prepared_stmt_count = ${before}`));
    runs(lab, 'statements');
    await lab.expect('too-many-prepared-statements');
  });
  incident('mysql2 connections killed', async (lab) => {
    runs(lab, 'sleep');
    await lab.expect('slow-query');
    const rows = await askMysql(
      `select id from information_schema.processlist where user = '${own.name}' and info like 'select sleep%'`,
    );
    for (const { id } of rows) await askMysql(`kill ${Number(id)}`);
    await lab.look();
  });
});
