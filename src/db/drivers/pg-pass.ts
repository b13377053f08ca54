import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { registerSecret } from '../../base/secrets.js';
import { DatabaseError } from '../errors.js';
import { PASSWORD_HINT } from './pg-errors.js';
import type { PgAddress } from './pg-wire.js';

/**
 * The password for this server out of a password file, as libpq looks it up. Rejects with ERR_DB_PASSWORD if there is
 * none, or if others may read the file: libpq takes none from such a file either.
 */
export async function passwordFromFile(path: string | null, address: PgAddress): Promise<string> {
  const file = path ?? join(homedir(), '.pgpass');
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) throw missing(address, `there is no file ${file}`);
  // As libpq: nobody but its owner may be able to read it. Windows has other means.
  if (((await stat(file)).mode & 0o077) !== 0 && homedir().startsWith('/')) {
    throw missing(address, `${file} was passed over, since others may read it: chmod 600`);
  }
  const password = findPassword(text, address);
  if (password === null) throw missing(address, `${file} has none for it`);
  registerSecret(password, [address.user, address.host, address.database]);
  return password;
}

/** The first line that fits, of `host:port:database:user:password`; `*` fits all, and `\` takes `:` and `\` literally. */
export function findPassword(text: string, { host, port, database, user }: PgAddress): string | null {
  const hosts = host.startsWith('/') ? [host, 'localhost'] : [host];
  const wanted = [hosts, [String(port)], [database], [user]];
  for (const line of text.split(/\r?\n/)) {
    const fields = line.startsWith('#') ? [] : (line.match(/(?:\\.|[^:\\])*(?::|$)/g)?.slice(0, 4) ?? []);
    const password = line.slice(fields.join('').length);
    const fits = fields.every((field, i) => {
      const value = field.replace(/:$/, '');
      return value === '*' || wanted[i]?.includes(unescaped(value));
    });
    if (fits && fields.length === 4 && password !== '') return unescaped(password);
  }
  return null;
}

function unescaped(field: string): string {
  return field.replace(/\\(.)/g, '$1');
}

function missing({ user, host, port }: PgAddress, why: string): DatabaseError {
  return new DatabaseError(
    'ERR_DB_PASSWORD',
    `PostgreSQL at ${host}:${port} wants a password for '${user ?? ''}', and none was given; ${why}`,
    { hint: PASSWORD_HINT },
  );
}
