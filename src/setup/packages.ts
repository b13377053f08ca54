import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import type { Tree } from './tree.js';
import type { Library, PackageManager } from './types.js';

/** Libraries whose connections poolctl audits, watches or tests. */
const LIBRARIES = [
  'pg',
  'pg-pool',
  'postgres',
  'knex',
  'typeorm',
  'sequelize',
  '@prisma/client',
  'drizzle-orm',
  'kysely',
  '@mikro-orm/core',
  'mysql2',
  'mysql',
  'mariadb',
  'better-sqlite3',
  'sqlite3',
  'mssql',
  'oracledb',
  'mongodb',
  'mongoose',
  'ioredis',
  'redis',
  'generic-pool',
  'undici',
  'ws',
  '@stoqey/ib',
];

interface Manifest {
  readonly packageManager?: unknown;
  readonly workspaces?: unknown;
  readonly dependencies?: unknown;
  readonly devDependencies?: unknown;
  readonly optionalDependencies?: unknown;
}

export interface Packages {
  readonly packageManager: PackageManager;
  readonly packageManagerFrom: string | null;
  readonly hasPoolctl: boolean;
  readonly workspaces: readonly string[];
  readonly libraries: readonly Library[];
}

/** Reads the manifests of a project, those of all its packages. */
export async function packagesIn(tree: Tree, repositoryRoot: string | null): Promise<Packages> {
  const names = tree.files.filter((file) => /(?:^|\/)package\.json$/.test(file));
  const manifests = new Map<string, Manifest>();
  for (const name of names) {
    const manifest = objectIn(await tree.read(name), JSON.parse);
    if (manifest !== null) manifests.set(name, manifest);
  }
  const own = manifests.get('package.json') ?? {};
  const pnpm = objectIn(await tree.read('pnpm-workspace.yaml'), parse);
  const isMonorepo =
    own.workspaces !== undefined || pnpm?.packages !== undefined || tree.files.includes('lerna.json');
  const users = new Map<string, string[]>();
  for (const [file, manifest] of manifests) {
    const dependencies = namesIn(manifest);
    for (const library of LIBRARIES) {
      if (dependencies.has(library)) users.set(library, [...(users.get(library) ?? []), file]);
    }
  }
  return {
    ...managerOf(tree.root, repositoryRoot, own),
    hasPoolctl: namesIn(own).has('poolctl'),
    workspaces: isMonorepo
      ? names.filter((name) => name !== 'package.json').map((name) => dirname(name))
      : [],
    libraries: LIBRARIES.flatMap((name) => {
      const files = users.get(name);
      return files === undefined ? [] : [{ name, files }];
    }),
  };
}

function namesIn(manifest: Manifest): ReadonlySet<string> {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  return new Set(
    [dependencies, devDependencies, optionalDependencies].flatMap((one) =>
      isObject(one) ? Object.keys(one) : [],
    ),
  );
}

const LOCK_FILES: readonly (readonly [file: string, manager: PackageManager])[] = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
  ['yarn.lock', 'yarn-classic'],
  ['package-lock.json', 'npm'],
  ['npm-shrinkwrap.json', 'npm'],
];

/** By the field `packageManager`, or the lock file in this folder or the nearest above, up to the root of the repository. */
function managerOf(folder: string, repositoryRoot: string | null, { packageManager }: Manifest) {
  const [, name = '', major = ''] = /^(npm|pnpm|yarn|bun)@(\d+)/.exec(String(packageManager ?? '')) ?? [];
  if (name !== '') {
    const manager = name === 'yarn' && Number(major) < 2 ? 'yarn-classic' : (name as PackageManager);
    return { packageManager: manager, packageManagerFrom: 'package.json' };
  }
  for (let at = folder; ; at = dirname(at)) {
    for (const [file, manager] of LOCK_FILES) {
      if (!existsSync(join(at, file))) continue;
      // The lock file of Yarn 2 and later begins with its own version.
      const isModern =
        manager === 'yarn-classic' &&
        /^__metadata:/m.test(readFileSync(join(at, file), 'utf8').slice(0, 1000));
      return { packageManager: isModern ? ('yarn' as const) : manager, packageManagerFrom: file };
    }
    if (repositoryRoot === null || at === repositoryRoot || dirname(at) === at) {
      return { packageManager: 'npm' as const, packageManagerFrom: null };
    }
  }
}

/** The object in a text; null where there is none. */
export function objectIn(
  text: string | null,
  read: (text: string) => unknown,
): Readonly<Record<string, unknown>> | null {
  if (text === null) return null;
  try {
    const value = read(text.replace(/^\uFEFF/, ''));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
