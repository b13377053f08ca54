import { createRequire } from 'node:module';
import type { DatabaseOptions } from '../../src/db/connection.js';

type Engine = NonNullable<DatabaseOptions['engine']>;

let tested: Engine | null = null;

/** The option that the tests of SQLite in this file pass: nothing, unless `testOn` was called before. */
export function engineOption(): { readonly engine?: Engine } {
  return tested === null ? {} : { engine: tested };
}

/** Has the tests of SQLite that are imported from here on run on this engine. */
export function testOn(engine: Engine): void {
  tested = engine;
}

export function hasNodeSqlite(): boolean {
  return createRequire(import.meta.url)('node:module').isBuiltin('node:sqlite');
}

export function hasBetterSqlite(): boolean {
  try {
    const require = createRequire(import.meta.url);
    new (require('better-sqlite3') as new (file: string) => { close(): void })(':memory:').close();
    return true;
  } catch {
    return false;
  }
}
