import type { Clock } from '../../base/clock.js';
import { maskUrl } from '../../base/secrets.js';
import { ValueError } from '../../base/units.js';
import { cutUrl } from '../../db/cut-url.js';
import type { Database } from '../../db/database.js';
import { checkMysqlUrl, type MysqlPlaceAccess } from '../../db/mysql-place.js';
import { checkPostgresUrl, type PostgresAccess } from '../../db/postgres-place.js';
import { suggestUrl } from '../../db/suggest-url.js';
import type { Segment } from '../api.js';
import { mysqlDatabase } from './mysql.js';
import type { MysqlObserver } from './mysql-observer.js';
import { postgresDatabase } from './postgres.js';
import type { Observer } from './postgres-observer.js';
import type { SqlTarget } from './sql-target.js';
import { type PoolSize, sqliteFile, temporarySqlite } from './sqlite.js';

/** The targets of a load, by their names. */
export type Target =
  | { readonly kind: 'temporary' }
  | { readonly kind: 'sqlite'; readonly url: string }
  | { readonly kind: 'postgres'; readonly url: string }
  /** MariaDB too. */
  | { readonly kind: 'mysql'; readonly url: string }
  | { readonly kind: 'http'; readonly url: string }
  /** A pool of anything, as a file defines it. */
  | { readonly kind: 'module'; readonly file: string }
  /** A WebSocket feed; `url` null: one of poolctl's own. */
  | { readonly kind: 'feed'; readonly url: string | null };

export type TargetKind = Target['kind'];
export type DatabaseTarget = Exclude<Target, { readonly kind: 'http' | 'feed' | 'module' }>;

/** A database, with all that is needed to open it. */
export type ReachableTarget =
  | Extract<Target, { readonly kind: 'temporary' | 'sqlite' }>
  | { readonly kind: 'postgres'; readonly access: PostgresAccess; readonly observer: Observer }
  | { readonly kind: 'mysql'; readonly access: MysqlPlaceAccess; readonly observer: MysqlObserver };

/** Kinds of targets, as help texts name them. */
export const TARGET_FORMS =
  'sqlite:FILE, postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, http(s)://HOST/PATH, ws(s)://HOST/PATH';
/** Names a feed of poolctl's own. */
export const BUILT_IN_FEED = 'ws:built-in';

/** Reads a target. Throws a ValueError that says what there is. */
export function parseTarget(text: string): Target {
  switch (cutUrl(text)?.scheme) {
    case 'postgres':
      checkPostgresUrl(text);
      return { kind: 'postgres', url: text };
    case 'mysql':
      checkMysqlUrl(text);
      return { kind: 'mysql', url: text };
  }
  const meant = suggestUrl(text, ['http', 'https', 'wss']);
  if (meant !== null) throw new ValueError(`unknown target '${maskUrl(text)}'; did you mean '${meant}'?`);
  const [, scheme] = /^([a-z][a-z0-9+.-]+):/i.exec(text) ?? [];
  if (scheme === undefined)
    throw new ValueError(`'${maskUrl(text)}' has no scheme; for a SQLite file write sqlite:${maskUrl(text)}`);
  switch (scheme.toLowerCase()) {
    case 'sqlite':
      return sqliteTarget(text);
    case 'http':
    case 'https':
      return { kind: 'http', url: webUrl(text) };
    case 'ws':
    case 'wss':
      if (text.toLowerCase() === BUILT_IN_FEED) return { kind: 'feed', url: null };
      return { kind: 'feed', url: webUrl(text) };
    default:
      throw new ValueError(`unknown kind of target '${scheme}:'; supported are ${TARGET_FORMS}`);
  }
}

/** Throws a ValueError where it is no URL with a host. */
function webUrl(text: string): string {
  if (!/^[a-z]+:\/\/[^/]/i.test(text) || !URL.canParse(text)) {
    throw new ValueError(
      `'${maskUrl(text)}' is not a URL; write something like http://127.0.0.1:8080/health`,
    );
  }
  const url = new URL(text);
  url.hash = '';
  return url.href;
}

function sqliteTarget(text: string): Target {
  if (/^sqlite:(\/\/\/?)?:memory:/i.test(text)) {
    throw new ValueError(
      'a database in memory cannot be shared by a pool; leave the target out for a temporary file',
    );
  }
  return { kind: 'sqlite', url: text };
}

export interface TargetOptions {
  readonly pool: PoolSize;
  readonly allowWrites: boolean;
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** The folder for temporary data. */
  readonly tempFolder: string;
  readonly clock: Clock;
  /** Left out: the whole load. */
  readonly segment?: Segment;
  readonly onOpen: (database: Database) => void;
  /** Told what the user should know before the load begins. */
  readonly onRemark: (text: string) => void;
  /** PostgreSQL: connections can be taken over as bytes. */
  readonly isRaw: boolean;
}

export function openTargetFor(target: ReachableTarget, options: TargetOptions): SqlTarget {
  switch (target.kind) {
    case 'temporary':
      return temporarySqlite(options);
    case 'sqlite':
      return sqliteFile({ ...options, url: target.url });
    case 'postgres':
      return postgresDatabase({ ...options, access: target.access, observer: target.observer });
    case 'mysql':
      return mysqlDatabase({ ...options, access: target.access, observer: target.observer });
  }
}
