import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { fileFault } from '../base/file-fault.js';
import type { Problem } from './errors.js';

export interface EnvFile {
  readonly path: string;
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** Reads a .env file, as `node --env-file` would. Problems go to `problems`. */
export async function readEnvFile(
  named: string | null,
  cwd: string,
  problems: Problem[],
): Promise<EnvFile | null> {
  if (named === null) return null;
  try {
    return { path: named, values: parseEnv(await readFile(resolve(cwd, named), 'utf8')) };
  } catch (error) {
    problems.push({ message: `--env-file: cannot read ${named}: ${fileFault(error)}`, hint: null });
    return null;
  }
}
