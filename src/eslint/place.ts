import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, parse, resolve, sep } from 'node:path';
import { isSourceName } from '../audit/code/files.js';
import type { RuleContext } from './types.js';

/** The file that a rule is run on. */
export interface Place {
  /** The path under which its text is judged. */
  readonly path: string;
  /** The file on the disk that the text is a part of, or all of. */
  readonly physical: string;
}

/** A name for text that is in no file. TypeScript and JSX may both be in it. */
const UNNAMED = 'poolctl-unnamed-text.tsx';

/**
 * Finds the path under which the text of a rule is judged; null where the audit does not read such files.
 *
 * A parser such as vue-eslint-parser has the whole file as the text, and the audit reads that itself. A processor hands
 * over blocks with names such as `app.vue/0.ts`. They stand beside their file, so that their imports lead to the same
 * files.
 */
export function placeOf(
  { filename, physicalFilename }: Pick<RuleContext, 'filename' | 'physicalFilename'>,
  root: string,
): Place | null {
  const physical = isAbsolute(physicalFilename ?? '') ? physicalFilename : filename;
  if (!isAbsolute(physical)) {
    const path = join(root, UNNAMED);
    return { path, physical: path };
  }
  if (!isSourceName(physical)) return null;
  const isBlock = filename !== physical && filename.startsWith(physical + sep);
  if (!isBlock) return { path: physical, physical };
  const block = filename.slice(physical.length + 1).replaceAll(sep, '-');
  if (!isSourceName(block)) return null;
  return { path: join(dirname(physical), `${basename(physical)}-${block}`), physical };
}

/**
 * The folder that is audited; null for none but the file itself. An editor without a workspace may start ESLint in the
 * home folder or at the root of the file system, which nobody wants to be read.
 */
export function rootOf(cwd: string, root: string | undefined): string | null {
  if (root !== undefined) return resolve(cwd, root);
  return cwd === homedir() || cwd === parse(cwd).root ? null : cwd;
}
