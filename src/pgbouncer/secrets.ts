import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { registerSecret } from '../base/secrets.js';
import { ValueError } from '../base/units.js';

/** One user of userlist.txt. */
export interface UserSecret {
  readonly name: string;
  /** As PostgreSQL keeps it: `SCRAM-SHA-256$...` or `md5...`. */
  readonly secret: string;
}

export interface UserPassword {
  readonly name: string;
  readonly password: string;
}

/** PostgreSQL's own default. */
const SCRAM_ITERATIONS = 4096;
export const SALT_BYTES = 16;

/** The secret that PostgreSQL would store for the password (RFC 5802 and 7677); the salt is SALT_BYTES random bytes. */
export function scramSecret(password: string, salt: Uint8Array): string {
  const salted = pbkdf2Sync(prepared(password), salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyFor = (word: string): Buffer => createHmac('sha256', salted).update(word).digest();
  const stored = createHash('sha256').update(keyFor('Client Key')).digest('base64');
  const keys = `${stored}:${keyFor('Server Key').toString('base64')}`;
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${Buffer.from(salt).toString('base64')}$${keys}`;
}

export function md5Secret({ name, password }: UserPassword): string {
  return `md5${createHash('md5').update(password).update(name).digest('hex')}`;
}

/** The least auth_type that lets everyone in: `md5` takes SCRAM secrets too, `scram-sha-256` no others. */
export function authTypeFor(secrets: readonly UserSecret[]): 'scram-sha-256' | 'md5' {
  return secrets.every(({ secret }) => secret.startsWith('SCRAM-SHA-256$')) ? 'scram-sha-256' : 'md5';
}

/**
 * Reads lines of `name:password`, the name in double quotes where it has a colon or a quote in it. Throws a
 * ValueError that tells the line by its number, and nothing of what stands there.
 */
export function parsePasswords(text: string): readonly UserPassword[] {
  const found: UserPassword[] = [];
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  for (const [at, line] of lines.entries()) {
    if (line === '') continue;
    const [, quoted, bare, password = ''] = /^(?:"((?:[^"]|"")+)"|([^:"]+)):(.+)$/s.exec(line) ?? [];
    const name = quoted?.replaceAll('""', '"') ?? bare;
    if (name === undefined) throw new ValueError(`line ${at + 1} of the passwords is not name:password`);
    if (found.some((one) => one.name === name))
      throw new ValueError(`line ${at + 1} of the passwords names '${name}' a second time`);
    registerSecret(password, [name]);
    found.push({ name, password });
  }
  if (found.length === 0)
    throw new ValueError('there are no passwords on stdin; write lines of name:password');
  return found;
}

/**
 * SASLprep (RFC 4013) as far as passwords need it, and as PostgreSQL has it: what the profile forbids is taken as it
 * is. Text in which directions of writing are mixed, and letters newer than Unicode 3.2, are not told apart.
 */
function prepared(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password;
  const mapped = password
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC');
  const isForbidden =
    /[\p{Cc}\p{Co}\p{Cs}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\ufff9-\ufffd]/u;
  return mapped === '' || isForbidden.test(mapped) ? password : mapped;
}
