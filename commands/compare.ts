import { defineCommand, requiredArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, value } from '../src/cli/options.js';
import { path, share } from '../src/cli/value-types.js';
import { compareRuns, DEFAULT_TOLERANCE, refuseIncomparable } from '../src/loadtest/compare.js';
import { readResult } from '../src/loadtest/result-file.js';
import { formatsOf, renderReport } from '../src/report/registry.js';

const options = {
  tolerance: value({
    summary: 'how much worse a figure may be; on a shared machine two runs differ by 15 % without any cause',
    type: share({ most: 10 }),
    default: DEFAULT_TOLERANCE,
    group: 'Verdict',
  }),
  allowDifferentWork: flag({
    summary: 'compare runs that did different work, such as a rewritten query',
    group: 'Verdict',
  }),
  format: formatOption(formatsOf('compare')),
};

const resultArgument = (which: string) =>
  requiredArgument({ summary: `${which}, written by loadtest --format json`, type: path('FILE') });

export const command = defineCommand({
  name: 'compare',
  summary: 'compare two load tests, figure by figure',
  description:
    'Compares two results of loadtest: for each figure the change, the range in which it lies by the spread within\n' +
    'the runs, and whether that shows a difference at all. Exits 1 if something has become worse by more than the\n' +
    'tolerance.',
  arguments: { before: resultArgument('the result before'), after: resultArgument('the result after') },
  options,
  examples: [
    { command: 'poolctl compare before.json after.json', meaning: 'what has the change done?' },
    {
      command: 'poolctl compare main.json branch.json --tolerance 25% --format markdown',
      meaning: 'a comment for a pull request, on a noisy machine',
    },
  ],
  async run(context) {
    const { options, io } = context;
    const [before, after] = await Promise.all([
      readResult(context.arguments.before, io.cwd),
      readResult(context.arguments.after, io.cwd),
    ]);
    refuseIncomparable(before, after, options);
    const comparison = compareRuns(before, after, { tolerance: options.tolerance });
    await context.write(await renderReport('compare', options.format, comparison, context.render));
    return comparison.regressions.length > 0 ? ExitCode.Failed : ExitCode.Ok;
  },
});
