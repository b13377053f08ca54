import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const source = join(import.meta.dirname, '../../src');

/** One line of the real source, and what stands there instead. */
export interface Defect {
  /** Below `src`. */
  readonly file: string;
  readonly line: string;
  readonly instead: string;
}

/**
 * A module of `src` with a defect planted in a copy of its rooms; null for a copy as it is. Throws if the line is not
 * found exactly once: then the source has changed, and the defect must be planted elsewhere.
 */
export async function loadPlanted<M>(
  entry: string,
  defect: Defect | null,
  rooms: readonly string[] = ['base'],
): Promise<M> {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-planted-'));
  try {
    for (const room of rooms) cpSync(join(source, room), join(folder, room), { recursive: true });
    if (defect !== null) plant(join(folder, defect.file), defect);
    return (await import(/* @vite-ignore */ pathToFileURL(join(folder, entry)).href)) as M;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function plant(path: string, { file, line, instead }: Defect): void {
  const parts = readFileSync(path, 'utf8').split(line);
  if (parts.length !== 2) {
    throw new Error(
      `src/${file} has this ${parts.length - 1} times instead of once; plant the defect elsewhere: ${line}`,
    );
  }
  writeFileSync(path, parts.join(instead));
}
