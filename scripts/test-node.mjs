// `npm run test:node -- 24 [--without-compiler] [vitest arguments]`: both commands of the README on another major version
// of Node, in a tree of its own, since what is built for one version (better-sqlite3) does not load in another.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeOf, withoutCompilers } from './machines.mjs';

const root = join(import.meta.dirname, '..');
const [major = '', ...rest] = process.argv.slice(2);
if (!/^\d+$/.test(major)) {
  process.stderr.write(
    'usage: npm run test:node -- MAJOR [--without-compiler] [vitest arguments], as in: npm run test:node -- 24\n',
  );
  process.exit(2);
}
const vitest = rest.filter((one) => one !== '--without-compiler');

// Kept between runs, so that only the first one installs everything.
const tree = join(tmpdir(), `poolctl-node-${major}`);
const project = join(tree, 'project');
const { path, headers } = nodeOf(major);
const bare = join(tree, 'bin');
rmSync(bare, { recursive: true, force: true });
const env = {
  ...process.env,
  PATH: rest.length === vitest.length ? path : withoutCompilers(path, bare),
  npm_config_nodedir: headers,
};

if (existsSync(project)) {
  for (const folder of ['src', 'test', 'commands', 'bin', 'fixtures', 'dist', 'scripts']) {
    rmSync(join(project, folder), { recursive: true, force: true });
  }
}
cpSync(root, project, {
  recursive: true,
  filter: (path) => !/[\\/](node_modules|dist|\.git|coverage)$/.test(path),
});
run('node', ['--version']);
run('npm', ['ci', '--no-audit', '--no-fund']);
// The verdict depends on the machine, so 1 is as good as 0 here.
run('npx', ['poolctl', 'loadtest'], [0, 1]);
run('npm', ['test', '--', ...vitest]);

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {readonly number[]} codes that are as they should be
 */
function run(command, args, codes = [0]) {
  process.stdout.write(`\n$ ${command} ${args.join(' ')}\n`);
  const { status, error } = spawnSync(command, args, { cwd: project, env, stdio: 'inherit', shell: false });
  if (error) throw error;
  if (status === null || !codes.includes(status)) process.exit(status || 1);
}
