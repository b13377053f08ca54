import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inspectProject } from '../../src/setup/inspect.js';
import type { SetupDocument } from '../../src/setup/types.js';
import { root as checkout, poolctl } from '../helpers/bin.js';
import { installPackage } from '../helpers/installed.js';
import { startInTerminal } from '../helpers/terminal.js';

/** Also a config, since that is what a link makes it. */
const VICTIM = '{ "$schema": "untouched-4711" }';

const LEAK = `import { Pool } from 'pg';
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 12 });
export async function find() {
  const client = await pool.connect();
  await client.query('select 1');
  client.release();
}
`;

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-init-')));
  await write('package.json', '{ "dependencies": { "pg": "^8" } }');
  await write('src/db.ts', LEAK);
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(name: string, text: string) {
  await mkdir(dirname(join(root, name)), { recursive: true });
  await writeFile(join(root, name), text);
}
const read = (name: string) => readFile(join(root, name), 'utf8');
const init = (...argv: string[]) => poolctl(['init', ...argv], { cwd: root });
const audit = () => poolctl(['audit-leaks', '--no-cache'], { cwd: root });

/** Runs a line of a CI step as CI does. */
function shell(line: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', line], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: undefined },
  });
  return { status, stdout, stderr };
}

describe('poolctl init', () => {
  it('proposes a config, a baseline and a CI step that work together as they are', async () => {
    await write('.github/workflows/test.yml', 'on: push\n');
    await write('.git/HEAD', 'ref: refs/heads/trunk\n');
    const { code, stdout, stderr } = await init('--yes');
    expect([code, stderr]).toEqual([
      0,
      'poolctl: wrote poolctl.config.json, poolctl-baseline.json, .github/workflows/poolctl.yml\n',
    ]);
    expect(stdout).toContain('pool sizes       12 (src/db.ts:2)');
    for (const name of ['poolctl.config.json', 'poolctl-baseline.json', '.github/workflows/poolctl.yml'])
      for (const line of (await read(name)).trimEnd().split('\n')) expect(stdout).toContain(`+${line}\n`);
    expect(JSON.parse(await read('poolctl.config.json'))).toMatchObject({
      'audit-leaks': { baseline: 'poolctl-baseline.json' },
      doctor: { poolSize: 12 },
    });
    expect((await audit()).code).toBe(0);

    // The step runs as it is written, with the package that this build makes.
    await installPackage(root);
    await mkdir(join(root, 'node_modules/.bin'), { recursive: true });
    await symlink('../poolctl/dist/bin/poolctl.js', join(root, 'node_modules/.bin/poolctl'));
    const workflow = parse(await read('.github/workflows/poolctl.yml')) as {
      on: { push: { branches: string[] } };
      jobs: Record<string, { steps: { run?: string }[] }>;
    };
    expect(workflow.on.push.branches).toEqual(['trunk']);
    const lines = workflow.jobs['audit-leaks']?.steps.flatMap(({ run }) => run ?? []) ?? [];
    expect(lines).toHaveLength(1);
    expect(shell(lines.join('\n'))).toMatchObject({ status: 0 });
    await write('src/new.ts', LEAK.replaceAll('find', 'another'));
    expect(shell(lines.join('\n'))).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('::error file=src/new.ts'),
    });
  }, 60_000);

  it('adds a job to a pipeline of GitLab, shows it as a diff, and has nothing to do the next time', async () => {
    const pipeline =
      '# ours\nstages: [build, checks]\n\nbuild:\n  stage: build\n  script: [make]   # no line end';
    await write('.gitlab-ci.yml', pipeline);
    const { code, stdout } = await init('--yes');
    expect(code).toBe(0);
    expect(stdout).toMatch(/--- a\/\.gitlab-ci\.yml\n\+\+\+ b\/\.gitlab-ci\.yml\n@@[^\n]*\n \n/);
    const after = await read('.gitlab-ci.yml');
    expect(after.startsWith(pipeline)).toBe(true);
    const job = (parse(after) as Record<string, { stage: string; script: string[] }>).poolctl;
    expect(job?.stage).toBe('checks');
    await installPackage(root);
    await mkdir(join(root, 'node_modules/.bin'), { recursive: true });
    await symlink('../poolctl/dist/bin/poolctl.js', join(root, 'node_modules/.bin/poolctl'));
    expect(shell(job?.script.join('\n') ?? 'false')).toMatchObject({ status: 0 });
    expect(await read('poolctl-report.xml')).toContain('<testsuite');
    const again = JSON.parse((await init('--format', 'json')).stdout) as SetupDocument;
    expect(again.files).toEqual([]);
    expect(again.notes).toEqual([
      'poolctl.config.json is left as it is.',
      expect.stringContaining('poolctl-baseline.json is left as it is.'),
      '.gitlab-ci.yml has a job named poolctl already.',
    ]);
    // A leak that is new since then is not taken as known.
    await write('src/new.ts', LEAK);
    expect((await init('--yes')).code).toBe(0);
    expect((await audit()).code).toBe(1);
  }, 60_000);

  it('writes nothing before it was told to', async () => {
    const before = await readdir(root, { recursive: true });
    const unasked = await init('--ci', 'github');
    expect([unasked.code, unasked.stderr]).toEqual([
      2,
      expect.stringMatching(/confirmation needed, but stdin is not a terminal[\s\S]*pass --yes/),
    ]);
    expect(unasked.stdout).toContain('+      - run: npx --yes poolctl@');
    expect((await init('--dry-run')).code).toBe(0);
    expect((await init('--format', 'json')).code).toBe(0);
    expect(await readdir(root, { recursive: true })).toEqual(before);
  }, 60_000);

  it('asks in a terminal', async () => {
    for (const [key, there] of [
      ['n', false],
      ['y', true],
    ] as const) {
      const run = startInTerminal(['init', root, '--ci', 'none'], { rows: 60 });
      await run.shows(/Write poolctl.config.json, poolctl-baseline.json\? \[y\/N\]/);
      run.type(key);
      expect(await run.ended).toBe(0);
      expect(existsSync(join(root, 'poolctl.config.json'))).toBe(there);
    }
  }, 60_000);

  it('follows no link out of the folder', async () => {
    const outside = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-outside-')));
    try {
      await writeFile(join(outside, 'victim'), VICTIM);
      await symlink(outside, join(root, '.github'));
      await symlink(join(outside, 'victim'), join(root, 'poolctl.config.json'));
      await symlink(join(outside, 'new'), join(root, 'poolctl-baseline.json'));
      const { code, stdout } = await init('--yes', '--ci', 'github');
      expect(code).toBe(0);
      expect(stdout).toContain(
        '.github/workflows/poolctl.yml is not proposed: a link leads out of the folder',
      );
      expect(stdout).toContain('poolctl.config.json is not proposed: it is a symbolic link');
      expect(stdout).not.toContain('untouched-4711');
      expect(await readdir(outside)).toEqual(['victim']);
      expect(await readFile(join(outside, 'victim'), 'utf8')).toBe(VICTIM);
    } finally {
      await rm(outside, { recursive: true });
    }
  }, 60_000);

  it('says names of variables, and no value of any file', async () => {
    const secret = 'sEcReT-4711';
    await write(
      '.env',
      `DATABASE_URL=postgres://app:${secret}@db/shop\nexport PGPASSWORD="${secret}"\nAPI_KEY=${secret}\n`,
    );
    await write(
      'bouncer/pgbouncer.ini',
      `[databases]\nshop = host=db password=${secret}\n[pgbouncer]\nauth_query = ${secret}\npool_mode = transaction\n`,
    );
    await write(
      'compose.yaml',
      `services:\n  db:\n    image: registry/team/postgres:16\n    environment:\n      POSTGRES_PASSWORD: ${secret}\n`,
    );
    for (const format of ['text', 'json']) {
      const { stdout, stderr } = await init('--dry-run', '--format', format);
      expect(stdout + stderr).not.toContain(secret);
      for (const fact of [
        'DATABASE_URL',
        'PGPASSWORD',
        'bouncer/pgbouncer.ini',
        'compose.yaml',
        'transaction',
      ])
        expect(stdout).toContain(fact);
      expect(stdout).not.toContain('API_KEY');
    }
    await init('--yes');
    const { doctor, loadtest } = JSON.parse(await read('poolctl.config.json'));
    expect([doctor, loadtest]).toEqual(Array(2).fill({ poolSize: 12, maxOverflow: 0, pgbouncer: true }));
    // The options that it proposes are options that these commands take.
    for (const command of ['doctor', 'loadtest'])
      expect((await poolctl([command, '--print-config'], { cwd: root })).code).toBe(0);
    expect(
      (await poolctl(['loadtest', '--num-queries=30', '--num-workers=3'], { cwd: root })).code,
    ).toBeLessThan(2);
  }, 60_000);

  it('leaves a config alone that is there, and a pipeline that it does not understand', async () => {
    await write('poolctl.config.ts', 'export default {};');
    await write('.gitlab-ci.yml', 'a: [');
    const { stdout } = await init('--dry-run');
    expect(stdout).toContain('poolctl.config.ts is left as it is');
    expect(stdout).toContain('.gitlab-ci.yml is not YAML that poolctl understands');
    expect(stdout).not.toContain('poolctl.config.json (');
  });

  it('writes a CI step only at the root of the repository', async () => {
    await mkdir(join(root, '.git'));
    await write('packages/a/package.json', '{}');
    const { stdout } = await poolctl(['init', 'packages/a', '--dry-run', '--ci', 'github'], { cwd: root });
    expect(stdout).toContain("No CI step: the repository begins in ../... Run 'poolctl init' there");
  });
});

