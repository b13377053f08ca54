import { ValueError } from '../base/units.js';

/** The console reads a name of at most so many bytes, quotes and all, and answers longer ones with "bad arguments". */
const MOST_ARGUMENT = 63;
/** Maximum length of a name in PostgreSQL and of a database in PgBouncer, in bytes. */
const MOST_NAME = 63;

/**
 * A name as the console takes it behind a command. Throws a ValueError where it cannot be said there: within quotes,
 * which count, it has room for 61 bytes.
 */
export function consoleName(name: string): string {
  if (name === '' || name.includes('\0')) throw new ValueError('a name is empty, or has a zero byte in it');
  const written = /^[0-9A-Za-z_]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
  const bytes = Buffer.byteLength(written);
  if (bytes > MOST_ARGUMENT) {
    throw new ValueError(
      `PgBouncer's console takes names of ${MOST_ARGUMENT} bytes, quotes and all, and ${written} has ${bytes}`,
    );
  }
  return written;
}

/**
 * A database's name on the left side of its line in pgbouncer.ini; null where the file cannot hold it. Its reader knows
 * no quotes there, against its documentation (1.18: "syntax error in configuration").
 */
export function iniName(name: string): string | null {
  checkName(name, 'the database');
  if (name === 'pgbouncer') throw new ValueError("'pgbouncer' is the name of the admin console");
  return /^[0-9A-Za-z_.-]+$/.test(name) ? name : null;
}

/** One value of a database's line: `host=db`, `password='it''s'`. */
export function pairOf(key: string, value: string): string {
  if (/[\r\n\0]/.test(value))
    throw new ValueError(`${key} has a line break in it, which the file cannot hold`);
  if (value === '') throw new ValueError(`${key} is empty`);
  return `${key}=${/^[\w.:/-]+$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`}`;
}

/** A value of the section [pgbouncer], which reaches to the end of its line and knows no quotes. */
export function iniValue(key: string, value: string): string {
  if (/[\r\n\0]/.test(value))
    throw new ValueError(`${key} has a line break in it, which the file cannot hold`);
  if (value !== value.trim())
    throw new ValueError(`${key} begins or ends with a space, which the file cannot hold`);
  return value;
}

/** admin_users and the like are lists with commas, without any quotes. */
export function userList(key: string, names: readonly string[]): string {
  for (const name of names) {
    checkName(name, 'the user');
    if (/[,\s]/.test(name))
      throw new ValueError(`${key} cannot name '${name}': names are parted by commas and spaces there`);
  }
  return names.join(', ');
}

/** A line of userlist.txt. */
export function userLine(name: string, secret: string): string {
  checkName(name, 'the user');
  return `"${name.replaceAll('"', '""')}" "${secret.replaceAll('"', '""')}"\n`;
}

function checkName(name: string, what: string): void {
  if (/[\r\n\0]/.test(name)) throw new ValueError(`${what} '${name}' has a line break in its name`);
  const bytes = Buffer.byteLength(name);
  if (bytes > MOST_NAME)
    throw new ValueError(`${what} '${name}' has a name of ${bytes} bytes; ${MOST_NAME} is the most`);
  if (name === '') throw new ValueError(`${what} has no name`);
}
