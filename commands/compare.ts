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
    summary: 'allowed regression of a figure',
    type: share({ most: 10 }),
    default: DEFAULT_TOLERANCE,
    group: 'Verdict',
  }),
  allowDifferentWork: flag({
    summary: 'compare runs of different work, such as a rewritten query',
    group: 'Verdict',
  }),
  format: formatOption(formatsOf('compare')),
};

const resultArgument = (which: string) =>
  requiredArgument({ summary: `${which}, from loadtest --format json`, type: path('FILE') });

export const command = defineCommand({
  name: 'compare',
  summary: 'compare two load test results',
  description:
    'Compares two results of poolctl loadtest. For each figure it shows the change, its confidence interval, and\n' +
    'whether the difference is real. Exits with 1 if a figure became worse by more than the tolerance.',
  arguments: {
    before: resultArgument('result before the change'),
    after: resultArgument('result after the change'),
  },
  options,
  examples: [
    { command: 'poolctl compare before.json after.json', meaning: 'the effect of a change' },
    {
      command: 'poolctl compare main.json branch.json --tolerance 25% --format markdown',
      meaning: 'a pull request comment, from a noisy machine',
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
