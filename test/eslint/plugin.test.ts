import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { ESLint as ESLint10, type Linter } from 'eslint';
import { ESLint as ESLint9 } from 'eslint-9';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditResult, Finding } from '../../src/audit/types.js';
import type * as Built from '../../src/eslint/index.js';
import { dist, poolctl, root } from '../helpers/bin.js';

// The plug-in starts threads and reads package.json, so the build is what is tested.
const plugin: typeof Built = await import(join(dist, 'src/eslint/index.js'));

/** Accepts any language and gives an empty program: the rules read the text only. */
const anyText: Linter.Parser = {
  parseForESLint(text: string) {
    const end = text.split(/\r?\n/);
    const loc = {
      start: { line: 1, column: 0 },
      end: { line: end.length, column: end.at(-1)?.length ?? 0 },
    };
    const ast = { type: 'Program', body: [], tokens: [], comments: [], range: [0, text.length], loc };
    return { ast: { ...ast, sourceType: 'module' } as never };
  },
};

const FILES = ['**/*.{js,jsx,cjs,mjs,ts,tsx,cts,mts,vue,svelte,astro}'];
const typed = { files: FILES, languageOptions: { parser: anyText } };

let folder: string;
/** The findings of the command line in the fixtures. */
let inFixtures: Finding[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-eslint-'));
  const cwd = join(folder, 'fixtures');
  await cp(join(root, 'fixtures/audit'), cwd, { recursive: true });
  const argv = ['audit-leaks', '--notes', '--include-tests', '--no-cache', '--format', 'json'];
  const { findings }: AuditResult = JSON.parse((await poolctl(argv, { cwd })).stdout);
  inFixtures = findings.filter(({ file }) => !file.endsWith('.py'));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
/** A new folder with these files. */
async function projectOf(files: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, `project-${++count}`);
  await mkdir(path);
  for (const [name, text] of Object.entries(files)) await put(path, name, text);
  return path;
}

async function put(project: string, name: string, text: string): Promise<void> {
  await mkdir(dirname(join(project, name)), { recursive: true });
  await writeFile(join(project, name), text);
}

type Configs = readonly unknown[];

function eslintFor(cwd: string, configs: Configs = [typed, plugin.configs.recommended], Version = ESLint10) {
  return new Version({ cwd, overrideConfigFile: true, overrideConfig: configs as never });
}

/** The messages for a text, as `line:column message`. */
async function lint(cwd: string, name: string, text: string, configs?: Configs): Promise<string[]> {
  const results = await eslintFor(cwd, configs).lintText(text, { filePath: join(cwd, name) });
  return results.flatMap(({ messages }) => messages.map(shown));
}

function shown({ line, column, message }: Linter.LintMessage): string {
  return `${line}:${column} ${message}`;
}

const LEAK = `import { Pool } from 'pg';
const pool = new Pool();
export async function orders() {
  const client = await pool.connect();
  const { rows } = await client.query('select 1');
  client.release();
  return rows;
}
`;
// In parts, so that an audit of this file finds no suppression.
const IGNORE = ['poolctl', 'ignore-next-line'].join('-');
const MESSAGE = 'a client of a node-postgres pool is not released if this throws (line 5).';

