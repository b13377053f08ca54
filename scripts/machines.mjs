// Machines that this one is not: with another major version of Node, or without a compiler.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const COMPILERS = /^(?:(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-[\d.]+)?|g?make|python[\d.]*)$/;

/**
 * Installs the newest Node of a major version, which the package `node` carries, unless it is there. Returns the PATH
 * that finds it first, and the folder of the headers that come with it: '' if there are none.
 * @param {string} major
 */
export function nodeOf(major) {
  const home = join(tmpdir(), `poolctl-node-${major}`, 'node');
  const bin = join(home, 'node_modules/node/bin');
  if (!existsSync(join(bin, 'node'))) {
    mkdirSync(home, { recursive: true });
    const args = ['install', '--prefix', home, '--no-audit', '--no-fund', '--no-save', `node@${major}`];
    const { status } = spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${status}`);
  }
  const name = `node-${process.platform}-${process.arch}`;
  const places = [join(home, 'node_modules/node/node_modules', name), join(home, 'node_modules', name)];
  return {
    path: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    headers: places.find((place) => existsSync(join(place, 'include'))) ?? '',
  };
}

/**
 * Fills a folder with links to all programs of a PATH but compilers, make and Python. Returns the folder.
 * @param {string} path
 * @param {string} folder
 */
export function withoutCompilers(path, folder) {
  mkdirSync(folder, { recursive: true });
  const seen = new Set();
  for (const place of path.split(delimiter).filter((one) => existsSync(one))) {
    for (const name of readdirSync(place)) {
      if (COMPILERS.test(name) || seen.has(name)) continue;
      seen.add(name);
      symlinkSync(join(place, name), join(folder, name));
    }
  }
  return folder;
}
