import { open, readFile, unlink } from 'node:fs/promises';
import { fileFault } from '../base/file-fault.js';
import { decodeRecording, isRecording, RecordingError } from './decoder.js';
import { MAGIC } from './format.js';
import type { Recording } from './recording.js';

/** Reads the recording in a file, whose path is absolute. `shown` names it in errors. Throws RecordingError. */
export async function readRecording(path: string, shown = path): Promise<Recording> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new RecordingError(shown, `cannot be read: ${fileFault(error)}`);
  }
  return decodeRecording(bytes, shown);
}

/** Removes an earlier recording of that name. Throws RecordingError where the file is something else. */
export async function clearRecording(path: string): Promise<void> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new RecordingError(path, `cannot be replaced: ${fileFault(error)}`);
  });
  if (file === null) return;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    if (bytesRead > 0 && !isRecording(buffer)) {
      throw new RecordingError(path, 'is not a recording of leases, and is not overwritten');
    }
  } finally {
    await file.close();
  }
  await unlink(path);
}