describe.each([
  ['ESLint 9', ESLint9 as unknown as typeof ESLint10],
  ['ESLint 10', ESLint10],
])('the plug-in in %s', (_, Version) => {
  it('reports what the command line reports in all fixtures', async () => {
    const cwd = join(folder, 'fixtures');
    const options = { includeTests: true, notes: true };
    const configs = [
      typed,
      plugin.configs.strict,
      { settings: { poolctl: options }, linterOptions: { reportUnusedDisableDirectives: 'off' } },
    ];
    const results = await eslintFor(cwd, configs, Version).lintFiles(['.']);
    const reported = results.flatMap(({ filePath, messages }) =>
      messages.map((one) => `${relative(cwd, filePath)} ${one.ruleId} ${shown(one)}`),
    );
    expect(inFixtures.length).toBeGreaterThan(200);
    expect(reported.sort()).toEqual(inFixtures.map(wanted).sort());
  });

  it('judges the text of the editor, keystroke by keystroke', async () => {
    const cwd = await projectOf({
      'db.js': `import { Pool } from 'pg';\nconst pool = new Pool();\nexport const lend = () => pool.connect();\n`,
      'a.js': `import { lend } from './db.js';\nexport async function a() {\n  const c = await lend();\n  await c.query('x');\n  c.release();\n}\n`,
    });
    const eslint = eslintFor(cwd, [plugin.configs.recommended], Version);
    const ask = async (name: string, text: string) => {
      const [result] = await eslint.lintText(text, { filePath: join(cwd, name) });
      return result?.messages.map(({ line, ruleId }) => `${line} ${ruleId}`) ?? [];
    };
    const saved = await readFile(join(cwd, 'a.js'), 'utf8');
    expect(await ask('a.js', saved)).toEqual(['3 poolctl/no-leaked-lease']);
    // Mended in the editor, not saved.
    expect(await ask('a.js', saved.replace("  await c.query('x');\n", ''))).toEqual([]);
    expect(await ask('a.js', saved)).toEqual(['3 poolctl/no-leaked-lease']);
    // The other file lends nothing in the editor: that counts for nobody before it is saved.
    const other = await readFile(join(cwd, 'db.js'), 'utf8');
    expect(await ask('db.js', other.replace('pool.connect()', 'null'))).toEqual([]);
    expect(await ask('a.js', saved)).toEqual(['3 poolctl/no-leaked-lease']);
    await put(cwd, 'db.js', other.replace('pool.connect()', 'null'));
    expect(await ask('a.js', saved)).toEqual([]);
    await put(cwd, 'db.js', other);
    expect(await ask('a.js', saved)).toEqual(['3 poolctl/no-leaked-lease']);
    await rm(join(cwd, 'db.js'));
    expect(await ask('a.js', saved)).toEqual([]);
    await put(cwd, 'db.js', other);
    expect(await ask('a.js', saved)).toEqual(['3 poolctl/no-leaked-lease']);
  });

  it('repairs with --fix, and suggests a comment', async () => {
    const cwd = await projectOf({ 'a.js': LEAK });
    const [plain] = await eslintFor(cwd, [plugin.configs.recommended], Version).lintFiles(['a.js']);
    const [suggestion] = plain?.messages[0]?.suggestions ?? [];
    expect(suggestion?.fix.text).toBe(`  // ${IGNORE} leak -- TODO: say why\n`);
    const commented =
      LEAK.slice(0, suggestion?.fix.range[0]) + suggestion?.fix.text + LEAK.slice(suggestion?.fix.range[1]);
    expect(await lint(cwd, 'a.js', commented)).toEqual([]);
    const eslint = new Version({
      cwd,
      overrideConfigFile: true,
      overrideConfig: [plugin.configs.recommended] as never,
      fix: true,
    });
    const [result] = await eslint.lintFiles(['a.js']);
    expect(result?.messages).toEqual([]);
    await poolctl(['audit-leaks', '--fix'], { cwd });
    expect(result?.output).toBe(await readFile(join(cwd, 'a.js'), 'utf8'));
  });
});

function wanted({ file, rule, line, column, message }: Finding): string {
  const name =
    rule === 'leak' ? 'no-leaked-lease' : rule === 'pool-per-call' ? 'no-pool-per-call' : 'no-lease-misuse';
  return `${file} poolctl/${name} ${line}:${column} ${message}.`;
}

