import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import type { AuditResult } from '../../src/audit/types.js';
import { runMain } from '../../src/cli/main.js';
import { poolctl } from '../helpers/bin.js';
import { testIo } from '../helpers/io.js';

const LEAK = `import { Pool } from 'pg';
const pool = new Pool();
export async function total() {
  const client = await pool.connect();
  await client.query('select 1');
  client.release();
}
`;
const SAFE = LEAK.replace("await client.query('select 1');\n  client.release();", 'client.release();');

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-gate-'));
  home = await mkdtemp(join(tmpdir(), 'poolctl-home-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(home, { recursive: true, force: true });
});

async function write(name: string, text: string | Buffer) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

async function runIn(cwd: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const io = testIo({ cwd, env });
  const code = await runMain({ commands, version: () => '1.2.3' }, ['audit-leaks', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

async function run(...argv: string[]) {
  return await runIn(folder, argv);
}

async function json(...argv: string[]): Promise<AuditResult & { code: number }> {
  const { code, out } = await run('--format', 'json', ...argv);
  return { ...(JSON.parse(out) as AuditResult), code };
}

function git(...args: string[]) {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false'];
  execFileSync('git', [...identity, ...args], { cwd: folder, stdio: 'pipe' });
}

function commit() {
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'before');
}

describe('the names of files', () => {
  it.each(['github', 'sarif', 'junit', 'markdown'])('are those of the repository in %s', async (format) => {
    await write('packages/app/src/a.ts', LEAK);
    git('init', '-q');
    const app = join(folder, 'packages/app');
    for (const [cwd, argument] of [
      [folder, 'packages/app/src'],
      [app, 'src'],
      [app, 'src/a.ts'],
      [join(app, 'src'), '.'],
      [tmpdir(), app],
    ] as const) {
      const { out } = await runIn(cwd, [argument, '--format', format]);
      expect({ cwd, argument, out }).toEqual({
        cwd,
        argument,
        out: expect.stringMatching(/(file=|"uri": "|name="|\| )packages\/app\/src\/a\.ts/),
      });
    }
  });

  it('are those of the current folder where there is no repository, and for people', async () => {
    await write('app/src/a.ts', LEAK);
    expect((await run('app/src', '--format', 'github')).out).toContain('file=app/src/a.ts,');
    expect((await run('app/src')).out).toContain('app/src/a.ts:4:29');
    git('init', '-q');
    expect((await runIn(join(folder, 'app'), ['src'])).out).toMatch(/^src\/a\.ts:4:29/);
  });

  it('stay relative to the audited folder in JSON, which says where that is', async () => {
    await write('app/src/a.ts', LEAK);
    git('init', '-q');
    const { base, findings } = await json('app/src');
    expect([base, findings[0]?.file]).toEqual(['app/src', 'a.ts']);
    expect((await json()).base).toBe('');
  });
});

describe('a run that audits nothing, or not everything', () => {
  it.each(['data.json', 'notes.md', 'image.png'])('refuses a file that is no code: %s', async (name) => {
    await write(name, '');
    expect(await run(name)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(name) });
  });

  it('refuses a folder without source files, and one with skipped files only', async () => {
    await write('data.json', '{}');
    expect(await run()).toMatchObject({ code: 2, out: '', err: expect.stringContaining('no source files') });
    await write('a.ts', Buffer.from([0x47, 0, 0, 0, 1, 0]));
    expect(await run()).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('every file was skipped'),
    });
    expect((await run('a.ts')).code).toBe(2);
  });

  it('audits a script without an ending that is named', async () => {
    await write('tool', `#!/usr/bin/env node\n${LEAK}`);
    expect((await run('tool')).code).toBe(1);
  });

  it('counts what was skipped, and fails for it only with --strict', async () => {
    await write('a.ts', SAFE);
    await write('bundle.js', 'var a=1;'.repeat(10_000));
    const lenient = await run();
    expect(lenient).toMatchObject({ code: 0, out: expect.stringContaining('1 file skipped') });
    expect(lenient.err).toContain('bundle.js: skipped: it looks minified');
    expect(await run('--strict')).toMatchObject({ code: 1 });
    expect((await json()).summary.skipped).toBe(1);
    await rm(join(folder, 'bundle.js'));
    expect(await run('--strict')).toMatchObject({ code: 0, err: '' });
  });

  it('skips a file whose unclosed parameter lists the parser cannot take, and no other', async () => {
    await write('a.ts', SAFE);
    await write('broken.ts', 'async (s (n('.repeat(40));
    await write('generic.ts', 'async <A<B>>('.repeat(40));
    await write('row.ts', 'void (async () => n(1))();\n'.repeat(40));
    const { code, err } = await run();
    expect(code).toBe(0);
    expect(err).toContain('broken.ts: skipped: it opens too many "async (" inside each other');
    expect(err).toContain('generic.ts: skipped');
    expect(err).not.toContain('row.ts');
    expect((await json()).summary.skipped).toBe(2);
  });

  it('counts code that is nested too deeply as not audited in full', async () => {
    await write('a.ts', SAFE);
    await write(
      'deep.ts',
      `${SAFE}\nexport const deep = pool.connect(${'('.repeat(20_000)}1${')'.repeat(20_000)});\n`,
    );
    const { summary, warnings } = await json();
    expect(summary.skipped).toBe(new Set(warnings.map(({ file }) => file)).size);
    expect((await run('--strict')).code).toBe(1);
  });

  it.each([
    ['a NUL byte in a string', Buffer.from(LEAK.replace('select 1', 'select \0'))],
    ['UTF-16, big-endian', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(LEAK, 'utf16le').swap16()])],
    ['UTF-16, little-endian', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(LEAK, 'utf16le')])],
    ['one long drawing', Buffer.from(`${LEAK}export const path = "${'M0 1L2 3'.repeat(9000)}";\n`)],
  ])('reads %s', async (_, bytes) => {
    await write('a.ts', bytes);
    expect(await run()).toMatchObject({ code: 1, err: '' });
  });
});

