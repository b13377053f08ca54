import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { configsAbove } from './cache.js';
import { type FoundFiles, isListed } from './code/files.js';

/** The differences from the last look at the disk. */
export interface DiskChanges {
  /** Files with another text. */
  readonly files: readonly string[];
  /** Files or folders were added, deleted, or are ignored by other rules. */
  readonly isListed: boolean;
  /** A package.json, tsconfig.json or the like changed: imports may lead elsewhere. */
  readonly isConfigured: boolean;
}

/** A file that was written this recently may be written again without a new time: its clock ticks in steps. */
const RACY_MS = 50;

/**
 * Notices changes by the times, sizes and inode numbers of files and folders. Nothing is watched: a linter gives no
 * chance to end a watcher, and receives no event while it works.
 */
export class Disk {
  readonly #files: ReadonlyMap<string, Stamp>;
  readonly #folders = new Map<string, Stamp>();
  readonly #names = new Map<string, string>();
  readonly #ignoreFiles = new Map<string, Stamp>();
  readonly #configs = new Map<string, Stamp>();

  /** Take the stamps before the files are read, or a change between goes unnoticed. */
  constructor({ files, folders, configs }: FoundFiles, paths: readonly string[], cwd: string) {
    this.#files = new Map(files.map(({ path }) => [path, new Stamp(path)]));
    // A folder that was deleted may come back.
    const roots = paths
      .map((path) => resolve(cwd, path))
      .filter((path) => !files.some((file) => file.path === path && existsSync(path)));
    for (const folder of new Set([...folders, ...roots])) {
      this.#folders.set(folder, new Stamp(folder));
      this.#names.set(folder, namesIn(folder));
      const rules = join(folder, '.gitignore');
      if (this.#names.get(folder)?.includes('\n.gitignore\n')) this.#ignoreFiles.set(rules, new Stamp(rules));
    }
    const above = new Set(paths.flatMap((path) => configsAbove(resolve(cwd, path))));
    for (const path of [...configs, ...above]) this.#configs.set(path, new Stamp(path));
  }

  changes(): DiskChanges {
    const changed = [...this.#files].filter(([, stamp]) => stamp.hasChanged()).map(([path]) => path);
    let areNamesOther = false;
    for (const [folder, stamp] of this.#folders) {
      if (!stamp.hasChanged()) continue;
      const names = namesIn(folder);
      if (names !== this.#names.get(folder)) areNamesOther = true;
      this.#names.set(folder, names);
    }
    const isOther = (stamps: ReadonlyMap<string, Stamp>) =>
      [...stamps.values()].map((stamp) => stamp.hasChanged()).some((one) => one);
    return {
      files: changed,
      isListed: isOther(this.#ignoreFiles) || areNamesOther,
      isConfigured: isOther(this.#configs),
    };
  }
}

class Stamp {
  readonly #path: string;
  #text: string;

  constructor(path: string) {
    this.#path = path;
    this.#text = this.#read();
  }

  hasChanged(): boolean {
    const before = this.#text;
    this.#text = this.#read();
    return this.#text !== before;
  }

  #read(): string {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    if (found === undefined) return '';
    const { mtimeMs, ctimeMs, size, ino } = found;
    const at = Date.now();
    // A stamp that no later one equals: the file is looked at once more.
    const isRacy = at - mtimeMs < RACY_MS;
    return `${mtimeMs} ${ctimeMs} ${size} ${ino}${isRacy ? ` ${at} ${++counter}` : ''}`;
  }
}

let counter = 0;

/** The names in a folder that matter, each between line breaks; folders end with a slash. */
function namesIn(folder: string): string {
  try {
    const names = readdirSync(folder, { withFileTypes: true })
      // A link may lead to a folder.
      .filter((entry) => isListed(entry.name, entry.isDirectory() || entry.isSymbolicLink()))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    return `\n${names.sort().join('\n')}\n`;
  } catch {
    return ''; // deleted, or not readable
  }
}
