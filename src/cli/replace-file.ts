import { randomBytes } from 'node:crypto';
import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileFault } from '../base/file-fault.js';
import { printable } from '../report/text.js';
import { UnavailableError } from './errors.js';

/**
 * Writes a file whole, in place of one that may be there: a reader sees the old text or the new one, and a link that
 * stands there is replaced, not followed. With `within` the file must lie below that folder, whatever links lead there.
 */
export async function replaceFile(
  path: string,
  text: string,
  { what, within }: { readonly what: string; readonly within: string | null },
): Promise<void> {
  const shown = `${what} ${printable(path)}`;
  const folder = await realpath(dirname(path)).catch((cause: unknown) => {
    throw new UnavailableError(`cannot write ${shown}: ${fileFault(cause, 'its directory does not exist')}`, {
      cause,
    });
  });
  if (within !== null && !isBelow(folder, await realpath(within))) {
    throw new UnavailableError(`cannot write ${shown}: it lies outside of ${within}`, {
      hint: 'name the file on the command line if that is meant',
    });
  }
  const draft = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    const mode = await stat(path).then(
      (found) => found.mode & 0o777,
      () => 0o666,
    );
    await writeFile(draft, text, { flag: 'wx', mode });
    await rename(draft, join(folder, basename(path)));
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {});
    throw new UnavailableError(`cannot write ${shown}: ${fileFault(cause)}`, { cause });
  }
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || !/^\.\.(?:[\\/]|$)|^(?:[a-z]:)?[\\/]/i.test(way);
}
