import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** The root of the git repository around a folder, as a real path; null where there is none. */
export function repositoryAround(folder: string): string | null {
  let at = realOf(folder);
  for (;;) {
    if (existsSync(join(at, '.git'))) return at;
    const parent = dirname(at);
    if (parent === at) return null;
    at = parent;
  }
}

/** A file's name from a folder, with forward slashes; the real place of the file counts if it is below the folder. */
export function nameFrom(folder: string, file: { readonly path: string; readonly real: string }): string {
  const root = realOf(folder);
  const inside = [file.real, file.path].find((path) => isBelow(path, root));
  if (inside !== undefined) return slashed(relative(root, inside));
  return slashed(relative(folder, file.path));
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

export function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function slashed(path: string): string {
  return sep === '/' ? path : path.replaceAll(sep, '/');
}
