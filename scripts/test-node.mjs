// `npm run test:node -- 24 [vitest arguments]`: the tests on another major version of Node, in a tree of its own, since
// what is built for one version (better-sqlite3) does not load in another.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const [major = '', ...vitest] = process.argv.slice(2);
if (!/^\d+$/.test(major)) {
  process.stderr.write(
    'usage: npm run test:node -- MAJOR [vitest arguments], as in: npm run test:node -- 24\n',
  );
  process.exit(2);
}

// Kept between runs, so that only the first one builds everything.
const tree = join(tmpdir(), `poolctl-node-${major}`);
const nodeHome = join(tree, 'node');
const project = join(tree, 'project');
mkdirSync(nodeHome, { recursive: true });
run(root, 'npm', ['install', '--prefix', nodeHome, '--no-audit', '--no-fund', '--no-save', `node@${major}`]);
const bin = join(nodeHome, 'node_modules', 'node', 'bin');
const env = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH}`,
  npm_config_nodedir: headersOf(nodeHome),
};

if (existsSync(project)) {
  for (const folder of ['src', 'test', 'commands', 'bin', 'fixtures', 'dist']) {
    rmSync(join(project, folder), { recursive: true, force: true });
  }
}
cpSync(root, project, {
  recursive: true,
  filter: (path) => !/[\\/](node_modules|dist|\.git|coverage)$/.test(path),
});
run(project, 'node', ['--version'], env);
run(project, 'npm', ['ci', '--no-audit', '--no-fund'], env);
run(project, 'npx', ['vitest', 'run', ...vitest], env);

/** The headers that come with the package, for building native parts; nothing if there are none. */
function headersOf(/** @type {string} */ home) {
  const name = `node-${process.platform}-${process.arch}`;
  const places = [join(home, 'node_modules/node/node_modules', name), join(home, 'node_modules', name)];
  return places.find((place) => existsSync(join(place, 'include'))) ?? '';
}

/**
 * @param {string} cwd
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} environment
 */
function run(cwd, command, args, environment = process.env) {
  process.stdout.write(`\n$ ${command} ${args.join(' ')}\n`);
  const { status, error } = spawnSync(command, args, {
    cwd,
    env: environment,
    stdio: 'inherit',
    shell: false,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
