import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { commands } from '../commands/index.js';
import { type Program, runMain } from '../src/cli/main.js';
import { madeUpProgram } from './cli/made-up-command.js';
import { root } from './helpers/bin.js';
import { commandLines, documentOf, documents, fencesOf, shellOf } from './helpers/documents.js';
import { testIo } from './helpers/io.js';

const program: Program = { version: () => '0', commands };

/** Stands for what a variable of the shell would hold. */
const VARIABLES: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://app@localhost/shop',
  PWD: '/app',
};

/** What poolctl itself says against a command line: nothing if it would run. */
async function lineProblem(words: readonly string[], of: Program = program): Promise<string | null> {
  const filled = words.map((word) =>
    word.replaceAll(/\$(\w+)/g, (_, name: string) => VARIABLES[name] ?? name),
  );
  const isAnswer = filled[0] === 'help' || filled.includes('--help') || filled.includes('--version');
  // It parses and checks everything, and connects to nothing.
  const split = filled.indexOf('--') === -1 ? filled.length : filled.indexOf('--');
  const argv = isAnswer ? filled : [...filled.slice(0, split), '--print-config', ...filled.slice(split)];
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-docs-'));
  try {
    for (const name of ['.env', '.env.production']) await writeFile(join(folder, name), '');
    const io = testIo({ cwd: folder });
    const code = await runMain(of, argv, io);
    return code === 0 ? null : `poolctl ${words.join(' ')}: ${io.err().split('\n')[0]}`;
  } finally {
    await rm(folder, { recursive: true });
  }
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
    // The examples of rules have tests of their own, and show code that is wrong.
    const snippets = documents
      .filter(({ name }) => !name.startsWith('docs/rules/'))
      .flatMap(({ name, text }) =>
        fencesOf(text)
          .filter(({ language }) => language === 'ts')
          .map(({ code }, at) => ({
            name: `${name.replace('.md', '').replaceAll('/', '-')}-${at + 1}.ts`,
            code,
          })),
      );
    expect(snippets.length).toBeGreaterThan(15);
    expect(await typeCheck(snippets)).toBe('');
  }, 120_000);

  it.each(documents.filter(({ text }) => shellOf(text).length > 0).map(({ name }) => name))(
    'has command lines that poolctl accepts: %s',
    async (name) => {
      const lines = shellOf(documentOf(name)).flatMap(commandLines);
      const problems = await Promise.all(lines.map((line) => lineProblem(line)));
      expect(problems.filter((problem) => problem !== null)).toEqual([]);
    },
  );

  it('name commands in prose that are there', async () => {
    for (const { name, text } of documents) {
      const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '');
      const lines = [...prose.matchAll(/`(?:npx )?poolctl ([a-z][^`]*)`/g)].map(([, rest = '']) => rest);
      const unknown = lines.filter((line) => {
        const [first = '', second = ''] = line.split(' ');
        const word = first === 'help' ? second : first;
        return word !== 'COMMAND' && word !== '' && commands[word.replace(/[,.]$/, '')] === undefined;
      });
      expect({ name, unknown }).toEqual({ name, unknown: [] });
    }
  });

  it('have JSON and YAML that parse', () => {
    for (const { name, text } of documents) {
      for (const { language, code } of fencesOf(text)) {
        if (language === 'json') expect({ name, parsed: JSON.parse(code) }).toBeDefined();
        if (language === 'yaml')
          expect({ name, errors: parseDocument(code).errors }).toEqual({ name, errors: [] });
      }
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
    const map = documentOf('CONTRIBUTING.md');
    const named = [...map.matchAll(/^\| `(src\/\w+)` \|/gm)].map(([, room]) => room);
    expect(named.sort()).toEqual(exist.sort());
  });
});

describe('the paths in CONTRIBUTING.md', () => {
  const text = documentOf('CONTRIBUTING.md');

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
    ['npm ci && npx poolctl draw --sharp 5', ['unknown option --sharp']],
    ['poolctl paint', ["unknown command 'paint'"]],
    ['poolctl draw --pool-size many', ["'many' is not a whole number"]],
    ['poolctl draw \\\n  --shape=square -q --no-pre-ping --tag x | tee --append x', []],
    ['npm run poolctl draw', []],
    ['poolctl help draw; poolctl --help # poolctl paint', []],
    ["poolctl draw --tag 'a; poolctl paint --sharp' > out.txt 2>&1", []],
  ])('would be seen in the line %j', async (code, problems) => {
    const found = await Promise.all(commandLines(code).map((line) => lineProblem(line, madeUpProgram())));
    expect(found.filter((problem) => problem !== null)).toEqual(
      problems.map((problem) => expect.stringContaining(problem)),
    );
  });

  it('would be seen in its links', () => {
    const text =
      '# A heading, here\n[a](none.md) [b](package.json) [c](#a-heading-here) [d](#none) [e](https://x.y)';
    expect(brokenLinks(text, root)).toEqual(['none.md', '#none']);
  });
});
