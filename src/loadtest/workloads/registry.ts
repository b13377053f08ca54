import type { Clock } from '../../base/clock.js';
import { ValueError } from '../../base/units.js';
import type { Database } from '../../db/database.js';
import { checkPostgresUrl, type PostgresAccess } from '../../db/postgres-place.js';
import { postgresDatabase } from './postgres.js';
import type { Observer } from './postgres-observer.js';
import type { SqlTarget } from './sql.js';
import { type PoolSize, sqliteFile, temporarySqlite } from './sqlite.js';

/** What a load can be sent to, as it is named. */
export type Target =
  | { readonly kind: 'temporary' }
  | { readonly kind: 'sqlite'; readonly url: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** The same, with all that is needed to open it. */
export type ReachableTarget =
  | Exclude<Target, { readonly kind: 'postgres' }>
  | { readonly kind: 'postgres'; readonly access: PostgresAccess; readonly observer: Observer };

/** Kinds of targets, as help texts name them. */
export const TARGET_FORMS = 'sqlite:FILE, postgres://USER@HOST/DATABASE';

/** Reads a target. Throws a ValueError that says what there is. */
export function parseTarget(text: string): Target {
  const [, scheme] = /^([a-z][a-z0-9+.-]+):/i.exec(text) ?? [];
  if (scheme === undefined)
    throw new ValueError(`'${text}' has no scheme; for a SQLite file write sqlite:${text}`);
  switch (scheme.toLowerCase()) {
    case 'sqlite':
      return sqliteTarget(text);
    case 'postgres':
    case 'postgresql':
      checkPostgresUrl(text);
      return { kind: 'postgres', url: text };
    default:
      throw new ValueError(`'${scheme}' is no target that can be tested; there is ${TARGET_FORMS}`);
  }
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
  /** What relative paths are relative to. */
  readonly folder: string;
  /** Where temporary data may be put. */
  readonly tempFolder: string;
  readonly clock: Clock;
  readonly onOpen: (database: Database) => void;
  /** Told what the user should know before the load begins. */
  readonly onRemark: (text: string) => void;
}

export function openTargetFor(target: ReachableTarget, options: TargetOptions): SqlTarget {
  switch (target.kind) {
    case 'temporary':
      return temporarySqlite(options);
    case 'sqlite':
      return sqliteFile({ ...options, url: target.url });
    case 'postgres':
      return postgresDatabase({ ...options, access: target.access, observer: target.observer });
  }
}
