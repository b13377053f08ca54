import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { specifierOf, VIA_CONFIG } from './reads.js';
import { isBelow } from './repository.js';

const run = promisify(execFile);

/** The files that differ from a commit. All paths are absolute and real. */
export interface Changes {
  /** Changed and new files. */
  readonly files: ReadonlySet<string>;
  /** Deleted and renamed files. */
  readonly gone: readonly string[];
  /** Folders in which imports may lead elsewhere, because of a changed tsconfig.json or package.json. */
  readonly renamed: readonly string[];
  /** The settings of poolctl itself changed: every verdict may. */
  readonly isGlobal: boolean;
}

/** The changes in the repository around `folder`, uncommitted and untracked ones included. */
export async function changesSince(folder: string, ref: string): Promise<Changes> {
  const git = async (args: readonly string[]) =>
    (await run('git', [...args], { cwd: folder, maxBuffer: 1 << 28 })).stdout;
  const names = async (args: readonly string[]) =>
    (await git(args)).split('\0').filter((line) => line !== '');
  const top = (await git(['rev-parse', '--show-toplevel'])).trim();
  // The changes of the branch since it left, not those of the other side meanwhile.
  const base = await git(['merge-base', ref, 'HEAD']).then(
    (text) => text.trim(),
    () => ref,
  );
  const since = ['diff', '--name-only', '-z', '--no-renames'];
  const tracked = await names([...since, '--diff-filter=d', base, '--']);
  const untracked = await names([
    'ls-files',
    '-z',
    '--others',
    '--exclude-standard',
    '--full-name',
    '--',
    top,
  ]);
  const deleted = await names([...since, '--diff-filter=D', base, '--']);
  const root = await realpath(top);
  const renamed: string[] = [];
  for (const name of [...tracked, ...untracked, ...deleted].filter((one) => CONFIGS.test(basename(one)))) {
    const before = await git(['show', `${base}:${name}`]).catch(() => null);
    const after = await readFile(join(root, name), 'utf8').catch(() => null);
    if (!resolvesAlike(name, before, after)) renamed.push(dirname(join(root, name)));
  }
  return {
    files: new Set([...tracked, ...untracked].map((name) => join(root, name))),
    gone: deleted.map((name) => join(root, name)),
    renamed,
    isGlobal: [...tracked, ...untracked, ...deleted].some((name) => OWN_CONFIG.test(basename(name))),
  };
}

/** Whether a verdict may be another one because of the changes. */
export function affects({ files, gone, renamed, isGlobal }: Changes, reads: ReadonlySet<string>): boolean {
  if (isGlobal) return true;
  const isRenamed = reads.has(VIA_CONFIG) || [...reads].some((one) => specifierOf(one) !== null);
  for (const read of reads) {
    const specifier = specifierOf(read);
    if (specifier === null) {
      if (files.has(read) || (isRenamed && renamed.some((folder) => isBelow(read, folder)))) return true;
    } else if (gone.some((path) => mayHaveBeen(path, specifier))) return true;
  }
  return false;
}

const OWN_CONFIG = /^poolctl\.config\.(?:jsonc?|[cm]?[jt]s)$/;

const CONFIGS =
  /^(package\.json|[jt]sconfig(\..+)?\.json|pnpm-workspace\.yaml|(vite|svelte|webpack)\.config\.[cm]?[jt]s)$/;

/** Whether imports lead where they led: of a package.json most changes have no say in that. */
function resolvesAlike(name: string, before: string | null, after: string | null): boolean {
  if (before === after) return true;
  if (basename(name) !== 'package.json') return false;
  return said(before) === said(after);
}

function said(text: string | null): string {
  try {
    const manifest: Readonly<Record<string, unknown>> = JSON.parse(text ?? '{}');
    return JSON.stringify(DECIDING.map((key) => manifest[key] ?? null));
  } catch {
    return `not JSON: ${text}`;
  }
}

const DECIDING = [
  'name',
  'main',
  'module',
  'types',
  'typings',
  'exports',
  'imports',
  'workspaces',
  'browser',
  'source',
];

/** Whether an import that leads nowhere may have led to a file that is gone. */
export function mayHaveBeen(path: string, specifier: string): boolean {
  const stem = (text: string) => text.replace(/\.(?:d\.)?[cm]?[jt]sx?$/, '');
  const [file, wanted] = [stem(path).replace(/\/index$/, ''), stem(specifier).replace(/\/index$/, '')];
  if (wanted.startsWith('/')) return file === wanted || path === wanted;
  const last = wanted.split('/').at(-1) ?? '';
  return file.split('/').includes(last);
}
