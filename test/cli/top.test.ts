import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { poolctl } from '../helpers/bin.js';
import { type TestIoOptions, testIo } from '../helpers/io.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-top-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Rates are told from two readings, this far apart. */
const SOON = ['--once', '--interval', '100ms'];

async function top(argv: readonly string[], options: TestIoOptions = {}) {
  const io = testIo({ cwd: folder, tempFolder: folder, ...options });
  const code = await runMain({ commands, version: () => '1.2.3' }, ['top', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

describe('poolctl top without a terminal', () => {
  it('prints what is wrong, and the tables, once', async () => {
    const { code, out, err } = await top(['--demo', '--interval', '100ms']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [first] = out.split('\n');
    expect(first).toMatch(
      /^orders: exhausted; 3 of 15 leases held > 30 s in a transaction by src\/orders.ts:88; \d+ waiting/,
    );
    for (const title of ['Pools', 'Holders', 'PgBouncer', 'Blocking']) expect(out).toContain(`\n${title}\n`);
    expect(out).toMatch(/\nBackends: .*3 idle in transaction/);
    expect(
      Math.max(
        ...out
          .split('\n')
          .slice(1)
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  });

  it('is ASCII where the locale is', async () => {
    const { out } = await top(['--demo', ...SOON], { unicode: false });
    expect(out).toMatch(/^[\n\x20-\x7e]*$/);
  });

  it('prints a reading as a line of JSON', async () => {
    const { code, out } = await top(['--demo', ...SOON, '--json']);
    expect(code).toBe(0);
    expect(out.endsWith('\n')).toBe(true);
    expect(JSON.parse(out)).toMatchObject({
      schema: 1,
      diagnosis: { severity: 'bad', cause: 'transaction-left-open' },
      rates: [
        {
          ...{ source: 'demo:orders-api', pid: 4182, pool: 'orders', overMs: expect.any(Number) as number },
          ...{
            acquiresPerSecond: expect.any(Number) as number,
            timeoutsPerSecond: expect.any(Number) as number,
          },
        },
        { pool: 'sessions' },
      ],
      sources: [
        {
          label: 'demo:orders-api',
          stale: null,
          reading: { pools: [{ name: 'orders' }, { name: 'sessions' }] },
        },
        { label: 'demo:pgbouncer' },
        { label: 'demo:postgres' },
      ],
    });
  });

  it('prints lines of JSON until its reader has enough, in a process of its own', async () => {
    const { code, stdout } = await poolctl(['top', '--demo', '--once', '--json', '--interval', '100ms']);
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  it('records what it reads, and shows it again', async () => {
    const recorded = await top(['--demo', ...SOON, '--record', 'a.jsonl']);
    const again = await top(['--replay', 'a.jsonl', '--once']);
    expect(again.code).toBe(0);
    expect(again.out).toBe(recorded.out);
    const lines = (await readFile(join(folder, 'a.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { poolctl: 'top', schema: 1 },
      { sources: [{}, {}, {}] },
      { sources: [{}, {}, {}] },
    ]);
    const json = await top(['--replay', 'a.jsonl', '--json']);
    expect(json.out.trim().split('\n')).toHaveLength(2);
  });

  it.each([
    ['nothing', '', 'it is no recording'],
    ['something else', '{"a":1}\n', 'it is no recording'],
    ['another schema', '{"poolctl":"top","schema":9}\n', 'schema 9'],
    ['no reading', '{"poolctl":"top","schema":1}\n', 'no reading in it'],
    ['no whole reading', '{"poolctl":"top","schema":1}\n{"atMs":1,"sour', 'no reading in it'],
    [
      'a reading in which a list is none',
      '{"poolctl":"top","schema":1}\n{"atMs":1,"sources":[{"label":"a","stale":null,"reading":{"pools":7}}]}\n',
      'no reading in it',
    ],
  ])('refuses a recording with %s in it', async (_, text, words) => {
    await writeFile(join(folder, 'bad.jsonl'), text);
    const { code, err } = await top(['--replay', 'bad.jsonl']);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });

  it('passes over what is damaged in a recording', async () => {
    await top(['--demo', ...SOON, '--record', 'b.jsonl']);
    const [header = '', tick = ''] = (await readFile(join(folder, 'b.jsonl'), 'utf8')).split('\n');
    const damaged = [header, 'x', tick.replace('"holders":[', '"holders":[7,'), tick, tick.slice(0, 500)];
    await writeFile(join(folder, 'b.jsonl'), damaged.join('\n'));
    expect(await top(['--replay', 'b.jsonl'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('orders: exhausted') as string,
    });
  });

  it.each([
    [['--demo', 'postgres://a@b/c'], 2, '--demo, --replay and sources do not go together'],
    [['--demo', '--replay', 'a.jsonl'], 2, '--demo, --replay and sources do not go together'],
    [['--demo', '--allow-actions'], 2, '--allow-actions needs a real database'],
    [['--replay', 'a', '--record', 'b'], 2, '--record and --replay do not go together'],
    [['mongodb://a', 'nothing'], 2, "the scheme 'mongodb' is not known"],
    [['--interval', '1'], 2, 'has no unit'],
    [['--replay', 'not-there.jsonl'], 3, 'cannot read the recording'],
    [['--demo', '--once', '--record', 'no/such/folder'], 3, 'cannot be opened'],
    [['--demo', '--once', '--record', '/dev/full'], 3, 'cannot be written: no space left'],
    [[], 3, 'no application of this user publishes its pools'],
    [['--once', 'postgres://a:geheim@127.0.0.1:1/b'], 3, ''],
  ])('says what is wrong with %j', async (argv, code, words) => {
    const result = await top(argv);
    expect(result.code).toBe(code);
    expect(result.err).toContain(words);
    expect(result.out + result.err).not.toContain('geheim');
  });

  it('says which source cannot be read', async () => {
    const { out } = await top(['--once', 'postgres://a:geheim@127.0.0.1:1/b']);
    expect(out).toContain('cannot be read');
  });
});
