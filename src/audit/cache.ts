import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CONFIG_FILE, type FoundFiles } from './code/files.js';
import { isBelow, realOf } from './repository.js';
import type { AuditResult } from './types.js';

/** The parts of an audit that the cache keeps. */
export interface CachedAudit {
  readonly result: AuditResult;
  /** For each finding, the files that it depends on. */
  readonly reads: readonly (readonly string[])[];
}

/** Kept results of audits, each under the digest of all that it was made from. */
export interface AuditCache {
  read(key: string): CachedAudit | null;
  write(key: string, audit: CachedAudit): void;
}

export interface CachePlace {
  /** The folder of the entries. */
  readonly folder: string;
  /** The entries must lie below this folder, whatever links there are; null allows any place. */
  readonly within: string | null;
  /** Signs entries. */
  readonly secret: string;
}

/**
 * Opens a cache. An entry counts only with a signature that needs the secret of this user: a file that somebody else put
 * there (a pull request, an archive, a shared folder) is ignored.
 */
export function openCache({ folder, within, secret }: CachePlace): AuditCache {
  const pathOf = (key: string) => join(folder, `${key}.json`);
  const signatureOf = (key: string, text: string) =>
    createHmac('sha256', secret).update(`${key}\n${text}`).digest();
  return {
    read(key) {
      try {
        const whole = readFileSync(pathOf(key), 'utf8');
        const at = whole.indexOf('\n');
        const text = whole.slice(at + 1);
        const given = Buffer.from(whole.slice(0, at), 'hex');
        const wanted = signatureOf(key, text);
        if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
        return JSON.parse(text);
      } catch {
        return null; // not there, not readable or cut off: the audit is made again
      }
    },
    write(key, audit) {
      const text = JSON.stringify(audit);
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        if (within !== null && !isBelow(realOf(folder), realOf(within))) return;
        // A new file that takes the place of the old one: a link that was planted there is replaced, not followed.
        const temporary = join(folder, `.${key}.${randomBytes(6).toString('hex')}`);
        writeFileSync(temporary, `${signatureOf(key, text).toString('hex')}\n${text}`, {
          flag: 'wx',
          mode: 0o600,
        });
        renameSync(temporary, pathOf(key));
        prune(folder);
      } catch {
        // A cache that cannot be written costs time, nothing else.
      }
    },
  };
}

const KEPT = 20;

function prune(folder: string): void {
  const entries = readdirSync(folder)
    .filter((name) => /^[0-9a-f]{64}\.json$/.test(name))
    .map((name) => ({ path: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of entries.slice(KEPT)) rmSync(path, { force: true });
}

/** The secret of a user that signs cache entries, made when it is first needed; null where it cannot be kept. */
export function cacheSecret(folder: string): string | null {
  const path = join(folder, 'cache-key');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(path)) {
      writeFileSync(path, randomBytes(32).toString('hex'), { flag: 'wx', mode: 0o600 });
    }
    const secret = readFileSync(path, 'utf8').trim();
    return secret.length >= 32 ? secret : null;
  } catch {
    return null;
  }
}

/** A digest of all that an audit depends on: the code, the configuration around it, the options and poolctl itself. */
export function cacheKey(
  found: FoundFiles,
  roots: readonly string[],
  settings: Readonly<Record<string, unknown>>,
): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify(settings, (_, value) => (value instanceof RegExp ? String(value) : value)));
  hash.update(`\0${ownDigest()}\0${JSON.stringify(found.unreadable)}\0`);
  const add = (name: string, path: string) => {
    hash.update(`\0${name}\0`);
    hash.update(digestOf(path));
  };
  for (const { name, path } of found.files) add(`${name}\0${path}`, path);
  for (const path of found.configs) add(path, path);
  for (const path of new Set(roots.flatMap(configsAbove))) add(path, path);
  return hash.digest('hex');
}

function digestOf(path: string): Buffer {
  try {
    return createHash('sha256').update(readFileSync(path)).digest();
  } catch (error) {
    return Buffer.from(String(error));
  }
}

/** The files above a folder that decide where imports lead. */
export function configsAbove(root: string): string[] {
  const found: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    const names = existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [];
    found.push(...names.filter((name) => CONFIG_FILE.test(name)).map((name) => join(folder, name)));
    for (const name of ['.package-lock.json', '.modules.yaml', '.yarn-integrity', '.yarn-state.yml'])
      if (existsSync(join(folder, 'node_modules', name))) found.push(join(folder, 'node_modules', name));
    if (existsSync(join(folder, '.git')) || dirname(folder) === folder) return found;
  }
}

/** A digest of the analyzer's own files: a version number does not change with every build. */
function ownDigest(): string {
  const hash = createHash('sha256');
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.[jt]s$/.test(entry.name)) hash.update(entry.name).update(readFileSync(path));
    }
  };
  visit(import.meta.dirname);
  return hash.digest('hex');
}
