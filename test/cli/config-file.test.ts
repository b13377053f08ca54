import { chown, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findConfig } from '../../src/cli/config-search.js';
import { poolctl } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';
import { draw } from './made-up-command.js';

let root: string;
let cwd: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-config-')));
  cwd = join(root, 'packages/shop');
  await mkdir(cwd, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

async function write(name: string, text: string) {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), text);
}

describe('the search for a config file', () => {
  it('takes the nearest folder that has one, up to the root of the file system, through a repository', async () => {
    await write('poolctl.config.json', '{ "draw": { "poolSize": 1 } }');
    await mkdir(join(root, 'packages/.git'));
    const from = async () => (await draw([], testIo({ cwd }))).context?.options.poolSize;
    expect(await from()).toBe(1);
    await write('packages/poolctl.config.jsonc', '{ "draw": { "poolSize": 2 } } // nearer');
    expect(await from()).toBe(2);
    await write('packages/shop/poolctl.config.json', '{}');
    expect(await from()).toBe(5);
  });

  it('refuses to choose between two in one folder', async () => {
    await write('packages/poolctl.config.json', '{}');
    await write('packages/poolctl.config.mjs', 'export default {}');
    const io = testIo({ cwd });
    expect((await draw([], io)).exitCode).toBe(2);
    expect(io.err()).toMatch(/more than one config file: \S+poolctl.config.json and \S+poolctl.config.mjs/);
  });

  it.runIf(process.getuid?.() === 0)('passes over files above that belong to another user', async () => {
    const [own, stranger] = [4711, 4712];
    await write('poolctl.config.json', '{}');
    await write('packages/poolctl.config.mjs', 'export default {}');
    await chown(join(root, 'packages/poolctl.config.mjs'), stranger, stranger);
    expect(await findConfig(cwd, own)).toEqual({
      paths: [join(root, 'poolctl.config.json')],
      foreign: [join(root, 'packages/poolctl.config.mjs')],
    });
    // In a container, a project often belongs to another user than the one who works on it.
    await chown(cwd, stranger, stranger);
    expect((await findConfig(cwd, own)).paths).toEqual([join(root, 'packages/poolctl.config.mjs')]);
  });
});

describe('a relative path in a config', () => {
  it('starts from the folder of the config', async () => {
    await write(
      'poolctl.config.json',
      `{
        // The comment and the comma are allowed.
        "loadtest": { "sqlFile": ["sql/a.sql@3", "/abs/b.sql"], "ca": "ca.pem", },
        "audit-leaks": { "baseline": "leaks.json", "exclude": ["gen/**", "*.spec.ts"] },
      }`,
    );
    const shown = async (...argv: string[]) => (await poolctl([...argv, '--print-config'], { cwd })).stdout;
    const load = await shown('loadtest', '--format', 'json');
    expect(JSON.parse(load)).toMatchObject({
      options: { sqlFile: { value: `${root}/sql/a.sql@3, /abs/b.sql` }, ca: { value: `${root}/ca.pem` } },
    });
    expect(JSON.parse(await shown('audit-leaks', '--format', 'json'))).toMatchObject({
      options: { baseline: { value: `${root}/leaks.json` }, exclude: { value: `${root}/gen/**, *.spec.ts` } },
    });
  });

  it('decides what is audited and by which rules, also from a folder below', async () => {
    const leak = `import { Pool } from 'pg';
      const pool = new Pool();
      export async function find() {
        const client = await pool.connect();
        await client.query('select 1');
        client.release();
      }`;
    for (const name of ['src/a.ts', 'gen/b.ts', 'old/c.ts']) await write(`packages/shop/${name}`, leak);
    await write(
      'poolctl.config.json',
      JSON.stringify({
        'audit-leaks': {
          exclude: ['packages/*/gen/**'],
          overrides: [{ files: 'packages/shop/old', rules: { leak: 'off' } }],
        },
      }),
    );
    const { stdout } = await poolctl(['audit-leaks', '--no-cache', '--format', 'json'], { cwd });
    const { findings } = JSON.parse(stdout) as { findings: { file: string }[] };
    expect(findings.map(({ file }) => file)).toEqual(['src/a.ts']);
  });
});

