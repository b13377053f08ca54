import { type Clock, systemClock } from '../../base/clock.js';
import { createDatabase, type Database } from '../../db/database.js';
import { type MysqlPlaceAccess, mysqlOptions } from '../../db/mysql-place.js';
import type { Segment } from '../api.js';
import { tooManyConnections } from '../connection-limits.js';
import { leftWatch } from './left-watch.js';
import { inspect, tryWriting } from './mysql-inspect.js';
import { countStatements, type MysqlObserver } from './mysql-observer.js';
import { queriesFor } from './mysql-queries.js';
import { type MysqlWatch, watchMysql } from './mysql-watch.js';
import type { SqlTarget } from './sql-target.js';
import type { PoolSize } from './sqlite.js';

export interface MysqlTargetOptions {
  readonly access: MysqlPlaceAccess;
  readonly pool: PoolSize;
  readonly allowWrites: boolean;
  /** Looks at the server meanwhile, and stays open. Default null: nobody looks. */
  readonly observer?: MysqlObserver | null;
  /** The part of the load that this pool is for: only the first observes the server. Default: the whole. */
  readonly segment?: Segment;
  readonly clock?: Clock;
  /** Calls back with the database as soon as it is made: to watch its pool. */
  readonly onOpen?: (database: Database) => void;
  /** Told what the user should know before the load begins. */
  readonly onRemark?: (text: string) => void;
}

/** A MySQL or MariaDB database; it is only read unless writes are allowed, see `inspect`. */
export function mysqlDatabase(options: MysqlTargetOptions): SqlTarget {
  const { access, pool, allowWrites, observer = null, segment, clock = systemClock } = options;
  return {
    placeholder: () => '?',
    async open({ stop }) {
      const database = createDatabase(access.url, {
        ...mysqlOptions(access),
        ...pool,
        ...(allowWrites ? {} : { readOnly: true }),
      });
      options.onOpen?.(database);
      let watch: MysqlWatch | null = null;
      if (observer !== null && (segment?.index ?? 1) === 1)
        watch = await watchMysql(observer, database, { clock, stop });
      else if (observer !== null) watch = countOnly(observer, database);
      const remark = watch && tooManyConnections(pool, watch.figures(), segment?.count);
      if (remark !== null) options.onRemark?.(remark);
      if (observer?.proxied === true && !allowWrites) options.onRemark?.(PROXIED);
      const protocol = isPrepared(access) ? 'prepared statements' : 'text protocol';
      return {
        database,
        title: `${database.name}, ${allowWrites ? 'writes allowed' : 'read-only'}, ${protocol}`,
        inProcess: false,
        ...(watch === null ? {} : { server: watch }),
        builtIn: queriesFor,
        inspect: (session, sql, values, signal) =>
          inspect(session, sql, values, { allowWrites, ...(signal === undefined ? {} : { signal }) }),
        tryWriting,
        async close({ atOnce }) {
          if (atOnce) await Promise.all([database.close({ graceMs: 0 }), watch?.finish({ atOnce })]);
          else await database.close().then(() => watch?.finish({ atOnce }));
        },
      };
    },
  };
}

function countOnly(observer: MysqlObserver, database: Database): MysqlWatch {
  const tally = { questions: 0 };
  countStatements(tally, database);
  const product = observer.isMariaDb ? 'MariaDB' : 'MySQL';
  return leftWatch(product, () => tally.questions + observer.tally.questions);
}

const PROXIED =
  'a proxy is between, which may give a session to others: only the trial before the load is sure to be read-only';

function isPrepared({ url, prepareThreshold }: MysqlPlaceAccess): boolean {
  const said =
    prepareThreshold ?? Number(new URLSearchParams(url.split('?')[1]).get('prepare-threshold') ?? 0);
  return said > 0;
}
