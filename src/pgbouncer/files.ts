import { link, open, rename, rm } from 'node:fs/promises';
import { CodedError } from '../base/coded-error.js';
import { fileFault } from '../base/file-fault.js';
import { ignore } from '../base/promises.js';

export interface NewFile {
  readonly path: string;
  readonly text: string;
}

/** Files could not be written; what was there before is there still, and nothing else. */
export class FilesError extends CodedError<'ERR_FILE_EXISTS' | 'ERR_FILE_WRITE'> {
  constructor(code: FilesError['code'], message: string, hint: string | null) {
    super(code, message, { hint });
    this.name = 'FilesError';
  }
}

/**
 * Writes files that only their owner may read, all of them or none: each is written whole and flushed under another
 * name beside its own, then all are given their names. `mark` makes those other names, and must be new for each run.
 */
export async function writeTogether(
  files: readonly NewFile[],
  { overwrite, mark }: { readonly overwrite: boolean; readonly mark: string },
): Promise<void> {
  const done: (() => Promise<void>)[] = [];
  try {
    for (const { path, text } of files) {
      await writeFlushed(draftOf(path, mark), text).catch((cause: unknown) => {
        throw fault(path, cause);
      });
    }
    for (const { path } of files) {
      done.push(
        await (overwrite ? replace : create)(path, mark).catch((cause: unknown) => {
          throw fault(path, cause);
        }),
      );
    }
  } catch (error) {
    for (const undo of done.reverse()) await undo().catch(ignore);
    throw error;
  } finally {
    for (const { path } of files) {
      await rm(draftOf(path, mark), { force: true }).catch(ignore);
      await rm(formerOf(path, mark), { force: true }).catch(ignore);
    }
  }
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives the draft its name, unless something has that name: a link is refused then. Gives the way back. */
async function create(path: string, mark: string): Promise<() => Promise<void>> {
  await link(draftOf(path, mark), path);
  return () => rm(path);
}

/** The same, in place of what may be there. */
async function replace(path: string, mark: string): Promise<() => Promise<void>> {
  const former = formerOf(path, mark);
  const wasThere = await link(path, former).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  await rename(draftOf(path, mark), path);
  return () => (wasThere ? rename(former, path) : rm(path));
}

function draftOf(path: string, mark: string): string {
  return `${path}.${mark}.new`;
}

function formerOf(path: string, mark: string): string {
  return `${path}.${mark}.old`;
}

function fault(path: string, cause: unknown): FilesError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') {
    return new FilesError('ERR_FILE_EXISTS', `${path} is there already`, '--force replaces it');
  }
  // The system's own words are not shown beside ours: they say the same.
  const what = fileFault(cause, 'its folder does not exist');
  return new FilesError('ERR_FILE_WRITE', `${path} cannot be written: ${what}`, null);
}
