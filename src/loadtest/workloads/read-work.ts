import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileFault } from '../../base/file-fault.js';
import { ValueError } from '../../base/units.js';
import type { QueryType } from './candles.js';
import { WorkloadError } from './errors.js';
import type { Value } from './expression.js';
import { checkParameters, parseRows, type Row } from './parameters.js';
import { parseScript, type Script } from './script.js';
import type { SqlWork } from './sql-target.js';

/** The work that a user describes. */
export interface WorkSource {
  readonly queryType: QueryType;
  readonly sql: readonly string[];
  readonly sqlFiles: readonly { readonly file: string; readonly weight: number }[];
  /** JSON itself, or the file that holds it. */
  readonly params: string | null;
  readonly paramsFile: string | null;
  readonly defined: ReadonlyMap<string, Value>;
  /** The folder that relative paths start from. */
  readonly folder: string;
}

/** The work, or everything that is wrong with it. Rejects with ERR_SCRIPT_FILE if a file cannot be read. */
export async function readWork(
  source: WorkSource,
): Promise<SqlWork | { readonly problems: readonly string[] }> {
  if (source.sql.length + source.sqlFiles.length === 0) return { kind: 'built-in', type: source.queryType };
  const problems: string[] = [];
  const attempt = <T>(name: string, read: () => T): T | null => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push(`${name}${/^line \d/.test(error.message) ? ',' : ':'} ${error.message}`);
      return null;
    }
  };
  const scripts: (Script | null)[] = source.sql.map((sql, at) => {
    const name = source.sql.length === 1 ? '--sql' : `--sql ${at + 1}`;
    return attempt(name, () => parseScript(sql, { name }));
  });
  for (const { file, weight } of source.sqlFiles) {
    const content = await contentOf(file, source.folder);
    scripts.push(attempt(file, () => parseScript(content, { name: file, weight })));
  }
  const rows = await readRows(source, attempt);
  const read = scripts.filter((script) => script !== null);
  if (problems.length === 0) problems.push(...checkParameters(read, rows, [...source.defined.keys()]));
  return problems.length > 0
    ? { problems }
    : { kind: 'scripts', scripts: read, rows, defined: source.defined };
}

async function readRows(
  { params, paramsFile, folder }: WorkSource,
  attempt: <T>(name: string, read: () => T) => T | null,
): Promise<readonly Row[]> {
  if (params !== null) return attempt('--params', () => parseRows(params)) ?? [];
  if (paramsFile === null) return [];
  const content = await contentOf(paramsFile, folder);
  return attempt(paramsFile, () => parseRows(content)) ?? [];
}

function contentOf(file: string, folder: string): Promise<string> {
  return readFile(resolve(folder, file), 'utf8').catch((cause: unknown) => {
    throw new WorkloadError('ERR_SCRIPT_FILE', `cannot read ${JSON.stringify(file)}: ${fileFault(cause)}`);
  });
}
