import { afterEach, beforeEach, describe } from 'vitest';
import { askMysql, connectMysqlAdmin, mariadb, newMysqlDatabase, type OwnMysql } from '../helpers/mysql.js';
import { ask, connectAdmin, newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { incident, type Lab, printTable } from './lab.js';

/** Situations of public reports that are not in the catalog, and variants of it in other libraries. */
describe.skipIf(mariadb === null || postgres === null)('incidents in other libraries', () => {
  let own: OwnMysql;
  let shop: OwnDatabase;
  printTable();

  beforeEach(async () => {
    own = await newMysqlDatabase();
    await askMysql(
      `create table ${own.name}.accounts (id int primary key, balance int);
       insert into ${own.name}.accounts select seq, 0 from ${own.name}.seq_1_to_99`,
    );
    shop = await newDatabase();
    const admin = await connectAdmin(shop.name);
    await admin.query('create table accounts (id int primary key, balance int)');
    await admin.query('insert into accounts select i, 0 from generate_series(1, 99) i');
    await admin.end();
  });
  afterEach(async () => {
    await own.remove();
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${shop.name}'`);
  });

  const runs = (lab: Lab, url: string, state: string): void => {
    lab.sources = [url];
    lab.app('libraries.mjs', [url, state]);
  };

  const CASES: readonly (readonly [state: string, on: 'postgres' | 'mysql', cause: string | null])[] = [
    ['knexTransactionForgotten', 'postgres', 'transaction-left-open'],
    ['knexTransactionForgotten', 'mysql', 'transaction-left-open'],
    ['knexPastItsTransaction', 'postgres', 'nested-acquire'],
    ['knexPastItsTransaction', 'mysql', 'nested-acquire'],
    ['knexSlow', 'mysql', 'slow-query'],
    ['sequelizeUnmanaged', 'postgres', 'transaction-left-open'],
    ['sequelizeUnmanaged', 'mysql', 'transaction-left-open'],
    ['sequelizePastItsTransaction', 'mysql', 'nested-acquire'],
    ['typeormRunnerKept', 'postgres', 'leak-missing-release'],
    ['typeormRunnerKept', 'mysql', 'leak-missing-release'],
    ['typeormRemoteCall', 'mysql', 'remote-call-in-transaction'],
    ['postgresReserved', 'postgres', 'leak-missing-release'],
    ['postgresBeginPastIt', 'postgres', 'nested-acquire'],
    ['postgresListen', 'postgres', null],
    ['mariadbErrorPath', 'mysql', 'transaction-left-open'],
    ['mariadbSlow', 'mysql', 'slow-query'],
    ['mariadbLeak', 'mysql', 'leak-missing-release'],
    ['mysqlWaitsForItself', 'mysql', 'transaction-left-open'],
    ['mysqlIdleTimeoutTiny', 'mysql', 'connection-churn'],
    ['steady', 'postgres', null],
    ['steady', 'mysql', null],
  ];
  for (const [state, on, cause] of CASES)
    incident(`${state} on ${on}`, async (lab) => {
      runs(lab, on === 'mysql' ? own.url() : shop.url(), state);
      await lab.expect(cause);
    });

  incident('knexLocked on mysql', async (lab) => {
    const session = connectMysqlAdmin(undefined, own.name);
    lab.defer(() => session.end());
    await session.ask('begin');
    await session.ask('update accounts set balance = 1 where id = 1');
    runs(lab, own.url(), 'knexLocked');
    await lab.expect('lock-chain-row');
  });
});
