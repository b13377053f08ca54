import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Files that differ from a commit in the repository around `folder`, new ones included, as absolute real paths. */
export async function changedFiles(folder: string, ref: string): Promise<ReadonlySet<string>> {
  const git = async (args: readonly string[]) => {
    const { stdout } = await run('git', [...args], { cwd: folder, maxBuffer: 1 << 28 });
    return stdout.split('\0').filter((line) => line !== '');
  };
  const top = (await run('git', ['rev-parse', '--show-toplevel'], { cwd: folder })).stdout.trim();
  // What the branch changed since it left, not what the other side did meanwhile.
  const base = await run('git', ['merge-base', ref, 'HEAD'], { cwd: folder }).then(
    ({ stdout }) => stdout.trim(),
    () => ref,
  );
  const tracked = await git(['diff', '--name-only', '-z', '--diff-filter=d', base, '--']);
  const untracked = await git(['ls-files', '-z', '--others', '--exclude-standard', '--full-name', '--', top]);
  const root = await realpath(top);
  return new Set([...tracked, ...untracked].map((name) => join(root, name)));
}
