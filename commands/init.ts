import { readFile, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { baselineOf } from '../src/audit/baseline.js';
import { renamed } from '../src/audit/rename.js';
import { diff } from '../src/audit/repair/diff.js';
import { nameFrom, repositoryAround } from '../src/audit/repository.js';
import { fileFault } from '../src/base/file-fault.js';
import { type CommandContext, defineCommand, optionalArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { confirm, requireTerminal } from '../src/cli/confirm.js';
import { UnavailableError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, value } from '../src/cli/options.js';
import { choice, path } from '../src/cli/value-types.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { GITHUB_FILE, GITLAB_FILE } from '../src/setup/ci.js';
import { inspectProject } from '../src/setup/inspect.js';
import { BASELINE_FILE, CONFIG_FILE, nextCommands, propose } from '../src/setup/propose.js';
import type { Inspection, Proposal, SetupDocument } from '../src/setup/types.js';
import { refusal, writeProposal } from '../src/setup/write.js';

const options = {
  yes: flag({ summary: 'write the files without a question', config: false }),
  dryRun: flag({ summary: 'only show the files', config: false }),
  ci: value({
    summary: 'the CI to write a step for: auto, github, gitlab, none',
    type: choice(['auto', 'github', 'gitlab', 'none']),
    default: 'auto',
    config: false,
  }),
  format: formatOption(formatsOf('setup')),
};

const args = {
  folder: optionalArgument({ summary: 'the project; default: the current folder', type: path('FOLDER') }),
};

type Context = CommandContext<typeof options, typeof args>;

export const command = defineCommand({
  name: 'init',
  summary: 'set up poolctl for a project: config, CI step and baseline',
  description: `Inspects a project (libraries, pool sizes, PgBouncer, compose files, CI) and proposes a config, a CI step, and a
baseline of the leaks that are there. Shows each file, as a diff where it exists, and asks before it writes.

Reads names from .env files, never values. Writes nothing outside the folder.`,
  arguments: args,
  options,
  rules: [
    {
      of: ['yes', 'dryRun'],
      check: ({ options: { yes, dryRun } }) =>
        yes && dryRun ? '--yes and --dry-run exclude each other' : null,
    },
  ],
  examples: [
    { command: 'poolctl init', meaning: 'this project' },
    { command: 'poolctl init --yes --ci github', meaning: 'in a script' },
  ],
  async run(context) {
    const { options: given, io, version, write, render } = context;
    const root = await folderOf(context);
    const found = await inspectProject(root);
    const plan = propose({
      found,
      version,
      ci: given.ci,
      baseline: await baselineText(root),
      existing: await existingFiles(root, found.configs),
    });
    const refused = await refusedFiles(root, plan.proposals);
    const proposals = plan.proposals.filter(({ file }) => !refused.has(file));
    const notes = [...plan.notes, ...[...refused].map(([file, why]) => `${file} is not proposed: ${why}.`)];
    const changes = proposals.filter(({ before, after }) => before !== after);
    const document = (written: boolean) => documentOf(root, found, proposals, notes, written);

    if (given.format === 'json') {
      if (given.yes) await writeAll(root, changes);
      await write(await renderReport('setup', 'json', document(given.yes), render));
      return ExitCode.Ok;
    }
    await write(await renderReport('setup', given.format, document(false), render));
    if (changes.length === 0 || given.dryRun) return ExitCode.Ok;
    if (!given.yes) {
      requireTerminal(io);
      const names = changes.map(({ file }) => file).join(', ');
      if (!(await confirm(io, `Write ${names}?`))) {
        context.warn('nothing was written');
        return ExitCode.Ok;
      }
    }
    await writeAll(root, changes);
    context.warn(`wrote ${changes.map(({ file }) => file).join(', ')}`);
    return ExitCode.Ok;
  },
});

async function folderOf({ io, arguments: { folder } }: Context): Promise<string> {
  const given = resolve(io.cwd, folder ?? '.');
  try {
    if (!(await stat(given)).isDirectory()) throw new UnavailableError(`${given} is not a folder`);
    return await realpath(given);
  } catch (error) {
    if (error instanceof UnavailableError) throw error;
    throw new UnavailableError(`cannot inspect ${given}: ${fileFault(error, 'there is no such folder')}`, {
      cause: error,
    });
  }
}

/** The baseline that `poolctl audit-leaks --update-baseline` writes in this folder. */
async function baselineText(root: string): Promise<string> {
  const { auditInDetail } = await import('../src/audit/audit.js');
  const { result, files } = auditInDetail(['.'], { cwd: root });
  const repository = repositoryAround(root) ?? root;
  const named = renamed(result, (name) => {
    const file = files.get(name);
    return file === undefined ? name : nameFrom(repository, file);
  });
  return `${JSON.stringify(baselineOf(named.findings), null, 2)}\n`;
}

async function existingFiles(root: string, configs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const file of [CONFIG_FILE, BASELINE_FILE, GITHUB_FILE, GITLAB_FILE, ...configs]) {
    const text = await readFile(join(root, file), 'utf8').catch(() => null);
    if (text !== null) found.set(file, text);
  }
  return found;
}

async function refusedFiles(
  root: string,
  proposals: readonly Proposal[],
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  for (const proposal of proposals) {
    const why = await refusal(root, proposal);
    if (why !== null) refused.set(proposal.file, why);
  }
  return refused;
}

async function writeAll(root: string, proposals: readonly Proposal[]): Promise<void> {
  for (const proposal of proposals) {
    await writeProposal(root, proposal).catch((cause: Error & { code?: string }) => {
      const why = cause.code === undefined ? cause.message : fileFault(cause);
      throw new UnavailableError(`cannot write ${proposal.file}: ${why}`, { cause });
    });
  }
}

/** As diff has it for a file that is not there. */
function newFile(file: string, text: string): string {
  const lines = text.trimEnd().split('\n');
  const body = lines.map((line) => `+${line}\n`).join('');
  return `--- /dev/null\n+++ b/${file}\n@@ -0,0 +1,${lines.length} @@\n${body}`;
}

function documentOf(
  folder: string,
  found: Inspection,
  proposals: readonly Proposal[],
  notes: readonly string[],
  written: boolean,
): SetupDocument {
  const files = proposals.map(({ file, purpose, before, after }) => {
    const change =
      before === null ? ('create' as const) : before === after ? ('none' as const) : ('update' as const);
    return {
      file,
      purpose,
      change,
      diff: before === null ? newFile(file, after) : diff(file, before, after),
      written: written && change !== 'none',
    };
  });
  return { schema: 1, kind: 'init', folder, found, files, next: nextCommands(found), notes };
}
