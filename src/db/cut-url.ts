import type { DatabaseUrl } from './connection.js';
import { readMysqlUrl } from './drivers/mysql-url.js';
import { readPostgresUrl } from './drivers/pg-url.js';

/** Cuts a URL, or a connection string of libpq, into its parts. null where it has no scheme. */
export function cutUrl(url: string): DatabaseUrl | null {
  const server = readPostgresUrl(url) ?? readMysqlUrl(url);
  if (server !== null) return server;
  const [, scheme, rest, query = ''] = /^([a-z][a-z0-9+.-]+):([^?]*)(?:\?(.*))?$/is.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) return null;
  return { scheme: scheme.toLowerCase(), rest, params: new URLSearchParams(query) };
}