const TX = `import type { PoolClient } from 'pg';
export async function done(client: PoolClient) {
  await client.query('COMMIT');
  client.release();
}
`;
const USE = `import { Pool } from 'pg';
import { done } from './tx.js';
const pool = new Pool();
export async function use() {
  const client = await pool.connect();
  await done(client);
}
`;

describe('--since', () => {
  it('reports the leak that a change causes in an unchanged caller', async () => {
    await write('src/tx.ts', TX.replace("await client.query('COMMIT');\n  ", ''));
    await write('src/use.ts', USE);
    await write('src/old.ts', LEAK);
    commit();
    await write('src/tx.ts', TX);
    expect((await json('--since', 'HEAD')).findings.map(({ file }) => file)).toEqual(['src/use.ts']);
    expect((await json('src', '--since', 'HEAD')).findings.map(({ file }) => file)).toEqual(['use.ts']);
  });

  it('reports it through a helper of a helper, and where the helper is deleted', async () => {
    await write('src/tx.ts', TX);
    await write('src/between.ts', "export { done as finish } from './tx.js';\n");
    await write(
      'src/use.ts',
      USE.replace("{ done } from './tx.js'", "{ finish } from './between.js'").replace('done(', 'finish('),
    );
    await write('src/old.ts', LEAK);
    commit();
    await write('src/tx.ts', TX.replace('client.release();', 'void client;'));
    expect((await json('--since', 'HEAD')).findings.map(({ file }) => file)).toEqual(['src/use.ts']);
    git('checkout', '-q', '--', '.');
    git('mv', 'src/tx.ts', 'src/moved.ts');
    const found = (await json('--since', 'HEAD')).findings.map(({ file }) => file);
    expect(found).not.toContain('src/old.ts');
  });

  it('reports callers of a factory that begins to lend', async () => {
    await write('src/db.ts', 'export async function open() { return null; }\n');
    await write(
      'src/use.ts',
      "import { open } from './db.js';\nexport async function use() {\n  const one = await open();\n  await one.query('select 1');\n}\n",
    );
    commit();
    await write(
      'src/db.ts',
      "import { Pool } from 'pg';\nconst pool = new Pool();\nexport async function open() { return await pool.connect(); }\n",
    );
    expect((await json('--since', 'HEAD')).findings.map(({ file }) => file)).toEqual(['src/use.ts']);
  });

  it('reports everything where the settings of poolctl changed', async () => {
    await write('src/old.ts', LEAK);
    commit();
    expect((await json('--since', 'HEAD')).findings).toEqual([]);
    await write('poolctl.config.json', '{}');
    expect((await json('--since', 'HEAD')).findings).toHaveLength(1);
  });
});

