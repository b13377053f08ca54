import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, readFile, realpath, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isBelow } from '../audit/repository.js';
import type { Proposal } from './types.js';

/** Why a file may not be written; null where it may. Links must not lead out of the folder. */
export async function refusal(root: string, { file }: Proposal): Promise<string | null> {
  const realRoot = await realpath(root);
  const path = join(realRoot, file);
  const link = await lstat(path).catch(() => null);
  if (link?.isSymbolicLink() === true) return 'it is a symbolic link';
  if (link !== null && !link.isFile()) return 'it is not a file';
  for (let at = dirname(path); ; at = dirname(at)) {
    const real = await realpath(at).catch(() => null);
    if (real === null) continue;
    return isBelow(real, realRoot) ? null : `a link leads out of the folder, to ${real}`;
  }
}

/** Writes a file as it was shown. Throws if it has changed since, and leaves no half-written file behind. */
export async function writeProposal(root: string, proposal: Proposal): Promise<void> {
  const path = join(await realpath(root), proposal.file);
  await mkdir(dirname(path), { recursive: true });
  const refused = await refusal(root, proposal);
  if (refused !== null) throw new Error(refused);
  const now = await readFile(path, 'utf8').catch(() => null);
  if (now !== proposal.before) throw new Error('it has changed since it was shown');
  const temporary = join(dirname(path), `.${basename(path)}.poolctl-${randomBytes(6).toString('hex')}`);
  const handle = await open(temporary, 'wx', 0o644);
  try {
    await handle.writeFile(proposal.after);
    await handle.close();
    await rename(temporary, path);
  } catch (error) {
    await handle.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw error;
  }
}
