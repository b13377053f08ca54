import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { AppReading } from '../snapshot/reading.js';

export interface ProcessFiles {
  /** Files and connections that it may have open (`ulimit -n`). */
  readonly limit: number;
  /** null where another user owns it. */
  readonly open: number | null;
}

/** Linux's facts on a process of this machine; null on other systems, and if it has ended. */
export async function processFiles({ pid, host }: AppReading): Promise<ProcessFiles | null> {
  // In a container its number is one of another count.
  if (host !== hostname()) return null;
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '');
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  if (soft === undefined) return null;
  const open = await readdir(`/proc/${pid}/fd`).catch(() => null);
  return { limit: Number(soft), open: open?.length ?? null };
}
