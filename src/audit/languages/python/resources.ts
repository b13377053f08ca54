import {
  aiohttpSession,
  httpClient,
  redisClient,
  redisConnection,
  syncHttpClient,
} from '../../resources/python/clients.js';
import {
  aioPools,
  aiosqlite,
  asyncpg,
  mysqlConnection,
  oracle,
  psycopg,
  psycopg2,
  psycopgPool,
  sqlite3,
  warehouses,
} from '../../resources/python/drivers.js';
import { pythonFile } from '../../resources/python/files.js';
import { ibConnection } from '../../resources/python/ib.js';
import { mongoClient, mongoSession } from '../../resources/python/mongo.js';
import { sqlalchemyConnection, sqlalchemySession } from '../../resources/python/sqlalchemy.js';
import type { ResourceSpec } from '../../types.js';

/** Every kind of lease of Python packages that is known without being told. */
export const PYTHON_RESOURCES: readonly ResourceSpec[] = [
  sqlalchemySession,
  sqlalchemyConnection,
  psycopg2,
  psycopgPool,
  psycopg,
  asyncpg,
  aioPools,
  sqlite3,
  aiosqlite,
  mysqlConnection,
  oracle,
  warehouses,
  mongoClient,
  mongoSession,
  aiohttpSession,
  httpClient,
  syncHttpClient,
  redisConnection,
  redisClient,
  ibConnection,
  pythonFile,
];