describe('component files', () => {
  const indented = LEAK.replace(/^(?=.)/gm, '  ');
  const before = {
    vue: '<template>\n  <p title="<script>">{{ a }}</p>\n</template>\n<!-- <script> -->\n',
    svelte: '<h1>hi</h1>\n',
    astro: '',
  };
  const components: [string, string, number][] = [
    ['a.vue', `${before.vue}<script lang="ts">\n${indented}</script>\n<style>a { b: c }</style>\n`, 9],
    ['b.vue', `<script setup lang='ts'>\n${LEAK}</script>\n`, 5],
    [
      'c.svelte',
      `<script context="module" lang="ts">\nexport const a = <T>(b: T) => b;\n</script>\n${before.svelte}<script lang="ts">\n${LEAK}</script>\n`,
      9,
    ],
    ['d.astro', `---\n${LEAK}if (!total) return null;\n---\n<p>{total()}</p>\n`, 5],
    ['e.astro', `---\nconst a = 1;\n---\n<p>{a}</p>\n<script>\n${LEAK}</script>\n`, 9],
    ['f.vue', `<script>\r\n${LEAK.replaceAll('\n', '\r\n')}</script>\r\n`, 5],
  ];

  it.each(components)('are audited, at their own lines: %s', async (name, text, line) => {
    await write(name, text);
    const { findings } = await json();
    expect(findings.map((one) => [one.file, one.line])).toEqual([[name, line]]);
    expect(findings[0]?.trail[0]?.source.trim()).toBe('const client = await pool.connect();');
  });

  it.each(components)('are repaired within their scripts: %s', async (name, text) => {
    await write(name, text);
    expect(await run('--fix')).toMatchObject({ code: 0 });
    const after = await readFile(join(folder, name), 'utf8');
    expect(after).toContain('} finally {');
    const outside = (source: string) => source.split(/await pool\.connect\(\);|client\.release\(\);/);
    expect(outside(after)[0]).toBe(outside(text)[0]);
    expect(after.endsWith(outside(text).at(-1)?.slice(4) ?? '')).toBe(true);
  });

  it('are not audited for data in scripts', async () => {
    await write('a.vue', `<script type="application/json">${LEAK}</script>\n`);
    expect(await run()).toMatchObject({ code: 0, err: '' });
  });
});

