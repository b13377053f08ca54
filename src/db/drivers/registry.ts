import type { DatabaseDriver } from '../connection.js';
import { mysqlDriver } from './mysql.js';
import { pgDriver } from './pg.js';
import { sqliteDriver } from './sqlite.js';

/**
 * The kinds of database, by URL scheme. What stands here only reads URLs and options; the packages that talk to
 * servers are loaded by a driver's first connect.
 */
export const DRIVERS: ReadonlyMap<string, DatabaseDriver> = new Map([
  ['sqlite', sqliteDriver],
  ['postgres', pgDriver],
  ['postgresql', pgDriver],
  ['mysql', mysqlDriver],
]);
