import type { ResourceSpec } from '../types.js';
import { amqpChannel, amqpConnection, kafkaClient } from './brokers.js';
import { browser, browserPage } from './browsers.js';
import { ftp, ldap, pgCursor, postgresReserved, snowflake, ssh, tedious, worker } from './clients.js';
import { fileDescriptor, fileHandle } from './files.js';
import { firebird } from './firebird.js';
import { genericPool } from './generic-pool.js';
import { ib } from './ib.js';
import { knex } from './knex.js';
import { kysely } from './kysely.js';
import { mongoClient, mongodb } from './mongodb.js';
import { mssqlStatement, mssqlTransaction } from './mssql.js';
import { mysql, mysqlConnection } from './mysql.js';
import { neo4j } from './neo4j.js';
import { oracledb } from './oracledb.js';
import {
  cassandra,
  clickhouse,
  dataSource,
  knexPool,
  mikroOrm,
  mongooseConnection,
  mssqlPool,
  mysqlPoolPerCall,
  pgPoolPerCall,
  prismaClient,
  sequelizeInstance,
} from './per-call.js';
import { pg, pgClient } from './pg.js';
import { poolctl } from './poolctl.js';
import { redis } from './redis.js';
import { sequelize } from './sequelize.js';
import { libsqlTransaction, sqlite, sqlite3 } from './sqlite.js';
import { typeorm } from './typeorm.js';

/** Every kind of lease that is known without being told. The first of two that fit equally well is taken. */
export const RESOURCES: readonly ResourceSpec[] = [
  poolctl,
  pg,
  pgClient,
  mysql,
  mysqlConnection,
  typeorm,
  sequelize,
  knex,
  kysely,
  mongodb,
  mongoClient,
  neo4j,
  sqlite,
  sqlite3,
  libsqlTransaction,
  oracledb,
  firebird,
  mssqlTransaction,
  mssqlStatement,
  redis,
  ib,
  pgPoolPerCall,
  mysqlPoolPerCall,
  mssqlPool,
  knexPool,
  sequelizeInstance,
  dataSource,
  prismaClient,
  mongooseConnection,
  mikroOrm,
  clickhouse,
  cassandra,
  amqpConnection,
  amqpChannel,
  kafkaClient,
  browser,
  browserPage,
  fileHandle,
  fileDescriptor,
  postgresReserved,
  pgCursor,
  worker,
  ssh,
  ldap,
  tedious,
  snowflake,
  ftp,
  genericPool,
];
