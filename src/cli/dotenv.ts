import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { fileFault } from '../base/file-fault.js';
import type { Problem } from './errors.js';

type Env = Readonly<Record<string, string | undefined>>;

export interface EnvFile {
  readonly path: string;
  readonly values: Env;
}

/** Reads the file of `--dotenv`. Problems go to `problems`. */
export async function readDotenv(
  named: string | null,
  cwd: string,
  problems: Problem[],
): Promise<EnvFile | null> {
  if (named === null || named.trim() === '') return null;
  try {
    return { path: named, values: parseEnv(await readFile(resolve(cwd, named), 'utf8')) };
  } catch (error) {
    problems.push({ message: `--dotenv: cannot read ${named}: ${fileFault(error)}`, hint: null });
    return null;
  }
}

/** The environment with the variables of a file. A variable that is set already keeps its value; an empty one counts as unset. */
export function withDotenv(env: Env, file: EnvFile | null): Env {
  if (file === null) return env;
  return { ...env, ...Object.fromEntries(Object.entries(file.values).filter(([name]) => !env[name])) };
}

/**
 * Options of Node with which programs load such files. Node acts on them wherever they stand before a `--`, behind the
 * name of the script too, so poolctl cannot have options of these names.
 */
export const NODE_ENV_OPTIONS: readonly string[] = ['--env-file', '--env-file-if-exists'];