describe('the plug-in', () => {
  it('keeps to the config file, its rules, overrides and baseline, and notices its changes', async () => {
    const cwd = await projectOf({ 'src/a.js': LEAK, 'src/b.js': LEAK });
    const config = (section: unknown) =>
      put(cwd, 'poolctl.config.json', JSON.stringify({ 'audit-leaks': section }));
    expect(await lint(cwd, 'src/a.js', LEAK)).toEqual([`4:29 ${MESSAGE}`]);
    await config({ rules: { 'pg-pool': 'off' } });
    expect(await lint(cwd, 'src/a.js', LEAK)).toEqual([]);
    await config({ overrides: [{ files: ['src/a.js'], rules: { leak: 'off' } }] });
    expect(await lint(cwd, 'src/a.js', LEAK)).toEqual([]);
    expect(await lint(cwd, 'src/b.js', LEAK)).toEqual([`4:29 ${MESSAGE}`]);
    await config({ exclude: ['src/b.js'] });
    expect(await lint(cwd, 'src/b.js', LEAK)).toEqual([]);
    await config({ colour: 'red' });
    expect(await lint(cwd, 'src/b.js', LEAK)).toContainEqual(
      expect.stringContaining('audit-leaks.colour: unknown option'),
    );
    await rm(join(cwd, 'poolctl.config.json'));
    await poolctl(['audit-leaks', '--baseline', 'leaks.json', '--update-baseline'], { cwd });
    // One of the two is new.
    const { leaks } = JSON.parse(await readFile(join(cwd, 'leaks.json'), 'utf8'));
    await put(cwd, 'leaks.json', JSON.stringify({ schema: 1, leaks: [{ ...leaks[0], count: 1 }] }));
    await config({ baseline: 'leaks.json' });
    expect(await lint(cwd, 'src/a.js', LEAK)).toEqual([]);
    expect(await lint(cwd, 'src/b.js', LEAK)).toEqual([`4:29 ${MESSAGE}`]);
  });

  it('reads a config file that is a program', async () => {
    const cwd = await projectOf({
      'poolctl.config.ts': `const rules: Record<string, 'off'> = { leak: 'off' };
export default { 'audit-leaks': { rules } };
`,
    });
    expect(await lint(cwd, 'a.js', LEAK)).toEqual([]);
  });

  it('takes resources and a config file as options of a rule, and from settings', async () => {
    const cwd = await projectOf({ 'other.json': '{ "audit-leaks": { "rules": { "leak": "off" } } }' });
    const desk = `export async function sit() {
  const desk = openDesk();
  await work();
  desk.leave();
}
`;
    const resources = [{ id: 'desk', title: 'a desk', acquire: ['openDesk'], release: ['leave'] }];
    const rule = (options: unknown) => ({ rules: { 'poolctl/no-leaked-lease': ['error', options] } });
    const base = [typed, plugin.configs.recommended];
    expect(await lint(cwd, 'a.js', desk, base)).toEqual([]);
    const found = ['2:16 a desk is not released if this throws (line 3).'];
    expect(await lint(cwd, 'a.js', desk, [...base, rule({ resources })])).toEqual(found);
    expect(await lint(cwd, 'a.js', desk, [...base, { settings: { poolctl: { resources } } }])).toEqual(found);
    expect(await lint(cwd, 'a.js', LEAK, [...base, rule({ config: 'other.json' })])).toEqual([]);
    expect(await lint(cwd, 'a.js', LEAK, [...base, { settings: { poolctl: { rot: '.' } } }])).toContainEqual(
      "1:1 poolctl: settings.poolctl has no 'rot'.",
    );
  });

  it('is silenced by comments of both kinds', async () => {
    const cwd = await projectOf({});
    const configs = [plugin.configs.recommended];
    const line = '  const client = await pool.connect();';
    for (const comment of [
      'poolctl-ignore-next-line leak -- mine',
      'eslint-disable-next-line poolctl/no-leaked-lease',
    ]) {
      const text = LEAK.replace(line, `  // ${comment}\n${line}`);
      expect(await lint(cwd, 'a.js', text, configs)).toEqual([]);
    }
  });

  it.each([
    ['Windows line ends', 'a.ts', LEAK.replaceAll('\n', '\r\n'), 4, MESSAGE],
    ['a byte order mark', 'a.ts', `\uFEFF${LEAK}`, 4, MESSAGE],
    [
      'a byte order mark on the line of the finding',
      'a.ts',
      `\uFEFF${LEAK.replaceAll('\n', ' ')}`,
      1,
      '(line 1)',
    ],
    ['text without a file', '<input>', LEAK, 4, MESSAGE],
    ['a new file', 'deep/new/file.ts', LEAK, 4, MESSAGE],
    [
      'a component',
      'a.vue',
      `<template><p/></template>\n<script lang="ts">\n${LEAK}</script>\n`,
      6,
      '(line 7)',
    ],
    ['a component of Svelte', 'a.svelte', `<script lang="ts">\n${LEAK}</script>\n<p/>\n`, 5, '(line 6)'],
    ['broken syntax before it', 'a.ts', `${LEAK}function ( {{{`, 4, MESSAGE],
    ['a large file', 'a.ts', `${LEAK}${'export const a = 1; // filler\n'.repeat(20_000)}`, 4, MESSAGE],
  ])('judges %s', async (_, name, text, line, message) => {
    const cwd = await projectOf({});
    const options = name === '<input>' ? {} : { filePath: join(cwd, name) };
    const eslint = eslintFor(cwd, [{ ...typed, files: ['**'] }, plugin.configs.recommended]);
    const [result] = await eslint.lintText(text, options);
    expect(result?.messages).toMatchObject([{ line, message: expect.stringContaining(message) }]);
    const at = text.replace('\uFEFF', '').split(/\r?\n/)[line - 1]?.indexOf('connect') ?? -1;
    expect(result?.messages[0]?.column).toBe(at + 1);
    // The repair stands at the same place.
    const fixing = new ESLint10({
      cwd,
      overrideConfigFile: true,
      overrideConfig: [{ ...typed, files: ['**'] }, plugin.configs.recommended] as never,
      fix: true,
    });
    const [fixed] = await fixing.lintText(text, options);
    const isRepaired = !text.includes('{{{') && line > 1;
    if (isRepaired) expect(fixed?.output).toMatch(/\} finally \{\s+client\.release\(\);/);
  });

  it('judges blocks of a component beside their file, and none of other documents', async () => {
    const lending = `import { Pool } from 'pg';\nexport const lend = () => new Pool().connect();\n`;
    const cwd = await projectOf({ 'src/db.ts': lending });
    const block = `import { lend } from './db';\nexport async function a() {\n  const c = await lend();\n  await c.query('x');\n  c.release();\n}\n`;
    const blocks = {
      preprocess: () => [{ text: block, filename: '0.ts' }],
      postprocess: (all: unknown[][]) => all.flat(),
    };
    const configs = [
      {
        files: ['**/*.vue', '**/*.md'],
        plugins: { blocks: { processors: { blocks } } },
        processor: 'blocks/blocks',
      },
      { ...typed, files: ['**/*.ts'] },
      plugin.configs.recommended,
    ];
    expect(await lint(cwd, 'src/app.vue', 'not read', configs)).toEqual([
      expect.stringContaining('from lend() is not released if this throws'),
    ]);
    expect(await lint(cwd, 'src/app.md', 'not read', configs)).toEqual([]);
  });

  it('says nothing of files that the command line leaves out', async () => {
    const cwd = await projectOf({ '.gitignore': 'made\n', 'made/a.js': LEAK, 'a.test.js': LEAK });
    await mkdir(join(cwd, '.git'));
    expect(await lint(cwd, 'made/a.js', LEAK)).toEqual([]);
    expect(await lint(cwd, 'a.test.js', LEAK)).toEqual([]);
  });

  it('reads no folder where ESLint has no workspace', async () => {
    const eslint = eslintFor('/', [{ ...typed, files: ['**'] }, plugin.configs.recommended]);
    const [result] = await eslint.lintText(LEAK, { filePath: '/poolctl-no-such-folder/a.js' });
    expect(result?.messages).toMatchObject([{ line: 4, message: MESSAGE }]);
  });

  it('has types that fit those of both versions', async () => {
    const types = join(dist, 'src/eslint/index.js');
    const code = `import { defineConfig } from 'eslint/config';
import type { ESLint } from 'eslint';
import type { ESLint as ESLint9 } from 'eslint-9';
import poolctl, { configs, rules } from '${types}';
const plugin: ESLint.Plugin = poolctl;
const older: ESLint9.Plugin = poolctl;
export default defineConfig([configs.recommended, configs.strict, { plugins: { poolctl }, rules: {} }]);
export { older, plugin, rules };
`;
    const cwd = await projectOf({ 'eslint.config.ts': code });
    await symlink(join(root, 'node_modules'), join(cwd, 'node_modules'), 'junction');
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      module: 'nodenext',
      skipLibCheck: true,
      types: [],
    };
    await put(cwd, 'tsconfig.json', JSON.stringify({ compilerOptions, files: ['eslint.config.ts'] }));
    await put(cwd, 'package.json', '{ "type": "module" }');
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', cwd]).catch((error) => error);
    expect(stdout).toBe('');
  });
});
