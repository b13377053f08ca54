import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { commands } from '../commands/index.js';
import { allCommands, type CommandTable } from '../src/cli/command.js';
import { commonOptions } from '../src/cli/common-options.js';
import { flagOf } from '../src/cli/options.js';
import { madeUpProgram } from './cli/made-up-command.js';

const root = join(import.meta.dirname, '..');
const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((name) => ({
  name,
  text: readFileSync(join(root, name), 'utf8'),
}));

interface Fence {
  readonly language: string;
  readonly code: string;
}

function fencesOf(text: string): Fence[] {
  const fences = text.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, language = '', code = '']) => ({ language, code }));
}

/** The command lines of poolctl in a shell fence: what stands behind `poolctl`, up to the end of that command. */
function linesOf(code: string): string[] {
  const text = code
    .replaceAll(/\\\n\s*/g, ' ')
    .replaceAll(/'[^'\n]*'|"[^"\n]*"/g, 'QUOTED')
    .replaceAll(/(^|\s)#.*$/gm, '');
  return [...text.matchAll(/(?:^|[\s;&|$])poolctl +([^\n;&|]+)/gm)].map(([, rest = '']) => rest.trim());
}

/** What is wrong with a command line: an unknown command or option. */
async function lineProblems(line: string, table: CommandTable): Promise<string[]> {
  const words = line.split(/\s+/).filter((word) => word !== '--');
  const [first = '', second = ''] = words[0] === 'help' ? words.slice(1) : words;
  if (first.startsWith('-'))
    return ['--help', '--version'].includes(first) ? [] : [`poolctl has no ${first}`];
  const isGroup = table[first] !== undefined && !('load' in table[first]);
  if (isGroup && ['', '--help', '-h'].includes(second)) return [];
  const name = isGroup ? `${first} ${second}` : first;
  const entry = allCommands(table)[name];
  if (entry === undefined) return [`there is no command ${name}`];
  const options = { ...commonOptions, ...(await entry.load()).options };
  const known = Object.entries(options).flatMap(([key, { short, negatable }]) => [
    flagOf(key),
    ...(negatable ? [`--no-${flagOf(key).slice(2)}`] : []),
    ...(short === null ? [] : [`-${short}`]),
  ]);
  const used = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0] ?? '');
  return used
    .filter((word) => ![...known, '--help', '-h'].includes(word))
    .map((word) => `${name} has no ${word}`);
}

