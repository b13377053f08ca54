import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import type { AuditResult } from '../../src/audit/types.js';
import { runMain } from '../../src/cli/main.js';
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
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, text: string) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

async function run(...argv: string[]) {
  const io = testIo({ cwd: folder });
  const code = await runMain({ commands, version: () => '1.2.3' }, ['audit-leaks', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

async function json(...argv: string[]): Promise<AuditResult & { code: number }> {
  const { code, out } = await run('--format', 'json', ...argv);
  return { ...(JSON.parse(out) as AuditResult), code };
}

describe('audit-leaks', () => {
  it('exits 0 where nothing leaks, and 1 where something does', async () => {
    await write('a.ts', SAFE);
    expect(await run()).toMatchObject({ code: 0, err: '' });
    await write('b.ts', LEAK);
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out).toContain('b.ts:4:29  leak');
    expect(out).toContain('1 leak in 2 files, 2 acquire calls followed');
  });

  it('writes a finding as JSON with its trail', async () => {
    await write('src/b.ts', LEAK);
    const { findings } = await json();
    expect(findings).toEqual([
      {
        rule: 'leak',
        resource: 'pg-pool',
        kind: 'not-released-on-throw',
        severity: 'error',
        confidence: 'high',
        file: 'src/b.ts',
        line: 4,
        column: 29,
        endLine: 4,
        endColumn: 38,
        message: 'a client of a node-postgres pool is not released if this throws (line 5)',
        trail: [
          {
            role: 'acquire',
            file: 'src/b.ts',
            line: 4,
            column: 24,
            message: 'acquired here',
            source: '  const client = await pool.connect();',
          },
          {
            role: 'bypass',
            file: 'src/b.ts',
            line: 5,
            column: 9,
            message: 'this may throw',
            source: "  await client.query('select 1');",
          },
        ],
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ]);
  });

  it.each(['sarif', 'github', 'junit', 'markdown'])('writes %s', async (format) => {
    await write('b.ts', LEAK);
    const { code, out } = await run('--format', format);
    expect(code).toBe(1);
    expect(out).toContain('not released if this throws');
    expect(out).toContain('b.ts');
  });

  it('gives SARIF a code flow and a fingerprint for each result', async () => {
    await write('b.ts', LEAK);
    const { out } = await run('--format', 'sarif');
    const [log] = JSON.parse(out).runs;
    expect(log.results[0]).toMatchObject({
      ruleId: 'leak/not-released-on-throw',
      ruleIndex: 0,
      level: 'error',
      locations: [{ physicalLocation: { artifactLocation: { uri: 'b.ts' }, region: { startLine: 4 } } }],
      partialFingerprints: { 'poolctl/v1': expect.any(String) },
    });
    expect(log.results[0].codeFlows[0].threadFlows[0].locations).toHaveLength(2);
  });

  it('leaves out what .gitignore and --exclude name, in all the ways they can name it', async () => {
    for (const name of ['a.ts', 'out/b.ts', 'lib/gen/c.ts', 'lib/kept.ts', 'node_modules/x/d.ts', 'd.d.ts']) {
      await write(name, LEAK);
    }
    await write('.gitignore', 'out/\n/lib/*\n!/lib/kept.ts\n');
    const files = async (...argv: string[]) => (await json(...argv)).findings.map(({ file }) => file);
    expect(await files()).toEqual(['a.ts', 'lib/kept.ts']);
    expect(await files('--no-ignore-files')).toEqual(['a.ts', 'lib/gen/c.ts', 'lib/kept.ts', 'out/b.ts']);
    expect(await files('--exclude', 'a.ts')).toEqual(['lib/kept.ts']);
    expect(await files('--exclude', 'lib/**')).toEqual(['a.ts']);
  });

  it('names files relative to the audited folder, or to the current one where there are several', async () => {
    await write('one/a.ts', LEAK);
    await write('two/a.ts', LEAK);
    expect((await json('one')).findings.map(({ file }) => file)).toEqual(['a.ts']);
    expect((await json('one', 'two/a.ts')).findings.map(({ file }) => file)).toEqual([
      'one/a.ts',
      'two/a.ts',
    ]);
  });

  it('suppresses a finding for a reason, and says which suppressions are none', async () => {
    const comment = '// poolctl-ignore-next-line leak';
    await write(
      'a.ts',
      LEAK.replace('  const client', `  ${comment} -- closed by the framework\n  const client`),
    );
    expect(await json()).toMatchObject({ code: 0, findings: [], warnings: [], summary: { suppressed: 1 } });
    await write('a.ts', LEAK.replace('  const client', `  ${comment}\n  const client`));
    const without = await run();
    expect(without.code).toBe(1);
    expect(without.err).toContain('a.ts:4: poolctl-ignore-next-line needs a reason');
    await write('a.ts', `${comment} -- no more\n${SAFE}`);
    const unused = await run();
    expect(unused.code).toBe(0);
    expect(unused.err).toContain('a.ts:1: poolctl-ignore-next-line suppresses nothing');
  });

  it('gates on new leaks only, with a baseline that survives inserted lines and a renamed file', async () => {
    await write('a.ts', LEAK);
    expect(await run('--baseline', 'known.json', '--update-baseline')).toMatchObject({ code: 0 });
    expect(await json('--baseline', 'known.json')).toMatchObject({ code: 0, summary: { baselined: 1 } });
    await write('a.ts', `// a line more\n\n${LEAK}`);
    expect((await run('--baseline', 'known.json')).code).toBe(0);
    await rename(join(folder, 'a.ts'), join(folder, 'renamed.ts'));
    expect((await run('--baseline', 'known.json')).code).toBe(0);
    await write('again.ts', LEAK);
    expect(await json('--baseline', 'known.json')).toMatchObject({ code: 1, summary: { baselined: 1 } });
  });

  it('writes a baseline in place of a link, not through it', async () => {
    await write('a.ts', LEAK);
    const precious = await mkdtemp(join(tmpdir(), 'poolctl-precious-'));
    await writeFile(join(precious, 'file'), 'kept');
    await symlink(join(precious, 'file'), join(folder, 'known.json'));
    expect(await run('--baseline', 'known.json', '--update-baseline')).toMatchObject({ code: 0 });
    expect(await readFile(join(precious, 'file'), 'utf8')).toBe('kept');
    expect(JSON.parse(await readFile(join(folder, 'known.json'), 'utf8'))).toMatchObject({ schema: 1 });
    await rm(precious, { recursive: true });
  });

  it('writes no baseline out of the folder of the configuration that names it', async () => {
    await write('a.ts', LEAK);
    const outside = await mkdtemp(join(tmpdir(), 'poolctl-outside-'));
    await symlink(outside, join(folder, 'linked'));
    for (const path of ['../known.json', 'linked/known.json', join(outside, 'known.json')]) {
      await write('poolctl.config.json', JSON.stringify({ 'audit-leaks': { baseline: path } }));
      const { code, err } = await run('--update-baseline');
      expect([code, err]).toEqual([3, expect.stringContaining('it lies outside of')]);
      expect(err).toContain('hint: name the file on the command line if that is meant');
    }
    expect(await readdir(outside)).toEqual([]);
    await rm(outside, { recursive: true });
  });

  it('tells a baseline that is not there (3) from one that is none (2)', async () => {
    await write('a.ts', LEAK);
    expect(await run('--baseline', 'none.json')).toMatchObject({ code: 3, out: '' });
    await write('none.json', '{"schema":9}');
    expect(await run('--baseline', 'none.json')).toMatchObject({ code: 2, out: '' });
  });

  it('reports changed files only with --since', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
        cwd: folder,
        stdio: 'pipe',
      });
    git('init', '-q');
    await write('old.ts', LEAK);
    git('add', '.');
    git('commit', '-q', '-m', 'old');
    await write('src/new.ts', LEAK);
    expect((await json('--since', 'HEAD')).findings.map(({ file }) => file)).toEqual(['src/new.ts']);
    expect((await json('src', '--since', 'HEAD')).findings.map(({ file }) => file)).toEqual(['new.ts']);
    expect(await run('--since', 'no-such-ref')).toMatchObject({ code: 3, out: '' });
  });

  it('lets the number and the severity of findings be chosen that fail', async () => {
    await write('a.ts', LEAK);
    await write('b.ts', LEAK);
    expect((await run('--max-findings', '1')).code).toBe(1);
    expect((await run('--max-findings', '2')).code).toBe(0);
    await write('b.ts', SAFE);
    await write('a.ts', LEAK.replace('select 1', 'BEGIN'));
    expect(await run()).toMatchObject({ code: 0 });
    const strict = await run('--severity', 'note');
    expect(strict.code).toBe(1);
    expect(strict.out).toContain('note');
  });

  it('marks what tests leak, and lets it fail the run only if asked', async () => {
    await write('test/a.test.ts', LEAK);
    const quiet = await run();
    expect(quiet.code).toBe(0);
    expect(quiet.out).toContain('1 leak in tests hidden; show with --notes');
    expect((await json()).findings.map(({ severity, where }) => `${severity} ${where}`)).toEqual([
      'error test',
    ]);
    expect((await run('--notes')).out).toContain('in a test');
    expect((await run('--include-tests')).code).toBe(1);
  });

  it('learns of a factory of the user', async () => {
    const code = `import { borrow } from 'house';
export async function f() {
  const thing = await borrow();
  await thing.work();
  thing.giveBack();
}
`;
    await write('a.ts', code);
    expect((await run()).code).toBe(0);
    expect((await json('--acquire', 'borrow', '--release', 'giveBack')).findings).toMatchObject([
      { resource: 'custom', line: 3, kind: 'not-released-on-throw' },
    ]);
    expect(await run('--acquire', 'borrow')).toMatchObject({ code: 2 });
  });

  const LINKS = `import { Link } from 'house';
export async function never() {
  const link = new Link('a');
  await link.ask();
}
export async function opened() {
  const link = new Link('b');
  await link.open();
  await link.ask();
  link.hangUp();
}
export async function ended() {
  const link = new Link('c');
  await link.open();
  try {
    await link.ask();
  } finally {
    link.hangUp();
  }
}
`;

  it('learns of a constructor of the user, which lends at once', async () => {
    await write('a.ts', LINKS);
    const { findings } = await json('--acquire', 'new Link', '--release', 'hangUp');
    expect(findings).toMatchObject([
      { resource: 'custom', line: 3, kind: 'never-released' },
      // Without --armed-by any call may fail while it is held, and open() is the first.
      { resource: 'custom', line: 7, kind: 'not-released-on-throw', trail: [{}, { line: 8 }] },
      { resource: 'custom', line: 13, kind: 'not-released-on-throw', trail: [{}, { line: 14 }] },
    ]);
  });

  it('counts what a constructor makes from the method on that --armed-by names', async () => {
    await write('a.ts', LINKS);
    const { findings } = await json('--acquire', 'new Link', '--release', 'hangUp', '--armed-by', 'open');
    expect(findings).toMatchObject([
      { line: 7, kind: 'not-released-on-throw', severity: 'error', trail: [{}, { line: 9 }] },
    ]);
    await write('b.ts', LINKS.replaceAll('house', 'elsewhere'));
    const resource = { acquire: 'new Link', release: 'hangUp', armedBy: 'open', from: 'house' };
    await write('poolctl.config.json', JSON.stringify({ 'audit-leaks': { resources: [resource] } }));
    expect((await json()).findings).toMatchObject([{ file: 'a.ts', line: 7 }]);
  });

  it('takes resources from the config file, with what hands them on and where they come from', async () => {
    await write(
      'poolctl.config.json',
      JSON.stringify({
        'audit-leaks': {
          resources: [
            {
              id: 'house-desk',
              title: 'a desk',
              acquire: 'openDesk',
              release: ['leave', 'clearDesk'],
              handoff: 'seat',
              from: '@house/desks',
            },
            { acquire: ['lend'], release: ['giveBack'] },
          ],
        },
      }),
    );
    await write(
      'a.ts',
      `import { clearDesk, openDesk, seat } from '@house/desks';
import { lend } from './library.js';
export async function leaks() {
  const desk = await openDesk();
  await desk.work();
  desk.leave();
}
export async function released() {
  const desk = await openDesk();
  try {
    await desk.work();
  } finally {
    clearDesk(desk);
  }
}
export async function handedOn(guest: string) {
  const desk = await openDesk();
  seat(guest, desk);
  await fetch(guest);
}
export async function book() {
  const book = await lend();
  await book.read();
  book.giveBack();
}
`,
    );
    await write(
      'b.ts',
      `${'export async function elsewhere(openDesk: () => Promise<{ work(): unknown }>) {'}
  const desk = await openDesk();
  await desk.work();
}
`,
    );
    const { findings } = await json();
    expect(
      findings.map(({ file, line, resource, confidence }) => [file, line, resource, confidence]),
    ).toEqual([
      ['a.ts', 4, 'house-desk', 'high'],
      ['a.ts', 22, 'custom', 'medium'],
    ]);
    expect(findings[0]?.message).toBe('a desk is not released if this throws (line 5)');
  });

  it.each([
    [{ acquire: ['a'] }, 'acquire and release go together'],
    [{ acquire: ['a b'], release: ['c'] }, 'acquire: "a b" is not the name of a function or method'],
    [{ acquire: ['a'], release: ['c'], releases: 1 }, "there is no 'releases'"],
    ['openDesk', "'openDesk' is not JSON"],
    [{ acquire: ['a'], release: ['c'], title: 5 }, 'title: a text is expected'],
  ])('says what is wrong with the resource %j', async (resource, complaint) => {
    await write('poolctl.config.json', JSON.stringify({ 'audit-leaks': { resources: [resource] } }));
    expect(await run()).toMatchObject({ code: 2, out: '', err: expect.stringContaining(complaint) });
  });

  it('says what it could not read, and audits the rest', async () => {
    await write('a.ts', LEAK);
    await write('broken.ts', `${LEAK.slice(0, -3)} const = ((`);
    await write('binary.ts', 'a\0b');
    await write('bundle.js', `${'var a=1;'.repeat(10_000)}`);
    await symlink(folder, join(folder, 'loop'));
    await symlink(join(folder, 'nowhere.ts'), join(folder, 'dangling.ts'));
    const { findings, warnings } = await json();
    expect(findings.map(({ file }) => file)).toEqual(['a.ts', 'broken.ts']);
    expect(warnings.map(({ file }) => file)).toEqual(['binary.ts', 'bundle.js', 'dangling.ts', 'broken.ts']);
  });

  it('says where a file stops making sense, and audits the rest of it', async () => {
    await write('broken.ts', `${LEAK}export function next() {\n`);
    const { findings, warnings } = await json();
    expect(findings).toHaveLength(1);
    expect(warnings).toEqual([
      { file: 'broken.ts', line: 9, reason: 'audited as far as it can be read: a syntax error' },
    ]);
  });

  it('reads files that import each other in a circle, a file of 50,000 lines, and one that is not UTF-8', async () => {
    await write(
      'one.ts',
      `import { two } from './two.js';\nexport const one = () => two();\n${LEAK.replace('pool.connect()', 'one()')}`,
    );
    await write(
      'two.ts',
      `import { one } from './one.js';\nexport const two = () => one();\nexport { one as three };\n`,
    );
    await write(
      'long.ts',
      `${'export const a = { b: [1, 2, 3] };\n'.replace('a', 'a$').repeat(50_000)}${LEAK}`,
    );
    await writeFile(
      join(folder, 'latin.ts'),
      Buffer.from(LEAK.replace('select 1', 'select \u00e9'), 'latin1'),
    );
    const { findings, warnings } = await json();
    expect(findings.map(({ file, line }) => `${file}:${line}`)).toEqual(['latin.ts:4', 'long.ts:50004']);
    expect(warnings).toEqual([]);
  });

  it('survives code that is nested deeper than the stack', async () => {
    await write('a.ts', LEAK);
    await write('deep.ts', `${LEAK}\nexport const deep = ${'('.repeat(20_000)}1${')'.repeat(20_000)};\n`);
    await write('chain.ts', `${LEAK}\nexport const sum = ${'1 + '.repeat(30_000)}1;\n`);
    const { findings, warnings } = await json();
    expect(findings.map(({ file }) => file)).toContain('a.ts');
    expect([...findings, ...warnings].map(({ file }) => file)).toEqual(
      expect.arrayContaining(['deep.ts', 'chain.ts']),
    );
  });

  it('exits 3 for a path that is not there, and 2 for a topic that is unknown', async () => {
    expect(await run('nowhere')).toMatchObject({ code: 3, out: '' });
    expect(await run('--explain', 'pg-pol')).toMatchObject({ code: 2, out: '' });
  });

  it('explains a resource', async () => {
    const { code, out } = await run('--explain', 'typeorm-query-runner');
    expect(code).toBe(0);
    expect(out).toContain('commitTransaction() and rollbackTransaction() do not release');
  });

  it('explains a rule, by the name that a report gives it', async () => {
    const { code, out } = await run('--explain', 'leak/not-released-on-throw');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^not-released-on-throw: a statement between the acquire and the release that may throw\n/,
    );
    expect((await run('--explain', 'held-through-work')).out).toContain('Always a note.');
  });

  it('shows habits as notes where they are asked for, and does not fail for them', async () => {
    await write(
      'a.ts',
      `import { Pool } from 'pg';\nexport async function data() {\n  const pool = new Pool();\n  try {\n    return await pool.query('select 1');\n  } finally {\n    await pool.end();\n  }\n}\n`,
    );
    expect(await run()).toMatchObject({
      code: 0,
      out: 'no leaks in 1 file, 1 acquire call followed\n1 note hidden; show with --notes\n',
    });
    const { code, out } = await run('--notes');
    expect(code).toBe(0);
    expect(out).toContain('a.ts:3:20  note');
    expect(out).toContain('made here');
    expect((await run('--severity', 'note')).code).toBe(1);
  });

  it('writes the report to a file', async () => {
    await write('a.ts', LEAK);
    expect(await run('--format', 'sarif', '-o', 'leaks.sarif')).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse(await readFile(join(folder, 'leaks.sarif'), 'utf8')).version).toBe('2.1.0');
  });

  it('shows a repair as a diff, makes it, and finds nothing afterwards', async () => {
    await write('src/b.ts', LEAK);
    const { code, out } = await run('src', '--fix', '--dry-run');
    expect(code).toBe(1); // the code is still as it is
    expect(out).toBe(`--- a/src/b.ts
+++ b/src/b.ts
@@ -2,6 +2,9 @@
 const pool = new Pool();
 export async function total() {
   const client = await pool.connect();
-  await client.query('select 1');
-  client.release();
+  try {
+    await client.query('select 1');
+  } finally {
+    client.release();
+  }
 }
`);
    expect(await readFile(join(folder, 'src/b.ts'), 'utf8')).toBe(LEAK);
    await writeFile(join(folder, 'b.diff'), out);
    expect(await run('src', '--fix')).toMatchObject({ code: 0, out: expect.stringContaining('no leaks in') });
    const fixed = await readFile(join(folder, 'src/b.ts'), 'utf8');
    expect(await run('src', '--fix', '--dry-run')).toMatchObject({ code: 0, out: '' });
    execFileSync('git', ['apply', '--reverse', 'b.diff'], { cwd: folder });
    expect(await readFile(join(folder, 'src/b.ts'), 'utf8')).toBe(LEAK);
    expect(fixed).toContain('finally');
  });

  it('repairs nothing that is known, and says what it needs', async () => {
    await write('b.ts', LEAK);
    await run('--baseline', 'known.json', '--update-baseline');
    await run('--fix', '--baseline', 'known.json');
    expect(await readFile(join(folder, 'b.ts'), 'utf8')).toBe(LEAK);
    expect(await run('--dry-run')).toMatchObject({ code: 2, err: expect.stringContaining('needs --fix') });
  });
});
