import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dist, root } from './bin.js';

/** The package as it lies in the node_modules of an application. */
export interface Installed {
  readonly folder: string;
  /** The bin, to be started. */
  readonly bin: string;
}

/**
 * Puts the built package into the node_modules of the folder `app`, with those of its dependencies that it is to
 * find. A copy, since a link would lead back to this checkout, where every package is.
 */
export async function installPackage(app: string, options: { without?: string } = {}): Promise<Installed> {
  const modules = join(app, 'node_modules');
  const folder = join(modules, 'poolctl');
  await mkdir(folder, { recursive: true });
  // Else a package.json in a folder above, say of another checkout, would be the application's.
  await writeFile(join(app, 'package.json'), '{ "private": true }', { flag: 'wx' }).catch(() => {});
  await cp(dist, join(folder, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  const { dependencies, optionalDependencies = {} } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies', Record<string, string>>;
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    if (name === options.without) continue;
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  return { folder, bin: join(folder, 'dist/bin/poolctl.js') };
}
