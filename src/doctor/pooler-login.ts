import { percentEncoded } from '../base/percent.js';
import { locatePostgres } from '../db/postgres-place.js';
import { serverAt } from '../sources/server-connection.js';
import type { SourceOptions } from '../sources/types.js';
import { knownOrNull } from './outcome.js';
import { isOn, textOf } from './pooler-facts.js';
import type { PgBouncerTarget, PostgresTarget } from './types.js';

/** The pooler's name for the database of a target on that server; null if it has none. */
export function databaseBehind(pooler: PgBouncerTarget, server: PostgresTarget): string | null {
  const rows = knownOrNull(pooler.databases) ?? [];
  const found = rows.find((row) => {
    const database = { name: textOf(row.name), host: textOf(row.host) || null, port: Number(row.port) };
    return (textOf(row.database) || database.name) === server.database && isOn(server, pooler, database);
  });
  return found === undefined ? null : textOf(found.name);
}

/** Logs in through a pooler as the user of a server's address, asks for one thing, and goes. */
export async function logIn(
  address: string,
  through: { readonly host: string; readonly port: number; readonly name: string },
  env: SourceOptions['env'],
  signal: AbortSignal,
): Promise<void> {
  const { url, password } = locatePostgres(address, env);
  const [, user = ''] = /^postgres:\/\/([^@/]*)@/.exec(url) ?? [];
  const secret = password === null ? '' : `:${percentEncoded(password)}`;
  const isFolder = through.host.startsWith('/');
  const host = isFolder
    ? ''
    : through.host.includes(':')
      ? `[${through.host}]`
      : percentEncoded(through.host);
  const query = isFolder ? `?host=${percentEncoded(through.host)}` : '';
  const place = `${host}:${through.port}/${percentEncoded(through.name)}${query}`;
  const connection = serverAt(`postgres://${user}${secret}@${place}`, env, address);
  try {
    await connection.use((ask) => ask('SELECT 1'), signal);
  } finally {
    await connection.close();
  }
}
