import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reading } from '../snapshot/reading.js';
import { toApp, toReading } from './published.js';

/**
 * The last readings of processes that have exited, each a file of two lines: what the process says when it greets a
 * reader, and its last answer. Files that no watched process has written are left out.
 */
export async function readLeftBehind(folder: string): Promise<readonly Reading[]> {
  const names = (await readdir(folder)).sort();
  const readings = await Promise.all(
    names.map(async (name): Promise<Reading[]> => {
      try {
        const [greeting = '', answer = ''] = (await readFile(join(folder, name), 'utf8')).split('\n');
        const app = toApp(greeting);
        const { takenAtMs } = JSON.parse(answer) as { readonly takenAtMs: number };
        return [toReading(answer, app, name, takenAtMs)];
      } catch {
        return [];
      }
    }),
  );
  return readings.flat();
}