describe('what counts', () => {
  it('can be limited to findings of some confidence', async () => {
    await write('a.ts', LEAK);
    await write(
      'b.ts',
      "export async function f(db: any) {\n  const c = await db.pool.connect();\n  await c.query('select 1');\n  c.release();\n}\n",
    );
    const found = (await json()).findings.map(({ file, confidence }) => [file, confidence]);
    expect(found).toEqual([
      ['a.ts', 'high'],
      ['b.ts', 'medium'],
    ]);
    expect((await json('--min-confidence', 'high')).findings.map(({ file }) => file)).toEqual(['a.ts']);
    expect((await run('--min-confidence', 'high')).out).toContain('1 left out by rules or confidence');
    expect((await run('b.ts', '--min-confidence', 'high')).code).toBe(0);
    expect((await run('--min-confidence', 'sure')).code).toBe(2);
  });

  it('comes first where requests and loops reach it, and last in scripts and tests', async () => {
    await write('a/plain.ts', LEAK);
    await write('a/scripts/fill.ts', LEAK);
    await write('a/test/x.test.ts', LEAK);
    await write(
      'z/app.ts',
      LEAK.replace('export async function total()', 'export async function total(req: any, res: any)'),
    );
    await write(
      'z/loop.ts',
      LEAK.replace('const client', 'for (;;) {\n  const client').replace('release();', 'release();\n  }'),
    );
    const { findings } = await json();
    expect(findings.map(({ file, where }) => [file, where])).toEqual([
      ['z/app.ts', 'request'],
      ['z/loop.ts', 'loop'],
      ['a/plain.ts', undefined],
      ['a/scripts/fill.ts', 'startup'],
      ['a/test/x.test.ts', 'test'],
    ]);
  });

  it('can be switched by rule, by kind, by resource and by folder', async () => {
    await write('src/a.ts', LEAK);
    await write('legacy/a.ts', LEAK);
    const codes = async (...argv: string[]) =>
      (await json(...argv)).findings.map(({ file, severity }) => `${file} ${severity}`);
    expect(await codes('--rules', 'leak=off')).toEqual([]);
    expect(await codes('--rules', 'not-released-on-throw=note')).toEqual([
      'legacy/a.ts note',
      'src/a.ts note',
    ]);
    expect(await codes('--rules', 'leak=off', '--rules', 'leak/not-released-on-throw=error')).toHaveLength(2);
    expect(await codes('--rules', 'pg-pool=off')).toEqual([]);
    await write(
      'poolctl.config.json',
      JSON.stringify({ 'audit-leaks': { overrides: [{ files: 'legacy', rules: { leak: 'note' } }] } }),
    );
    expect(await codes()).toEqual(['src/a.ts error', 'legacy/a.ts note']);
    expect((await run('legacy')).code).toBe(0);
    await write('poolctl.config.json', JSON.stringify({ 'audit-leaks': { rules: { leek: 'off' } } }));
    expect(await run()).toMatchObject({
      code: 2,
      err: expect.stringContaining("no rule or resource 'leek'"),
    });
  });
});

describe('the cache', () => {
  const cached = (...argv: string[]) => runIn(folder, ['--cache-location', 'kept', ...argv], { HOME: home });
  const entries = async () => (await readdir(join(folder, 'kept'))).filter((name) => name.endsWith('.json'));

  it('gives the same report again, and a new one after a change', async () => {
    await write('a.ts', LEAK);
    const first = await cached();
    expect(first.code).toBe(1);
    expect(await entries()).toHaveLength(1);
    expect(await cached()).toEqual(first);
    expect(await entries()).toHaveLength(1);
    await write('a.ts', SAFE);
    expect((await cached()).code).toBe(0);
    expect(await entries()).toHaveLength(2);
  });

  it('does not believe an entry that is not its own', async () => {
    await write('a.ts', LEAK);
    await cached();
    const [entry = ''] = await entries();
    const path = join(folder, 'kept', entry);
    const kept = await readFile(path, 'utf8');
    for (const forged of [
      kept.replace('"error"', '"note"'),
      kept.replace(/"findings":\[.*?\],"warnings"/s, '"findings":[],"warnings"'),
      kept.slice(0, 90),
      '',
      '{}',
    ]) {
      await writeFile(path, forged);
      expect((await cached()).code).toBe(1);
    }
    // With the whole entry made by somebody else, whose secret is another one.
    const other = await mkdtemp(join(tmpdir(), 'poolctl-other-'));
    await runIn(folder, ['--cache-location', 'kept'], { HOME: other });
    await rm(other, { recursive: true });
    expect((await cached()).code).toBe(1);
  });

  it('replaces a link that was planted in its place, and writes nothing where it leads', async () => {
    await write('a.ts', LEAK);
    await cached();
    const [entry = ''] = await entries();
    await writeFile(join(home, 'precious'), 'kept');
    await rm(join(folder, 'kept', entry));
    await symlink(join(home, 'precious'), join(folder, 'kept', entry));
    await cached();
    expect(await readFile(join(home, 'precious'), 'utf8')).toBe('kept');
  });

  it('is not used without a home to keep the secret in, nor with --no-cache', async () => {
    await write('a.ts', SAFE);
    await run('--cache-location', 'kept');
    await cached('--no-cache');
    await expect(entries()).rejects.toThrow('ENOENT');
  });
});

