// `node scripts/try-package.mjs [--tarball FILE] [--node MAJOR] [--without-compiler] [npm] [pnpm] [yarn]`: installs the
// packed package in an empty folder with each package manager, and uses it as a newcomer does. Prints what the install
// weighs and how long the first verdict took. The managers come from npm, at the versions below.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeOf, withoutCompilers } from './machines.mjs';

const MANAGERS = { npm: null, pnpm: 'pnpm@10.34.9', yarn: '@yarnpkg/cli-dist@4.18.1' };
const MOST_PACKAGES = 25;
const MOST_MB = 30;

/** Leaks a client where the query throws. */
const LEAK = `import { Pool } from 'pg';
const pool = new Pool();
export async function find(id: number) {
  const client = await pool.connect();
  const { rows } = await client.query('select * from orders where id = $1', [id]);
  client.release();
  return rows;
}
`;

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tarball: { type: 'string' },
    node: { type: 'string' },
    'without-compiler': { type: 'boolean', default: false },
  },
});
const managers = positionals.length === 0 ? Object.keys(MANAGERS) : positionals;
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'poolctl-try-')));
try {
  const path = values.node === undefined ? (process.env.PATH ?? '') : nodeOf(values.node).path;
  const env = {
    ...process.env,
    PATH: values['without-compiler'] ? withoutCompilers(path, join(folder, 'bin')) : path,
    // What this script was started by must not configure what it starts.
    NODE_OPTIONS: '',
    npm_config_prefix: undefined,
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_ENABLE_TELEMETRY: 'false',
    COREPACK_ENABLE_STRICT: '0',
  };
  const tarball = values.tarball === undefined ? pack(env) : resolve(values.tarball);
  for (const manager of managers) tryManager(manager, tarball, env);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * @param {string} manager
 * @param {string} tarball
 * @param {NodeJS.ProcessEnv} env
 */
function tryManager(manager, tarball, env) {
  const [install, exec] = commandsOf(manager, env);
  const app = join(folder, `app-${manager}`);
  mkdirSync(app);
  // Makes it a project of its own, whatever is in the folders above.
  writeFileSync(join(app, 'yarn.lock'), '');
  writeFileSync(join(app, '.yarnrc.yml'), 'nodeLinker: pnp\nenableGlobalCache: false\n');
  const manifest = { name: 'app', private: true, dependencies: { poolctl: `file:${tarball}`, pg: '^8' } };
  writeFileSync(join(app, 'package.json'), JSON.stringify(manifest));
  writeFileSync(
    join(app, 'app.cjs'),
    `const { Pool } = require('pg');
    new Pool();
    import('poolctl').then(({ createDatabase }) => {
      createDatabase('sqlite::memory:');
      console.log('watched:', Symbol.for('poolctl.started') in globalThis);
    });`,
  );
  writeFileSync(join(app, 'leak.ts'), LEAK);

  const startedAt = performance.now();
  run(app, install, env);
  const installedS = (performance.now() - startedAt) / 1000;
  const load = run(app, [...exec, 'loadtest', '--num-queries=500', '--num-workers=20'], env, [0, 1, 3]);
  const verdictS = (performance.now() - startedAt) / 1000;
  const version = run(app, ['node', '-p', 'process.versions.node'], env).stdout.trim();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const hasSqlite = major > 22 || (major === 22 && minor >= 13);
  if (load.status === 3 && (hasSqlite || !/hint: use Node 22\.13/.test(load.stderr)))
    throw new Error(load.stderr);
  if (/Experimental/.test(load.stderr)) throw new Error(`a warning reaches the user: ${load.stderr}`);
  const engine = load.status === 3 ? 'none' : (/candles \((\S+)\)/.exec(load.stdout)?.[1] ?? 'not named');

  expect(run(app, [...exec, 'run', '--', 'node', 'app.cjs'], env), /^watched: true$/m);
  expect(run(app, [...exec, 'audit-leaks', 'leak.ts'], env, [1]), /leak\.ts:\d+/);
  expect(run(app, [...exec, 'top', '--help'], env), /Usage: poolctl top/);
  const weight = manager === 'yarn' ? '' : `, ${weightOf(join(app, 'node_modules'))}`;
  process.stdout.write(
    `${manager} on Node ${version}${values['without-compiler'] ? ', without a compiler' : ''}: installed in ${installedS.toFixed(1)} s, first verdict after ${verdictS.toFixed(1)} s, SQLite: ${engine}${weight}\n`,
  );
}

/**
 * How a manager installs, and how it runs an installed program.
 * @param {string} manager
 * @param {NodeJS.ProcessEnv} env
 * @returns {[install: string[], exec: string[]]}
 */
function commandsOf(manager, env) {
  if (manager === 'npm')
    return [
      ['npm', 'install', '--no-audit', '--no-fund'],
      ['npx', '--no-install', 'poolctl'],
    ];
  const source = MANAGERS[/** @type {keyof typeof MANAGERS} */ (manager)];
  if (!source) throw new Error(`no such package manager: ${manager}`);
  const tools = join(folder, 'tools');
  mkdirSync(tools, { recursive: true });
  run(folder, ['npm', 'install', '--prefix', tools, '--no-audit', '--no-fund', '--no-save', source], env);
  const modules = join(tools, 'node_modules');
  return manager === 'pnpm'
    ? [
        ['node', join(modules, 'pnpm/bin/pnpm.cjs'), 'install', '--store-dir', join(folder, 'store')],
        ['node', join(modules, 'pnpm/bin/pnpm.cjs'), 'exec', 'poolctl'],
      ]
    : [
        ['node', join(modules, '@yarnpkg/cli-dist/bin/yarn.js'), 'install'],
        ['node', join(modules, '@yarnpkg/cli-dist/bin/yarn.js'), 'poolctl'],
      ];
}

/** @param {NodeJS.ProcessEnv} env */
function pack(env) {
  const { stdout } = run(
    root,
    ['npm', 'pack', '--loglevel=error', '--ignore-scripts', '--json', '--pack-destination', folder],
    env,
  );
  return join(folder, JSON.parse(stdout)[0].filename);
}

/**
 * Packages and size of a node_modules. better-sqlite3 and what it needs to be built are counted apart: where Node has
 * SQLite, they can be left out. Throws where the rest is more than promised.
 * @param {string} modules
 */
function weightOf(modules) {
  const folders = packagesIn(modules).map((path) => ({ path, manifest: manifestOf(path) }));
  const byName = new Map(folders.map(({ path, manifest }) => [manifest.name, { path, manifest }]));
  /** @param {string} name @param {Set<string>} seen */
  const needs = (name, seen) => {
    const found = byName.get(name);
    if (found === undefined || seen.has(name)) return seen;
    seen.add(name);
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = found.manifest;
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      if (next !== 'better-sqlite3') needs(next, seen);
    }
    return seen;
  };
  const counted = [...needs('poolctl', new Set())];
  const mb = counted.reduce((sum, name) => sum + bytesOf(byName.get(name)?.path ?? ''), 0) / 1e6;
  const all = folders.reduce((sum, { path }) => sum + bytesOf(path), 0) / 1e6;
  if (counted.length > MOST_PACKAGES || mb > MOST_MB) {
    throw new Error(`too heavy: ${counted.length} packages, ${mb.toFixed(1)} MB: ${counted.join(' ')}`);
  }
  return `${counted.length} packages of ${mb.toFixed(1)} MB (with better-sqlite3 ${folders.length} of ${all.toFixed(1)} MB)`;
}

