import { defineCommand, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list } from '../src/cli/options.js';
import { path, type ValueType } from '../src/cli/value-types.js';
import { mergeSegments } from '../src/loadtest/merge.js';
import { readResult } from '../src/loadtest/result-file.js';
import { parseThreshold, type Threshold } from '../src/loadtest/thresholds.js';
import { hasPassed } from '../src/loadtest/verdict.js';
import { formatsOf, renderReport } from '../src/report/registry.js';

const thresholdType: ValueType<Threshold> = {
  placeholder: 'EXPRESSION',
  parse: parseThreshold,
  show: ({ expression }) => expression,
};

const options = {
  threshold: list({
    summary: "fail unless it holds for the whole: 'p99<250ms'",
    type: thresholdType,
    group: 'Verdict',
  }),
  strict: flag({ summary: 'fail on a marginal verdict too', group: 'Verdict' }),
  format: formatOption(formatsOf('loadtest')),
};

export const command = defineCommand({
  name: 'merge',
  summary: 'merge the segments of a load test into one result',
  description:
    "Merges results of 'poolctl loadtest --segment I/N' into the result of the whole load. Counts and histograms are\n" +
    'added, so every percentile is that of the whole. The verdict and all thresholds are judged anew, and each segment\n' +
    'is listed beside the others. poolctl refuses results that do not belong together. A missing segment is reported,\n' +
    'and the verdict is then BAD.',
  arguments: {
    files: restArguments({
      summary: 'results of the segments, from loadtest --format json',
      type: path('FILE'),
    }),
  },
  options,
  examples: [
    { command: 'poolctl merge segment-*.json', meaning: 'the verdict on the whole load' },
    {
      command: "poolctl merge segment-*.json --threshold 'p99<50ms' --format html -o report.html",
      meaning: 'a gate and a page',
    },
  ],
  async run(context) {
    const { options, io } = context;
    const { files } = context.arguments;
    if (files.length === 0) {
      throw new UsageError([
        { message: 'name the results of the segments', hint: 'for example: poolctl merge segment-*.json' },
      ]);
    }
    const results = await Promise.all(
      files.map(async (name) => ({ name, result: await readResult(name, io.cwd) })),
    );
    const whole = mergeSegments(results, { thresholds: options.threshold });
    await context.write(await renderReport('loadtest', options.format, whole, context.render));
    return hasPassed(whole, options) ? ExitCode.Ok : ExitCode.Failed;
  },
});
