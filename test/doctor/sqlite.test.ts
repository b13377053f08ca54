import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileSystemOf } from '../../src/doctor/sqlite-file.js';
import type { CheckResult } from '../../src/doctor/types.js';
import { examine } from './bench.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-doctor-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function look(check: string, url: string): Promise<CheckResult> {
  const { results } = await examine([url, `--only=${check}`]);
  expect(results).toHaveLength(1);
  return results[0] as CheckResult;
}

/** Does what stands in the first step, at that file. */
function apply(file: string, { fix }: CheckResult): void {
  const [step] = fix?.steps ?? [];
  expect(step?.kind).toBe('sql');
  const db = new Sqlite(file);
  db.exec(step?.text ?? '');
  db.close();
}

describe('a check of a SQLite file', () => {
  it('sqlite-journal-mode: a writer locks readers out', async () => {
    const file = join(folder, 'journal.db');
    new Sqlite(file).exec('create table a (b)').close();
    const before = await look('sqlite-journal-mode', `sqlite:${file}`);
    expect(before).toMatchObject({ status: 'fail', summary: 'its journal mode is delete' });
    apply(file, before);
    expect(await look('sqlite-journal-mode', `sqlite:${file}`)).toMatchObject({ status: 'pass' });
  });

  it.each([
    ['?busyTimeout=0ms', 'fail', 'a statement that meets a writer fails at once'],
    ['?busyTimeout=200ms', 'warn', 'a statement waits at most 200ms for a writer'],
  ])('sqlite-busy-timeout: %s', async (query, status, summary) => {
    const file = join(folder, 'busy.db');
    new Sqlite(file).close();
    const before = await look('sqlite-busy-timeout', `sqlite:${file}${query}`);
    expect(before).toMatchObject({ status, summary });
    const [, url = ''] = /(sqlite:\S+)$/.exec(before.fix?.steps[0]?.text ?? '') ?? [];
    expect(await look('sqlite-busy-timeout', url)).toMatchObject({
      status: 'pass',
      summary: 'waits up to 5s',
    });
  });

  it('sqlite-wal-size: a log that cannot be taken over', async () => {
    const file = join(folder, 'wal.db');
    const [writer, reader] = [new Sqlite(file), new Sqlite(file)];
    writer.pragma('journal_mode = wal');
    writer.pragma('synchronous = off');
    writer.exec('create table a (b)');
    reader.exec('begin');
    reader.prepare('select * from a').all();
    const insert = writer.prepare('insert into a values (zeroblob(1000000))');
    for (let i = 0; i < 70; i++) insert.run();
    const before = await look('sqlite-wal-size', `sqlite:${file}`);
    expect(before).toMatchObject({ status: 'warn', evidence: [expect.stringContaining('wal.db-wal: 7')] });
    reader.close();
    apply(file, before);
    expect(await look('sqlite-wal-size', `sqlite:${file}`)).toMatchObject({ status: 'pass' });
    writer.close();
  });

  it('sqlite-file-system: it is on this machine', async () => {
    const file = join(folder, 'disk.db');
    new Sqlite(file).close();
    const { status } = await look('sqlite-file-system', `sqlite:${file}`);
    expect(['pass', 'skipped']).toContain(status);
  });

  it.each<[number | null, string, boolean | null, string | null]>([
    [0x6969, 'linux', true, 'NFS'],
    [0xff534d42, 'linux', true, 'CIFS'],
    [0xff534d42 - 2 ** 32, 'linux', true, 'CIFS'],
    [0x01021997, 'linux', true, '9p'],
    [0xef53, 'linux', false, 'ext4'],
    [0x12345678, 'linux', false, null],
    [0x65735546, 'linux', null, 'FUSE'],
    [0x6969, 'darwin', null, null],
    [null, 'linux', null, null],
  ])('sqlite-file-system: %s of %s', (type, system, network, fileSystem) => {
    expect(fileSystemOf(type, system)).toEqual({ network, fileSystem });
  });
});
