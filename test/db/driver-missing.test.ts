import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root, start } from '../helpers/bin.js';
import { type Installed, installPackage } from '../helpers/installed.js';
import { hasNodeSqlite } from '../helpers/sqlite-engine.js';

let app: string;
let installed: Installed;

beforeEach(async () => {
  app = await mkdtemp(join(tmpdir(), 'poolctl-missing-'));
  installed = await installPackage(app, { without: 'better-sqlite3' });
});
afterEach(() => rm(app, { recursive: true }));

/** The JavaScript of better-sqlite3, without what a compiler would have made. */
async function installSources(): Promise<string> {
  const modules = join(app, 'node_modules');
  for (const part of ['better-sqlite3/package.json', 'better-sqlite3/lib', 'bindings', 'file-uri-to-path']) {
    await cp(join(root, 'node_modules', part), join(modules, part), { recursive: true });
  }
  return join(modules, 'better-sqlite3');
}

interface Missing {
  readonly what: string;
  make(): Promise<void>;
  readonly message: RegExp;
  readonly hint: RegExp;
}

const ways: readonly Missing[] = [
  {
    what: 'is not installed',
    make: async () => {},
    message:
      /SQLite needs the package better-sqlite3, or Node 22.13 or later: Cannot find package 'better-sqlite3'/,
    hint: /use Node 22.13 or later, .* or run npm install better-sqlite3; .* needs python3 and a C\+\+ compiler/,
  },
  {
    what: 'is installed, but was not built',
    make: async () => void (await installSources()),
    message:
      /SQLite needs the package better-sqlite3, or Node 22.13 or later: Could not locate the bindings file/,
    hint: /run npm rebuild better-sqlite3.*needs python3 and a C\+\+ compiler/,
  },
  {
    what: 'was built for another kind of machine',
    async make() {
      const build = join(await installSources(), 'build/Release');
      await mkdir(build, { recursive: true });
      await writeFile(join(build, 'better_sqlite3.node'), 'no machine code of this or any other machine');
    },
    message: /SQLite needs the package better-sqlite3, or Node 22.13 or later: .*better_sqlite3\.node/,
    hint: /run npm rebuild better-sqlite3/,
  },
];

// npm leaves out an optional package that it cannot build: without a compiler there are no sources to install.
const hasSources = existsSync(join(root, 'node_modules/better-sqlite3/package.json'));
const possible = ways.filter(({ what }) => hasSources || what === 'is not installed');

describe.each(possible)('where better-sqlite3 $what', ({ make, message, hint }) => {
  beforeEach(make);

  it.runIf(hasNodeSqlite()).each(['worker', 'inline'])(
    'a session in mode %s is on node:sqlite, without a warning',
    async (mode) => {
      const script = join(app, 'app.mjs');
      await writeFile(
        script,
        `import { createDatabase } from 'poolctl';
        const db = createDatabase('sqlite::memory:?mode=${mode}');
        console.log(await db.pool.use((connection) => connection.engine));`,
      );
      expect(await start(script, [], { cwd: app }).finished).toMatchObject({
        ...{ stderr: '', stdout: 'node:sqlite\n', code: 0 },
      });
    },
  );

  it.runIf(hasNodeSqlite())('poolctl loadtest is on node:sqlite, and says so', async () => {
    const argv = ['loadtest', '--num-queries', '100', '--num-workers', '5', '--format', 'json'];
    const { stdout, stderr } = await start(installed.bin, argv, { cwd: app }).finished;
    const { workload, measurements } = JSON.parse(stdout);
    expect({ workload, measurements, stderr }).toMatchObject({
      workload: { target: expect.stringMatching(/\(node:sqlite\)$/) },
      measurements: { failed: 0 },
      stderr: expect.not.stringContaining('Experimental'),
    });
  });

  it.skipIf(hasNodeSqlite()).each(['worker', 'inline'])(
    'a session in mode %s is refused with code and hint',
    async (mode) => {
      const script = join(app, 'app.mjs');
      await writeFile(
        script,
        `import { createDatabase } from 'poolctl';
      const db = createDatabase('sqlite::memory:?mode=${mode}');
      const error = await db.getDb().catch((error) => error);
      const { code, hint, cause } = error;
      console.log(JSON.stringify({ code, hint, cause: { ...cause, message: cause.message } }));`,
      );
      const { stdout, stderr, code } = await start(script, [], { cwd: app }).finished;
      expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
      expect(JSON.parse(stdout)).toMatchObject({
        code: 'ERR_POOL_CREATE',
        hint: expect.stringMatching(hint),
        cause: {
          code: 'ERR_DRIVER_MISSING',
          message: expect.stringMatching(message),
          hint: expect.stringMatching(hint),
        },
      });
    },
  );

  it.skipIf(hasNodeSqlite())('poolctl loadtest says so, and what to do, and exits 3', async () => {
    const { stdout, stderr, code } = await start(installed.bin, ['loadtest'], { cwd: app }).finished;
    expect({ stdout, code }).toEqual({ stdout: '', code: 3 });
    const [first = '', second = '', ...rest] = stderr.trimEnd().split('\n');
    expect(first).toMatch(
      /^poolctl: SQLite needs the package better-sqlite3, or Node 22.13 or later: .* \(ERR_DRIVER_MISSING\)$/,
    );
    expect(second).toMatch(/^ {2}hint: /);
    expect(second).toMatch(hint);
    expect(rest).toEqual([]);
  });
});

it('without better-sqlite3 everything else works', async () => {
  for (const argv of [['--help'], ['--version'], ['loadtest', '--help']]) {
    expect(await start(installed.bin, argv, { cwd: app }).finished).toMatchObject({ code: 0, stderr: '' });
  }
});

it('without mysql2, a load on MySQL says what to install', async () => {
  const argv = ['loadtest', 'mysql://app@127.0.0.1:1/shop'];
  const { stdout, stderr, code } = await start(installed.bin, argv, { cwd: app }).finished;
  expect({ stdout, code }).toEqual({ stdout: '', code: 3 });
  expect(stderr).toMatch(/^poolctl: MySQL and MariaDB need the package mysql2: .* \(ERR_DRIVER_MISSING\)$/m);
  expect(stderr).toContain('hint: run npm install mysql2');
});
