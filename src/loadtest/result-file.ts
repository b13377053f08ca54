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
  const wrong = SHAPE.find(([path, fits]) => !fits(at(value, path)));
  if (wrong !== undefined)
    throw new ResultFileError(file, `is damaged: ${wrong[0]} is missing or makes no sense`);
  return value as unknown as LoadResult;
}

const PARTS = ['measurements', 'workload', 'model', 'pool', 'environment'] as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Fits = (value: unknown) => boolean;

const isFigure: Fits = (value) => typeof value === 'number' && Number.isFinite(value);
const isFigureOrNull: Fits = (value) => value === null || isFigure(value);
const isText: Fits = (value) => typeof value === 'string';
const isRow: Fits = (row) =>
  isRecord(row) && isFigure(row.lengthMs) && isFigure(row.succeeded) && isFigure(row.failed);

/** The fields that a comparison reads: a file that was edited or cut must not end in the middle of it. */
const SHAPE: readonly (readonly [path: string, fits: Fits])[] = [
  ['startedAt', isText],
  ['partial', (value) => value === null || typeof value === 'string'],
  ['workload.name', isText],
  ['workload.statements', (value) => Array.isArray(value) && value.every(isText)],
  ['pool.options', isRecord],
  ...['elapsedMs', 'succeeded', 'failed', 'timeline.intervalMs'].map(
    (name) => [`measurements.${name}`, isFigure] as const,
  ),
  ...['response', 'wait'].flatMap((name) =>
    ['meanMs', 'p50Ms', 'p99Ms'].map((figure) => [`measurements.${name}.${figure}`, isFigureOrNull] as const),
  ),
  ['measurements.throughputPerSecond', isFigureOrNull],
  ['measurements.successRate', isFigureOrNull],
  ['measurements.timeline.rows', (value) => Array.isArray(value) && value.every(isRow)],
];

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce((one, name) => (isRecord(one) ? one[name] : undefined), value);
}
