import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CodedError } from '../base/coded-error.js';
import { fileFault } from '../base/file-fault.js';
import type { LoadResult } from './result.js';

/** A file is not the JSON report of a load test that this version can read. */
export class ResultFileError extends CodedError<'ERR_RESULT_FILE'> {
  constructor(file: string, problem: string) {
    super('ERR_RESULT_FILE', `${file} ${problem}`, {
      hint: 'make one with: poolctl loadtest --format json --output FILE',
    });
    this.name = 'ResultFileError';
  }
}

/** Reads what `poolctl loadtest --format json` has written. Throws ResultFileError. */
export async function readResult(file: string, folder: string): Promise<LoadResult> {
  return parseResult(await textOf(file, folder), file);
}

async function textOf(file: string, folder: string): Promise<string> {
  try {
    return await readFile(resolve(folder, file), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ResultFileError(
      file,
      code === 'ENOENT' ? 'does not exist' : `cannot be read: ${fileFault(error)} (${code})`,
    );
  }
}

export function parseResult(text: string, file: string): LoadResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ResultFileError(file, `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isRecord(value) || value.kind !== 'loadtest')
    throw new ResultFileError(file, 'is no load test result');
  if (value.schema !== 1) {
    throw new ResultFileError(file, `has schema ${String(value.schema)}; this poolctl reads schema 1`);
  }
  const missing = PARTS.filter((part) => !isRecord(value[part]));
  if (missing.length > 0) throw new ResultFileError(file, `has no ${missing.join(', ')}`);
  return value as unknown as LoadResult;
}

const PARTS = ['measurements', 'workload', 'model', 'pool', 'environment'] as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
