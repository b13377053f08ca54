import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { type TestIo, type TestIoOptions, testIo } from '../helpers/io.js';

/** A small pool and no warm-up: most tests are not about the load. */
export const SMALL = [
  '--warmup=none',
  '--num-workers=2',
  '--num-queries=20',
  '--pool-size=2',
  '--max-overflow=0',
];

/** A folder of a test's own: its current directory, with a `tmp` in it for what poolctl makes. */
export interface Place {
  readonly folder: string;
  readonly tmp: string;
  /** What poolctl has left in `tmp`. */
  left(): Promise<string[]>;
  /** Makes a database with a table of 1,000 orders, anew if it is there. */
  database(name: string, options?: { readonly wal?: boolean }): string;
  remove(): Promise<void>;
}

export async function makePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-cli-'));
  const tmp = await mkdtemp(join(folder, 'tmp-'));
  return {
    folder,
    tmp,
    left: () => readdir(tmp),
    database(name, { wal = false } = {}) {
      const file = join(folder, name);
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
      const db = new Sqlite(file);
      if (wal) db.pragma('journal_mode = wal');
      db.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, day TEXT)');
      const insert = db.prepare('INSERT INTO orders VALUES (?, ?)');
      db.transaction(() => {
        for (let id = 1; id <= 1000; id++) insert.run(id, `2026-01-${(id % 31) + 1}`);
      })();
      db.close();
      return file;
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `poolctl loadtest` in this process. */
export async function loadtest(
  argv: readonly string[],
  options: TestIoOptions & { readonly io?: TestIo } = {},
): Promise<Ran> {
  const { io = testIo(options) } = options;
  const code = await runMain({ commands, version: () => '9.8.7' }, ['loadtest', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

/** The same with the result as data. The exit code must be that of a verdict. */
export async function resultOf(
  argv: readonly string[],
  options: TestIoOptions & { readonly io?: TestIo } = {},
): Promise<LoadResult & { readonly code: number }> {
  const { code, out, err } = await loadtest([...argv, '--format=json'], options);
  // A busy machine may take seconds to answer, which is reported and is no fault.
  const complaints = err
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('poolctl: waiting for '));
  if (code > 1 || complaints.length > 0) throw new Error(`exit ${code}: ${err}`);
  return { ...(JSON.parse(out) as LoadResult), code };
}

export async function checksum(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

/** All rows that a statement gives on a database file. */
export function rowsOf(file: string, sql: string): unknown[] {
  const db = new Sqlite(file, { readonly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}
