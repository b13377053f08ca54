import { randomBytes } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { parseToken } from '../base/token.js';
import { checkSocketFolder, ensureSocketFolder, type SocketOwner, socketFolder } from './directory.js';

/** A port on which pools are published. */
export interface TokenPlace {
  readonly host: string;
  readonly port: number;
}

/**
 * Keeps the token of a port where only its owner can read it, and gives the path; null where there is no such place.
 * The file takes the place of an older one: a link that stands there is replaced, not followed.
 */
export async function keepToken(
  owner: SocketOwner,
  place: TokenPlace,
  token: string,
): Promise<string | null> {
  const path = tokenPath(owner, place);
  if (path === null) return null;
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await ensureSocketFolder(owner);
    await writeFile(draft, `${token}\n`, { flag: 'wx', mode: 0o600 });
    await rename(draft, path);
    return path;
  } catch {
    // A container whose files cannot be written. The caller says the token instead.
    await rm(draft, { force: true }).catch(() => {});
    return null;
  }
}

/** The token that this user's application keeps for a port; null where there is none. */
export async function keptToken(owner: SocketOwner, place: TokenPlace): Promise<string | null> {
  const path = tokenPath(owner, place);
  if (path === null || !(await checkSocketFolder(owner))) return null;
  try {
    return parseToken(readFileSync(path, 'utf8').slice(0, 1000));
  } catch {
    return null;
  }
}

/** Forgets a token, unless another application has the port by now. Synchronous, for when the process exits. */
export function dropToken(path: string, token: string): void {
  try {
    if (readFileSync(path, 'utf8').trim() === token) unlinkSync(path);
  } catch {
    // It is not there.
  }
}

/** null on Windows, whose folder of pipes holds no files. */
function tokenPath(owner: SocketOwner, { host, port }: TokenPlace): string | null {
  if (owner.platform === 'win32') return null;
  const name = host === 'localhost' ? '127.0.0.1' : host.replace(/[^\w.]/g, '_');
  return posix.join(socketFolder(owner), `${name}-${port}.token`);
}