/** Files and headings that a text links to and that are not there. */
function brokenLinks(text: string, folder: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '');
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? null : join(folder, path);
    if (file !== null && !existsSync(file)) return true;
    if (anchor === undefined) return false;
    return !anchorsOf(file === null ? text : readFileSync(file, 'utf8')).includes(anchor);
  });
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ +(.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Type-checks snippets as a user's files would be, `poolctl` being this project. Gives the compiler's output. */
async function typeCheck(snippets: readonly { name: string; code: string }[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-docs-'));
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const paths = Object.fromEntries(
      Object.entries(exportsOf()).map(([key, source]) => [join('poolctl', key), [join(root, source)]]),
    );
    const compilerOptions = { paths, noEmit: true, typeRoots: [join(root, 'node_modules/@types')] };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    // Without an import or export a file would be a script, and share its names with the others.
    for (const { name, code } of snippets) await writeFile(join(folder, name), `${code}\nexport {};\n`);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const run = promisify(execFile)(process.execPath, [tsc, '-p', folder]);
    return await run.then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout || String(error),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The entry points of the package, and the source of each. */
function exportsOf(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>;
  };
  return Object.fromEntries(
    Object.entries(manifest.exports).flatMap(([key, target]) =>
      typeof target === 'string'
        ? []
        : [[key, target.default.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')]],
    ),
  );
}

/** Paths and file names in backquotes that do not exist. Of `src/db/drivers/NAME.ts` the folder must exist. */
function missingPaths(text: string): string[] {
  const files = ['src', 'test', 'commands', 'bin', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }),
  );
  const names = new Set(files.map((file) => basename(file)));
  return [...text.matchAll(/`([\w./-]+)`/g)].flatMap(([, word = '']) => {
    const path = word.replace(/\/[A-Z]{2,}\b.*/, '');
    if (/^(src|test|commands|bin|scripts|fixtures|\.ci)\//.test(path)) {
      return existsSync(join(root, path)) ? [] : [path];
    }
    return /^[\w-]+(\.\w+)*\.([cm]?[jt]s)$/.test(path) && !names.has(path) ? [path] : [];
  });
}

describe('the documents', () => {
  it('have TypeScript that compiles', async () => {
    const snippets = documents.flatMap(({ name, text }) =>
      fencesOf(text)
        .filter(({ language }) => language === 'ts')
        .map(({ code }, at) => ({ name: `${name.replace('.md', '')}-${at + 1}.ts`, code })),
    );
    if (snippets.length > 0) expect(await typeCheck(snippets)).toBe('');
  }, 120_000);

  it('use commands and options that exist', async () => {
    for (const { name, text } of documents) {
      const shell = fencesOf(text).filter(({ language }) => ['sh', 'bash', 'console'].includes(language));
      const lines = shell.flatMap(({ code }) => linesOf(code));
      const problems = await Promise.all(lines.map((line) => lineProblems(line, commands)));
      expect({ name, problems: problems.flat() }).toEqual({ name, problems: [] });
    }
  });

  it('have JSON that parses', () => {
    for (const { text } of documents) {
      for (const { language, code } of fencesOf(text)) if (language === 'json') JSON.parse(code);
    }
  });

  it('link to files and headings that are there', () => {
    for (const { name, text } of documents) {
      expect({ name, broken: brokenLinks(text, dirname(join(root, name))) }).toEqual({ name, broken: [] });
    }
  });

  it('name every room that exists in the code map, and no other', () => {
    const rooms = readdirSync(join(root, 'src'), { withFileTypes: true });
    const exist = rooms.filter((room) => room.isDirectory()).map(({ name }) => `src/${name}`);
    const map = documents.find(({ name }) => name === 'CONTRIBUTING.md')?.text ?? '';
    const named = [...map.matchAll(/^\| `(src\/\w+)` \|/gm)].map(([, room]) => room);
    expect(named.sort()).toEqual(exist.sort());
  });
});

describe('the paths in CONTRIBUTING.md', () => {
  const text = documents.find(({ name }) => name === 'CONTRIBUTING.md')?.text ?? '';

  it('exist', () => {
    expect(missingPaths(text)).toEqual([]);
  });

  it('would be seen missing', () => {
    const wrong =
      '`src/none.ts` `test/none` `none.test.ts` `src/db/drivers/NAME.ts` `src/none/NAME.ts` `report.x`';
    expect(missingPaths(wrong)).toEqual(['src/none.ts', 'test/none', 'none.test.ts', 'src/none']);
  });
});

describe('the package', () => {
  it('has entry points whose sources are there', () => {
    const missing = Object.values(exportsOf()).filter((source) => !existsSync(join(root, source)));
    expect(missing).toEqual([]);
  });
});

describe('a fault in a document', () => {
  it('would be seen in its TypeScript', async () => {
    const code = "import { noSuchThing } from 'poolctl';\nconst a: string = 5;";
    const output = await typeCheck([{ name: 'a.ts', code }]);
    expect(output).toContain("no exported member 'noSuchThing'");
    expect(output).toContain("Type 'number' is not assignable to type 'string'");
  });

  it.each([
    ['npm ci && npx poolctl draw --sharp 5', ['draw has no --sharp']],
    ['poolctl paint', ['there is no command paint']],
    ['$ poolctl --shape', ['poolctl has no --shape']],
    ['poolctl draw \\\n  --shape=square -q --no-pre-ping --tag -1 | tee --append x', []],
    ['npm run poolctl draw', []],
    ['poolctl help draw; poolctl --help # poolctl paint', []],
    ["poolctl draw --tag 'a; poolctl paint --sharp'", []],
  ])('would be seen in the line %j', async (code, problems) => {
    const found = await Promise.all(
      linesOf(code).map((line) => lineProblems(line, madeUpProgram().commands)),
    );
    expect(found.flat()).toEqual(problems);
  });

  it('would be seen in its links', () => {
    const text =
      '# A heading, here\n[a](none.md) [b](package.json) [c](#a-heading-here) [d](#none) [e](https://x.y)';
    expect(brokenLinks(text, root)).toEqual(['none.md', '#none']);
  });
});
