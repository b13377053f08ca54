import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { testIo } from '../helpers/io.js';
import { comparable } from '../loadtest/comparable.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-compare-'));
  await writeFile(join(folder, 'a.json'), JSON.stringify(comparable({ seed: 1 })));
  await writeFile(join(folder, 'same.json'), JSON.stringify(comparable({ seed: 2 })));
  await writeFile(join(folder, 'worse.json'), JSON.stringify(comparable({ perSecond: 800, seed: 3 })));
  await writeFile(join(folder, 'no.json'), 'poolctl');
  const cut = { ...comparable({}), partial: 'interrupted' };
  await writeFile(join(folder, 'cut.json'), JSON.stringify(cut));
  const other = comparable({});
  const complex = { ...other, workload: { ...other.workload, name: 'complex' } };
  await writeFile(join(folder, 'complex.json'), JSON.stringify(complex));
});
afterAll(() => rm(folder, { recursive: true }));

async function compare(...argv: string[]) {
  const io = testIo({ cwd: folder });
  const code = await runMain({ commands, version: () => '1.2.3' }, ['compare', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

describe('poolctl compare', () => {
  it('exits 0 where nothing has become worse', async () => {
    expect(await compare('a.json', 'same.json')).toMatchObject({
      code: 0,
      out: expect.stringContaining('PASSED'),
      err: '',
    });
  });

  it('exits 1 where something has, beyond the tolerance', async () => {
    expect(await compare('a.json', 'worse.json')).toMatchObject({
      code: 1,
      out: expect.stringContaining('WORSE'),
    });
    expect(await compare('a.json', 'worse.json', '--tolerance=50%')).toMatchObject({ code: 0 });
  });

  it('writes JSON with a schema', async () => {
    const { out } = await compare('a.json', 'worse.json', '--format=json');
    expect(JSON.parse(out)).toMatchObject({ schema: 1, kind: 'compare', regressions: ['throughput'] });
  });

  it.each([
    ['a file that is not there', ['a.json', 'none.json'], 3, 'none.json does not exist'],
    ['a folder', ['a.json', '.'], 3, '. cannot be read: it is a directory (EISDIR'],
    ['a file that is no result', ['no.json', 'a.json'], 3, 'no.json is not JSON'],
    ['a run that was interrupted', ['a.json', 'cut.json'], 3, 'the run after was interrupted'],
    ['other work', ['a.json', 'complex.json'], 3, 'the runs did different work:'],
    ['one file only', ['a.json'], 2, 'after'],
    ['three files', ['a.json', 'a.json', 'a.json'], 2, "unexpected argument 'a.json'"],
    ['a tolerance without a number', ['a.json', 'a.json', '--tolerance=much'], 2, '--tolerance'],
    ['a negative tolerance', ['a.json', 'a.json', '--tolerance=-5%'], 2, '--tolerance'],
  ])('refuses %s', async (_, argv, code, message) => {
    expect(await compare(...argv)).toMatchObject({ code, out: '', err: expect.stringContaining(message) });
  });
});
