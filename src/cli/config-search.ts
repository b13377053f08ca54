import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The names that a config file may have. */
export const CONFIG_NAMES = [
  'poolctl.config.json',
  'poolctl.config.jsonc',
  'poolctl.config.ts',
  'poolctl.config.mts',
  'poolctl.config.js',
  'poolctl.config.mjs',
  'poolctl.config.cjs',
] as const;

export interface FoundConfig {
  /** All config files of the nearest folder that has one. More than one is a mistake. */
  readonly paths: readonly string[];
  /** Files on the way that belong to another user. They are not read. */
  readonly foreign: readonly string[];
}

/**
 * The config file of a folder: in the folder itself, or in the nearest of those above, up to the root of the file
 * system. ESLint, Prettier and Biome search the same way.
 *
 * A config file can be a program. In a folder above that others can write to, such as /tmp, anybody could put one in the
 * way. So a file found above must belong to this user, to root, or to the owner of the folder where the search begins.
 */
export async function findConfig(folder: string, uid: number | null): Promise<FoundConfig> {
  const foreign: string[] = [];
  const trusted = new Set([uid, 0, (await ownerOf(folder)) ?? uid]);
  for (let at = folder; ; at = dirname(at)) {
    const there = await Promise.all(
      CONFIG_NAMES.map(async (name) => {
        const owner = await ownerOf(join(at, name));
        return owner === null ? [] : [{ path: join(at, name), owner }];
      }),
    );
    const isOurs = (owner: number) => at === folder || uid === null || trusted.has(owner);
    const found = there.flat();
    foreign.push(...found.filter(({ owner }) => !isOurs(owner)).map(({ path }) => path));
    const paths = found.filter(({ owner }) => isOurs(owner)).map(({ path }) => path);
    if (paths.length > 0 || dirname(at) === at) return { paths, foreign };
  }
}

/** Whether a file of this name holds a program, which is run to get the config. */
export function isConfigModule(path: string): boolean {
  return /\.[cm]?[jt]s$/.test(basename(path));
}

async function ownerOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ uid }) => uid,
    () => null,
  );
}