describe('--fix', () => {
  it('writes nothing outside the given folders, and says so', async () => {
    await write('inside/a.ts', SAFE);
    await write('outside/b.ts', LEAK);
    await symlink(join(folder, 'outside/b.ts'), join(folder, 'inside/b.ts'));
    await symlink(join(folder, 'outside'), join(folder, 'inside/all'));
    const { code, err } = await run('inside', '--fix');
    expect(code).toBe(1);
    expect(err).toContain('not repaired: a link leads to it, out of the audited folders');
    expect(await readFile(join(folder, 'outside/b.ts'), 'utf8')).toBe(LEAK);
    expect((await run('outside', '--fix')).code).toBe(0);
  });

  it('leaves test files alone in every format, unless --include-tests asks for them', async () => {
    await write('test/a.test.ts', LEAK);
    for (const format of ['text', 'json', 'sarif']) {
      await run('--fix', '--format', format);
      expect(await readFile(join(folder, 'test/a.test.ts'), 'utf8')).toBe(LEAK);
    }
    await run('--fix', '--format', 'json', '--include-tests');
    expect(await readFile(join(folder, 'test/a.test.ts'), 'utf8')).toContain('finally');
  });

  it('gives one line of reason for each leak that stays, in a dry run too', async () => {
    await write(
      'a.ts',
      LEAK.replace(
        "await client.query('select 1');",
        "await client.query('select 1'); keep.push(client);",
      ).replace('export', 'declare const keep: unknown[];\nexport'),
    );
    await write('b.ts', LEAK.replace('const client', 'var client'));
    for (const argv of [['--fix', '--dry-run'], ['--fix']]) {
      const { err } = await run('b.ts', ...argv);
      expect(err.match(/^poolctl: b\.ts:4: not repaired: .+$/gm)).toHaveLength(1);
    }
  });

  it('prints hunks as git does', async () => {
    const far = LEAK.replace(/^import.*\nconst.*\n/, '').replace('total', 'other');
    await write('a.ts', `${LEAK}${'// between\n'.repeat(30)}${far}`);
    commit();
    const { out } = await run('--fix', '--dry-run');
    await run('--fix');
    const diff = execFileSync('git', ['diff'], { cwd: folder, encoding: 'utf8' });
    const hunks = (text: string) => text.slice(text.indexOf('@@')).replace(/^@@ (.*?) @@.*$/gm, '@@ $1 @@');
    expect(hunks(out)).toBe(hunks(diff));
    expect(out.match(/^@@/gm)).toHaveLength(2);
  });
});

it('repairs with the built program too, beside a tsconfig.json', async () => {
  await write('a.ts', LEAK);
  await write('tsconfig.json', '{ "compilerOptions": { "target": "es2022" } }');
  const { code } = await poolctl(['audit-leaks', '--fix', '--no-cache'], { cwd: folder });
  expect(code).toBe(0);
  expect(await readFile(join(folder, 'a.ts'), 'utf8')).toContain('} finally {');
});
