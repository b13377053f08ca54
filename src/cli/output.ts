import { type FileHandle, open, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileFault } from '../base/file-fault.js';
import { maskReport } from '../base/secrets.js';
import { printable } from '../report/text.js';
import { UnavailableError } from './errors.js';
import type { Io } from './io.js';

/** The target of the result. */
export interface ResultOutput {
  /** Whether anything was written yet. */
  readonly started: boolean;
  write(text: string): Promise<void>;
  /** To be called in any case. A file that was made for this run and got no result is removed again. */
  close(): Promise<void>;
}

/**
 * Opens the place of the result before the work starts, so that a wrong path costs no run. An existing file keeps
 * its content until there is a result to replace it. Should the file fail in the end (a full disk), the result goes
 * to stdout instead, and the error says so: nothing is lost.
 */
export async function openResultOutput(path: string | null, io: Io): Promise<ResultOutput> {
  return path === null || path === '-' ? stdoutOutput(io) : fileOutput(path, io);
}

/** Standard output, whose failures are reported in plain words. */
export function stdoutOutput(io: Io): ResultOutput {
  let started = false;
  return {
    get started() {
      return started;
    },
    async write(text) {
      started = true;
      await io.stdout.write(maskReport(text)).catch((cause: unknown) => {
        throw outputError('stdout', 'written', cause);
      });
    },
    async close() {},
  };
}

async function fileOutput(path: string, io: Io): Promise<ResultOutput> {
  const full = resolve(io.cwd, path);
  const { handle, isNew } = await openForResult(full).catch((cause: unknown) => {
    throw outputError(path, 'opened', cause);
  });
  const isRegular = await isRegularFile(handle);
  let started = false;
  let position = 0;
  let failed = false;
  return {
    get started() {
      return started;
    },
    async write(result) {
      started = true;
      // A server may quote a password in an error that the report shows.
      const text = maskReport(result);
      if (failed) return io.stdout.write(text);
      try {
        const bytes = Buffer.from(text);
        await writeAll(handle, bytes, isRegular ? position : null);
        position += bytes.length;
        if (isRegular) await handle.truncate(position);
      } catch (cause) {
        failed = true;
        await io.stdout.write(text);
        throw outputError(path, 'written', cause, 'the result is on stdout instead');
      }
    },
    async close() {
      await handle.close().catch(() => {});
      if (isNew && isRegular && position === 0) await unlink(full).catch(() => {});
    },
  };
}

async function openForResult(path: string): Promise<{ handle: FileHandle; isNew: boolean }> {
  try {
    return { handle: await open(path, 'wx'), isNew: true };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  // Not 'w', which would empty the file now; and not read-write, which a pipe or a write-only file would refuse.
  const { O_WRONLY } = await import('node:fs').then(({ constants }) => constants);
  return { handle: await open(path, O_WRONLY), isNew: false };
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === null ? null : position + done;
    done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
  }
}

/** The system's own words are not shown beside ours: they say the same. */
function outputError(
  path: string,
  step: 'opened' | 'written',
  cause: unknown,
  hint?: string,
): UnavailableError {
  const fault = fileFault(cause, 'its directory does not exist');
  const options = { code: 'ERR_OUTPUT', ...(hint === undefined ? {} : { hint }) };
  return new UnavailableError(`the output ${printable(path)} cannot be ${step}: ${fault}`, options);
}

/** Whether it is a file, and no pipe or device. Closes the handle where that cannot be told. */
async function isRegularFile(handle: FileHandle): Promise<boolean> {
  try {
    return (await handle.stat()).isFile();
  } catch (error) {
    await handle.close();
    throw error;
  }
}