/**
 * @param {string} modules
 * @returns {string[]}
 */
function packagesIn(modules) {
  const stored = join(modules, '.pnpm');
  const roots = exists(stored)
    ? readdirSync(stored)
        .map((name) => join(stored, name, 'node_modules'))
        .filter(exists)
    : [modules];
  return roots.flatMap((place) =>
    readdirSync(place)
      .filter((name) => !name.startsWith('.'))
      .flatMap((name) =>
        name.startsWith('@')
          ? readdirSync(join(place, name)).map((one) => join(place, name, one))
          : [join(place, name)],
      )
      // pnpm links what a package needs beside it.
      .filter((path) => lstatSync(path).isDirectory())
      .flatMap((path) => [
        path,
        ...(exists(join(path, 'node_modules')) ? packagesIn(join(path, 'node_modules')) : []),
      ]),
  );
}

/** @param {string} path */
function bytesOf(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() && !join(entry.parentPath, entry.name).slice(path.length).includes('/node_modules/'),
    )
    .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
}

/** @param {string} path */
function manifestOf(path) {
  return JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
}

/** @param {string} path */
function exists(path) {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} cwd
 * @param {readonly string[]} command
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly number[]} codes that are as they should be
 */
function run(cwd, [program = '', ...args], env, codes = [0]) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  if (status === null || !codes.includes(status)) {
    throw new Error(`${[program, ...args].join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
  }
  return { status, stdout, stderr };
}

/**
 * @param {{ stdout: string, stderr: string }} result
 * @param {RegExp} pattern
 */
function expect({ stdout, stderr }, pattern) {
  if (!pattern.test(stdout)) throw new Error(`${pattern} is not in\n${stdout}\n${stderr}`);
}