describe('the inspection of a project', () => {
  const found = () => inspectProject(root);

  it.each([
    [{ 'package-lock.json': '{}' }, 'npm'],
    [{ 'pnpm-lock.yaml': '' }, 'pnpm'],
    [{ 'yarn.lock': '# yarn lockfile v1\n' }, 'yarn-classic'],
    [{ 'yarn.lock': '__metadata:\n  version: 8\n' }, 'yarn'],
    [{ 'bun.lock': '{}' }, 'bun'],
    [{ 'package.json': '{ "packageManager": "yarn@4.1.0" }', 'package-lock.json': '{}' }, 'yarn'],
    [{}, 'npm'],
  ])('tells the package manager by %j: %s', async (files, manager) => {
    for (const [name, text] of Object.entries(files)) await write(name, text);
    expect((await found()).packageManager).toBe(manager);
  });

  it.each([
    ['pg', "import pg from 'pg';\nnew pg.Pool({ a: { b: 1 },\n max: 5 })", [5, 3]],
    ['mysql2', "const mysql = require('mysql2/promise');\nmysql.createPool({ connectionLimit: 6 })", [6, 2]],
    ['knex', "import knex from 'knex';\nknex({ client: 'pg', pool: { min: 0, max: 7 } })", [7, 2]],
    [
      'sequelize',
      "import { Sequelize } from 'sequelize';\nnew Sequelize('x', { pool: { max: 8, idle: 1 } })",
      [8, 2],
    ],
    [
      'typeorm',
      "import { DataSource } from 'typeorm';\nnew DataSource({ type: 'postgres',\n extra: { max: 9 } })",
      [9, 3],
    ],
    ['typeorm', "import { DataSource } from 'typeorm';\nnew DataSource({ poolSize: 10 })", [10, 2]],
    [
      'pg',
      "import { Pool } from 'pg';\n// new Pool({ max: 5 })\n/* new Pool({ max: 6 }) */\nnew Pool({ max: size })",
      null,
    ],
  ])('finds the size of a pool of %s: %j', async (_, text, expected) => {
    await write('src/db.ts', text);
    const { poolSizes } = await found();
    expect(poolSizes).toEqual(
      expected === null ? [] : [{ size: expected[0], file: 'src/db.ts', line: expected[1] }],
    );
  });

  it('sees the packages of a monorepo and their libraries, and nothing that is installed', async () => {
    await write('package.json', '{ "workspaces": ["packages/*"] }');
    await write('packages/a/package.json', '{ "dependencies": { "knex": "3", "pg": "8" } }');
    await write(
      'packages/b/package.json',
      '{ "devDependencies": { "drizzle-orm": "1", "@prisma/client": "6" } }',
    );
    await write('node_modules/x/package.json', '{ "dependencies": { "mysql2": "3" } }');
    expect(await found()).toMatchObject({
      workspaces: ['packages/a', 'packages/b'],
      libraries: [
        { name: 'pg', files: ['packages/a/package.json'] },
        { name: 'knex', files: ['packages/a/package.json'] },
        { name: '@prisma/client', files: ['packages/b/package.json'] },
        { name: 'drizzle-orm', files: ['packages/b/package.json'] },
      ],
    });
  });

  it('works on this repository', async () => {
    const { packageManager, ci, repository } = await inspectProject(checkout);
    expect([packageManager, repository]).toEqual(['npm', '']);
    expect(ci).toEqual([]);
  });
});
