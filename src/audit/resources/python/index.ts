import type { ResourceSpec } from '../../types.js';
import { aiohttpSession, httpClient } from './clients.js';
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
} from './drivers.js';
import { ibConnection } from './ib.js';
import { mongoClient } from './mongo.js';
import { sqlalchemyConnection, sqlalchemySession } from './sqlalchemy.js';

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
  aiohttpSession,
  httpClient,
  ibConnection,
];
