import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parse } from 'yaml';
import { repositoryAround } from '../audit/repository.js';
import { isObject, objectIn, packagesIn } from './packages.js';
import { isProductionSource, poolSizesIn } from './sources.js';
import { type Tree, treeOf } from './tree.js';
import type {
  CiFile,
  Inspection,
  PgbouncerFile,
  PoolSize,
  Service,
  ServiceKind,
  Variables,
} from './types.js';

/** Looks at the files of a project. Runs nothing, connects to nothing, and keeps no value of an environment file. */
export async function inspectProject(root: string): Promise<Inspection> {
  const tree = await treeOf(root);
  const repository = repositoryAround(root);
  const packages = await packagesIn(tree, repository);
  return {
    ...packages,
    poolSizes: await poolSizesOf(tree),
    pgbouncer: await pgbouncerFiles(tree),
    services: await servicesOf(tree),
    variables: await variablesOf(tree),
    ci: ciFiles(tree.files),
    configs: tree.files.filter((file) => /^poolctl\.config\.(?:jsonc?|[cm]?[jt]s)$/.test(file)),
    repository: repository === null ? null : relative(root, repository),
    branch: repository === null ? 'main' : await mainBranch(repository),
    files: tree.files.filter(isProductionSource).length,
  };
}

async function poolSizesOf(tree: Tree): Promise<PoolSize[]> {
  const found: PoolSize[] = [];
  for (const file of tree.files.filter(isProductionSource)) {
    const text = await tree.read(file);
    if (text !== null) found.push(...poolSizesIn(file, text));
  }
  return found;
}

async function pgbouncerFiles(tree: Tree): Promise<PgbouncerFile[]> {
  const found: PgbouncerFile[] = [];
  for (const file of tree.files.filter((name) => /\.ini(?:\.\w+)?$/.test(name))) {
    const text = (await tree.read(file)) ?? '';
    const [, section] = /^\s*\[pgbouncer\]\s*$([\s\S]*?)(?=^\s*\[|(?![\s\S]))/m.exec(text) ?? [];
    if (section === undefined) continue;
    const setting = (name: string) =>
      new RegExp(`^[ \\t]*${name}[ \\t]*=[ \\t]*(\\w+)[ \\t]*\\r?$`, 'm').exec(section)?.[1] ?? null;
    found.push({
      file,
      poolMode: setting('pool_mode'),
      defaultPoolSize: setting('default_pool_size'),
      maxClientConn: setting('max_client_conn'),
    });
  }
  return found;
}

const KINDS: readonly (readonly [image: RegExp, kind: ServiceKind])[] = [
  [/pgbouncer/, 'pgbouncer'],
  [/postg(?:res|is)|timescale|pgvector/, 'postgres'],
  [/mysql|mariadb|percona/, 'mysql'],
  [/redis|valkey/, 'redis'],
  [/mongo/, 'mongodb'],
];

async function servicesOf(tree: Tree): Promise<Service[]> {
  const found: Service[] = [];
  for (const file of tree.files.filter((name) => /(?:^|\/)(?:docker-)?compose[\w.-]*\.ya?ml$/.test(name))) {
    const services = objectIn(await tree.read(file), parse)?.services;
    if (!isObject(services)) continue;
    for (const [service, definition] of Object.entries(services)) {
      const image = isObject(definition) && typeof definition.image === 'string' ? definition.image : '';
      // `registry/team/postgres:16` is what the last part says.
      const name = image.split('/').at(-1) ?? '';
      const kind = KINDS.find(([pattern]) => pattern.test(name))?.[1];
      if (kind !== undefined) found.push({ file, service, kind });
    }
  }
  return found;
}

const ENV_FILE = /(?:^|\/)(?:\.env(?:\.[\w.-]+)?|[\w.-]+\.env)$/;
const ABOUT_POOLS = /^(?:PG|DB_|MYSQL|POSTGRES|REDIS|MONGO|SQLITE|USE_PGBOUNCER)|DATABASE|_DB(?:_|$)|POOL/;

async function variablesOf(tree: Tree): Promise<Variables[]> {
  const found: Variables[] = [];
  for (const file of tree.files.filter((name) => ENV_FILE.test(name))) {
    const text = (await tree.read(file)) ?? '';
    const names = [...text.matchAll(/^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=/gm)].map(
      ([, name = '']) => name,
    );
    const wanted = [...new Set(names)].filter((name) => ABOUT_POOLS.test(name));
    if (wanted.length > 0) found.push({ file, names: wanted });
  }
  return found;
}

const CI_FILES: readonly (readonly [file: RegExp, system: CiFile['system']])[] = [
  [/^\.github\/workflows\/[^/]+\.ya?ml$/, 'github'],
  [/^\.gitlab-ci\.ya?ml$/, 'gitlab'],
  [
    /^(?:\.circleci\/config\.ya?ml|\.travis\.ya?ml|azure-pipelines\.ya?ml|bitbucket-pipelines\.ya?ml|Jenkinsfile|\.drone\.ya?ml|\.woodpecker\.ya?ml|appveyor\.ya?ml|\.buildkite\/pipeline\.ya?ml)$/,
    'other',
  ],
];

function ciFiles(files: readonly string[]): CiFile[] {
  return files.flatMap((file) => {
    const system = CI_FILES.find(([pattern]) => pattern.test(file))?.[1];
    return system === undefined ? [] : [{ system, file }];
  });
}

/** The branch that the clone took as the main one, or the one that is checked out. */
async function mainBranch(repository: string): Promise<string> {
  for (const name of ['refs/remotes/origin/HEAD', 'HEAD']) {
    const text = await readFile(join(repository, '.git', name), 'utf8').catch(() => '');
    const [, branch] = /^ref: refs\/(?:remotes\/origin|heads)\/([\w./-]+)\s*$/.exec(text) ?? [];
    if (branch !== undefined) return branch;
  }
  return 'main';
}
