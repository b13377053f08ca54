import { type Clock, systemClock } from '../../base/clock.js';
import { type Database, makeDatabase } from '../../db/database.js';
import { accessOptions, type PostgresAccess } from '../../db/postgres-place.js';
import type { Segment } from '../api.js';
import { tooManyConnections } from '../connection-limits.js';
import { leftWatch } from './left-watch.js';
import { inspect, tryWriting } from './postgres-inspect.js';
import { countInto, type Observer } from './postgres-observer.js';
import { queriesFor } from './postgres-queries.js';
import { type PostgresWatch, watchPostgres } from './postgres-watch.js';
import type { SqlTarget } from './sql-target.js';
import type { PoolSize } from './sqlite.js';

export interface PostgresTargetOptions {
  readonly access: PostgresAccess;
  readonly pool: PoolSize;
  readonly allowWrites: boolean;
  /** Looks at the server meanwhile, and stays open. Default null: nobody looks. */
  readonly observer?: Observer | null;
  /** The part of the load that this pool is for: only the first observes the server. Default: the whole. */
  readonly segment?: Segment;
  readonly clock?: Clock;
  /** Connections can be taken over as bytes, for the wire engine. Default false. */
  readonly isRaw?: boolean;
  /** Calls back with the database as soon as it is made: to watch its pool. */
  readonly onOpen?: (database: Database) => void;
  /** Told what the user should know before the load begins. */
  readonly onRemark?: (text: string) => void;
}

/** A PostgreSQL database, direct or through PgBouncer; it is only read unless writes are allowed, see `inspect`. */
export function postgresDatabase(options: PostgresTargetOptions): SqlTarget {
  const { access, pool, allowWrites, observer = null, segment, clock = systemClock, isRaw = false } = options;
  return {
    placeholder: (position) => `$${position}`,
    async open({ stop }) {
      const settings = {
        ...accessOptions(access),
        ...pool,
        ...(allowWrites || access.pgbouncer ? {} : { readOnly: true }),
        ...(isRaw ? { leakWatch: false as const } : {}),
      };
      const database = makeDatabase(access.url, settings, { isRaw });
      options.onOpen?.(database);
      let watch: PostgresWatch | null = null;
      if (observer !== null && (segment?.index ?? 1) === 1)
        watch = await watchPostgres(observer, database, access, { clock, stop });
      else if (observer !== null) watch = countOnly(observer, database);
      const remark = watch && tooManyConnections(pool, watch.figures(), segment?.count);
      if (remark !== null) options.onRemark?.(remark);
      const between = access.pgbouncer ? ' through PgBouncer' : '';
      return {
        database,
        title: `${database.name}${between}, ${allowWrites ? 'writes allowed' : 'read-only'}`,
        inProcess: false,
        ...(watch === null ? {} : { server: watch }),
        builtIn: queriesFor,
        inspect,
        tryWriting,
        async close({ atOnce }) {
          // The last figures of the server come after the last connection, if there is time for it at all.
          if (atOnce) await Promise.all([database.close({ graceMs: 0 }), watch?.finish({ atOnce })]);
          else await database.close().then(() => watch?.finish({ atOnce }));
        },
      };
    },
  };
}

function countOnly(observer: Observer, database: Database): PostgresWatch {
  const tally = { transactions: 0 };
  countInto(tally, database, { connects: !observer.pooled });
  return leftWatch(undefined, () => tally.transactions + observer.tally.transactions);
}