describe('a config that is a program', () => {
  const sizeIn = async (argv: readonly string[] = []) => {
    const { stdout, stderr } = await poolctl(['loadtest', '--print-config', '--format', 'json', ...argv], {
      cwd,
    });
    if (stdout === '') return stderr;
    expect(stderr).toBe('');
    return (JSON.parse(stdout) as { options: { poolSize: { value: string } } }).options.poolSize.value;
  };

  it('may be TypeScript, which imports other files of the project', async () => {
    await write(
      'poolctl.config.ts',
      `import { sizes, type Size } from './sizes.js';
      import { factor } from './factor';
      const size: Size = 'large';
      interface Sections { loadtest: { poolSize: number; poolTimeout?: string | undefined } }
      export default { loadtest: { poolSize: sizes[size]! * factor, poolTimeout: undefined } } satisfies Sections;`,
    );
    await write(
      'sizes.ts',
      "export type Size = 'large';\nexport const sizes: Record<string, number> = { large: 7 };",
    );
    await write('factor.mts', 'export const factor = 6 as number;');
    expect(await sizeIn()).toBe('42');
  });

  it.each([
    ['poolctl.config.mjs', 'export default { loadtest: { poolSize: 8 } };'],
    // poolctl is not installed in this folder.
    [
      'poolctl.config.ts',
      "import { defineConfig, type PoolctlConfig } from 'poolctl';\nexport default defineConfig({ loadtest: { poolSize: 8 } } satisfies PoolctlConfig);",
    ],
    ['poolctl.config.mjs', 'export default Promise.resolve({ loadtest: { poolSize: 8 } });'],
    ['poolctl.config.js', 'module.exports = { loadtest: { poolSize: 8 } };'],
    ['poolctl.config.cjs', 'module.exports = { loadtest: { poolSize: 8 } };'],
    ['poolctl.config.mts', 'export default { loadtest: { poolSize: 8 as const } };'],
  ])('may be %s: %s', async (name, text) => {
    await write('package.json', '{}');
    await write(name, text);
    expect(await sizeIn()).toBe('8');
  });

  it.each([
    ['a.ts', 'export default {\n  loadtest: { poolSize: 3,\n}', "a.ts:3:2: '}' expected"],
    [
      'a.mjs',
      'export default {\n  loadtest: { poolSize: 3,, }\n}',
      'a.mjs:2:27: Property assignment expected',
    ],
    ['a.ts', 'const a = 1;\n/* b */ enum B { C }\nexport default {}', 'a.ts:2:9: poolctl only removes types'],
    [
      'a.ts',
      'const a = 1;\nthrow new Error("no database");',
      'a.ts:2:7: cannot be loaded: Error: no database',
    ],
    ['a.ts', 'import "./none.js";\nexport default {}', "a.ts: cannot be loaded: Error: Cannot find module '"],
    [
      'a.mjs',
      'export const a = 1',
      'a.mjs: an object with one section per command is expected as the default export',
    ],
    [
      'a.mjs',
      'export default { loadtest: { poolSise: 3 } }',
      'a.mjs: loadtest.poolSise: unknown option\n  hint: did you mean poolSize?',
    ],
    [
      'a.mjs',
      'export default { loadtest: { poolSize: () => 3 } }',
      'a.mjs: loadtest.poolSize: a text or a number is expected',
    ],
  ])('names the place of what is wrong in %s: %j', async (name, text, message) => {
    await write(`packages/shop/${name}`, text);
    const { code, stderr } = await poolctl(['loadtest', '--config', name], { cwd });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`poolctl: ${message}`)]);
  });
});

describe('a mistake in a config', () => {
  it('is named with its line and column', async () => {
    await write(
      'packages/shop/poolctl.config.json',
      '{\n  "draw": {\n    "poolSise": 5,\n    "corners": "x"\n  },\n  "drew": {}\n}',
    );
    const io = testIo({ cwd });
    expect((await draw([], io)).exitCode).toBe(2);
    expect(io.err()).toContain(
      "poolctl.config.json:6:3: there is no command 'drew'\n    hint: did you mean draw?",
    );
    expect(io.err()).toContain(
      'poolctl.config.json:3:5: draw.poolSise: unknown option\n    hint: did you mean poolSize?',
    );
    expect(io.err()).toContain("poolctl.config.json:4:5: draw.corners: 'x' is not a whole number");
  });
});
