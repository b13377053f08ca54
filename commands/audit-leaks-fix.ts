import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { explainedRepair } from '../src/audit/fix.js';
import { diff } from '../src/audit/repair/diff.js';
import { isBelow, nameFrom, realOf } from '../src/audit/repository.js';
import { targetOf } from '../src/audit/target.js';
import type { DetailedAudit, Finding } from '../src/audit/types.js';
import { fileFault } from '../src/base/file-fault.js';
import { UnavailableError } from '../src/cli/errors.js';
import type { Context } from './audit-leaks-options.js';

/** Repairs files, or prints the diffs in a dry run. Says for each error that stays why it does. */
export async function repairAll(
  findings: readonly Finding[],
  files: DetailedAudit['files'],
  context: Context,
  paths: readonly string[],
): Promise<void> {
  const { io, options } = context;
  const roots = paths.map((path) => realOf(resolve(io.cwd, path)));
  let count = 0;
  for (const name of new Set(findings.map(({ file }) => file))) {
    const own = findings.filter(({ file }) => file === name);
    const file = files.get(name);
    if (file === undefined) continue;
    const shown = nameFrom(io.cwd, file);
    const refuse = (refused: readonly Finding[], reason: string) => {
      for (const { severity, line } of refused)
        if (severity === 'error') context.warn(`${shown}:${line}: not repaired: ${reason}`);
    };
    if (!roots.some((root) => isBelow(file.real, root))) {
      refuse(own, 'a link leads to it, out of the audited folders');
      continue;
    }
    const before = await textOf(file.real);
    if (before === null) {
      refuse(own, 'it is not UTF-8');
      continue;
    }
    const { text, repaired, refused } = explainedRepair(name, before, own, targetOf(file.path));
    for (const { finding, reason } of refused) refuse([finding], reason);
    if (repaired.length === 0) continue;
    count += repaired.length;
    const real = relative(realOf(io.cwd), file.real).split(sep).join('/');
    if (options.dryRun) await context.write(diff(real, before, text));
    else await save(file.real, text);
  }
  if (!options.dryRun) context.log(`repaired ${count} of ${findings.length} findings`);
}

/** null for text that would not be the same when it is written back. */
async function textOf(path: string): Promise<string | null> {
  const bytes = await readFile(path);
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}

/** Writes a file that is there; a link that has taken its place meanwhile is not followed. */
async function save(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0));
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new UnavailableError(`cannot write ${path}: ${fileFault(error)}`, { cause: error });
  }
}
