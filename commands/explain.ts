import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineCommand, restArguments } from '../src/cli/command.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag } from '../src/cli/options.js';
import { text } from '../src/cli/value-types.js';
import { type Entry, entriesOf, findEntries } from '../src/explain/entries.js';
import { renderText } from '../src/report/explain/text.js';

export const command = defineCommand({
  name: 'explain',
  summary: 'explain an error, check, cause or leak rule',
  description:
    'Prints the reference entry of an ID. An ID is an error code (ERR_POOL_TIMEOUT), a check of the doctor\n' +
    '(fleet-sum), a cause that poolctl top names (lock-chain-row), or a rule or resource of the leak audit (pg-pool).',
  arguments: {
    id: restArguments({ summary: 'what to explain, as poolctl prints it', type: text('ID') }),
  },
  options: {
    list: flag({ summary: 'list everything that can be explained, and exit' }),
  },
  rules: [
    {
      of: ['list'],
      check: ({ options, arguments: { id } }) =>
        id.length === 0 && !options.list ? "an ID is missing; 'poolctl explain --list' prints all" : null,
    },
  ],
  examples: [
    { command: 'poolctl explain ERR_POOL_TIMEOUT', meaning: 'An error code' },
    { command: 'poolctl explain fleet-sum', meaning: 'A check of the doctor' },
    { command: 'poolctl explain not-released-on-throw', meaning: 'A rule of the leak audit' },
  ],
  async run({ options, arguments: { id }, write, render }) {
    const entries = await readEntries();
    if (options.list) {
      await write(`${entries.map((entry) => `${entry.kind.padEnd(9)}  ${entry.id}`).join('\n')}\n`);
      return ExitCode.Ok;
    }
    const name = id.join(' ');
    const { found, suggestion } = findEntries(entries, name);
    if (found.length === 0) {
      const hint =
        suggestion === null ? "'poolctl explain --list' prints all" : `did you mean ${suggestion}?`;
      throw new UsageError([{ message: `nothing is called '${name}'`, hint }]);
    }
    await write(renderText(found, render));
    return ExitCode.Ok;
  },
});

/** Reads the pages of the reference, which are part of the package. */
async function readEntries(): Promise<readonly Entry[]> {
  const docs = docsFolder();
  const page = async (kind: Entry['kind'], level: 1 | 2 | 3, ...path: string[]) =>
    entriesOf({ kind, level, text: await readFile(join(docs, ...path), 'utf8') });
  const rules = (await readdir(join(docs, 'rules'))).filter((name) => name.endsWith('.md')).sort();
  const pages = await Promise.all([
    page('error', 3, 'reference', 'errors.md'),
    page('check', 2, 'reference', 'checks.md'),
    page('cause', 2, 'reference', 'causes.md'),
    ...rules.map((name) => page('leak rule', 1, 'rules', name)),
  ]);
  return pages.flat();
}

/** The folder docs of the package: a build lies deeper below it than the source does. */
function docsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'docs/reference/errors.md')) && dirname(folder) !== folder)
    folder = dirname(folder);
  return join(folder, 'docs');
}
