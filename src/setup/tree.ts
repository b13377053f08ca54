import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The files of a project, without what is installed or built. Links are not followed. */
export interface Tree {
  readonly root: string;
  /** From the root, with forward slashes, sorted. */
  readonly files: readonly string[];
  /** The text of a file; null where it cannot be read or is too large to be written by hand. */
  read(file: string): Promise<string | null>;
}

const SKIPPED =
  /^(?:node_modules|\.git|\.hg|\.svn|\.yarn|\.next|\.nuxt|bower_components|dist|build|coverage|vendor|target)$/;
const MOST_FILES = 50_000;
const MOST_BYTES = 1_000_000;

export async function treeOf(root: string): Promise<Tree> {
  const files: string[] = [];
  const folders = [''];
  for (
    let folder = folders.pop();
    folder !== undefined && files.length < MOST_FILES;
    folder = folders.pop()
  ) {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED.test(entry.name)) folders.push(name);
      else if (entry.isFile()) files.push(name);
    }
  }
  return {
    root,
    files: files.sort(),
    async read(file) {
      const path = join(root, file);
      const size = await stat(path).then(
        (found) => found.size,
        () => Number.POSITIVE_INFINITY,
      );
      return size > MOST_BYTES ? null : readFile(path, 'utf8').catch(() => null);
    },
  };
}
