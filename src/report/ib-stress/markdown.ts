import { formatMs } from '../../base/units.js';
import type { IbStressResult } from '../../lab/ib-stress/types.js';
import { markdownTable, markdownText } from '../markdown.js';
import {
  baselineText,
  clockText,
  faultsOf,
  headline,
  heldOf,
  isAsWanted,
  repeatsText,
  runLabel,
  verdictText,
  verdictWord,
} from './words.js';

/** For comments on a change: the verdict, what did not hold, and a table of the runs. */
export function renderMarkdown(result: IbStressResult): string {
  const { runs, negativeControls, baseline } = result;
  const repeats = repeatsText(result);
  const sections = [
    `## Broker connections: ${verdictWord(result)}`,
    `${markdownText(headline(result))}: ${markdownText(verdictText(result))}.`,
    runs
      .filter((run) => !isAsWanted(run, negativeControls))
      .flatMap((run) => {
        const faults = negativeControls ? ['a broken pool was not found out'] : faultsOf(run);
        return faults.map((fault) => `- **${markdownText(runLabel(run))}**: ${markdownText(fault)}`);
      })
      .join('\n'),
    markdownTable(
      ['run', 'result', 'clock', 'took', 'checks', 'counts', 'connect p99', 'detect', 'recover', 'peak 1 s'],
      runs.map((run) => [
        markdownText(runLabel(run)),
        run.outcome,
        clockText(run),
        formatMs(run.tookMs),
        heldOf(run.checks),
        heldOf(run.comparisons),
        formatMs(run.figures?.connect.ready?.p99 ?? null),
        formatMs(run.figures?.detectMs ?? null),
        formatMs(run.figures?.recoverMs ?? null),
        String(run.figures?.pacing.peakSecond ?? '-'),
      ]),
      [3, 4, 5, 6, 7, 8, 9],
    ),
    repeats === null ? '' : `${markdownText(repeats)}.`,
    baseline === null ? '' : `${markdownText(baselineText(baseline))}.`,
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}
