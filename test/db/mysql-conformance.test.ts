import { createDatabase } from '../../src/db/database.js';
import {
  type DatabaseUnderTest,
  describeDatabase,
  type TestDatabase,
} from '../helpers/database-conformance.js';
import { describeWithMariaDb, newMysqlDatabase } from '../helpers/mysql.js';

const mysql: Omit<DatabaseUnderTest, 'title' | 'prepare'> = {
  placeholder: () => '?',
  codes: { syntax: 'ER_PARSE_ERROR', notNull: 'ER_BAD_NULL_ERROR', parameterMissing: 'ERR_DB_PARAM' },
  positions: false,
  types: {
    key: 'integer auto_increment primary key',
    text: 'text',
    real: 'double',
    bytes: 'blob',
    bigint: 'bigint',
  },
  slow: 'select sleep(20)',
  can: { share: true, runInParallel: true, beKilled: true, beAway: true },
};

describeWithMariaDb('on a real server', () => {
  describeDatabase({ ...mysql, title: 'MariaDB', prepare: () => prepare('') });
  describeDatabase({
    ...mysql,
    title: 'MariaDB, statements prepared',
    prepare: () => prepare('?prepare_threshold=1'),
  });
  describeDatabase({ ...mysql, title: 'MariaDB, over TLS', prepare: () => prepare('?ssl-mode=REQUIRED') });
});

async function prepare(params: string): Promise<TestDatabase> {
  const own = await newMysqlDatabase();
  return {
    open: (options) => createDatabase(own.url({ params }), { size: 10, ...options }),
    kill: own.killOldest,
    outage: { begin: own.shut, end: own.reopen },
    allClosed: own.allClosed,
    remove: own.remove,
  };
}
