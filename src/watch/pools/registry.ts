import { postgresJs } from '../postgres-js/kind.js';
import { genericPool } from './generic-pool.js';
import type { PoolKind } from './kind.js';
import { mariadbPool } from './mariadb.js';
import { mongodbPool } from './mongodb.js';
import { mssqlPool } from './mssql.js';
import { mysqljsPool, mysqlPool } from './mysql.js';
import { pgPool } from './pg.js';
import { sequelizePool } from './sequelize-pool.js';
import { tarnPool } from './tarn.js';
import { undiciPool } from './undici.js';

/** The kinds of pools that can be watched. None is taken for another: each looks for methods that only it has. */
export const POOL_KINDS: readonly PoolKind<object>[] = [
  pgPool,
  mysqlPool,
  mysqljsPool,
  tarnPool,
  genericPool,
  sequelizePool,
  mariadbPool,
  mongodbPool,
  mssqlPool,
  postgresJs,
].map((kind) => kind as unknown as PoolKind<object>);

/**
 * Kinds that are watched too where the user asks for one process (`poolctl attach`). Every program that calls `fetch` has
 * pools of undici, one for each origin, which `poolctl run` leaves out.
 */
export const ASKED_KINDS: readonly PoolKind<object>[] = [
  ...POOL_KINDS,
  undiciPool as unknown as PoolKind<object>,
];
