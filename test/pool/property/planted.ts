import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PoolClass } from './player.js';

const source = join(import.meta.dirname, '../../../src');

/** One line of the real source, and what stands there instead. */
export interface Defect {
  readonly file: string;
  readonly line: string;
  readonly instead: string;
}

/**
 * The pool as it is in `src`, with a defect planted in a copy of it; null for a copy as it is. Throws if the line is
 * not found exactly once: then the source has changed, and the defect must be planted elsewhere.
 */
export async function loadPool(defect: Defect | null): Promise<PoolClass> {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-planted-'));
  try {
    for (const room of ['base', 'pool']) cpSync(join(source, room), join(folder, room), { recursive: true });
    if (defect !== null) plant(join(folder, defect.file), defect);
    const url = pathToFileURL(join(folder, 'pool/queue-pool.ts')).href;
    const { QueuePool } = (await import(/* @vite-ignore */ url)) as { QueuePool: PoolClass };
    return QueuePool;
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
