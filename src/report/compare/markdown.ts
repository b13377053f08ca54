import { formatFigure } from '../../base/figure.js';
import type { Comparison } from '../../loadtest/compare.js';
import { markdownTable, markdownText } from '../markdown.js';
import { changeWords, intervalWords, reasonOf, SHIFT_WORDS } from './words.js';

/** The comparison as a comment for a pull request. */
export function renderMarkdown(comparison: Comparison): string {
  const { metrics, differences, regressions } = comparison;
  const rows = metrics.map((metric) => [
    metric.title,
    formatFigure(metric.before, metric.unit),
    formatFigure(metric.after, metric.unit),
    changeWords(metric),
    intervalWords(metric),
    metric.shift === null
      ? `not judged: ${metric.why ?? ''}`
      : metric.regressed
        ? `**${SHIFT_WORDS[metric.shift]}**`
        : SHIFT_WORDS[metric.shift],
  ]);
  const sections = [
    `**Load test compared: ${regressions.length > 0 ? 'worse' : 'passed'}.** ${markdownText(reasonOf(comparison))}.`,
    ...(differences.length === 0
      ? []
      : [
          markdownTable(
            ['not the same in both', 'before', 'after'],
            differences.map(({ what, before, after }) => [what, markdownText(before), markdownText(after)]),
          ),
        ]),
    markdownTable(['', 'before', 'after', 'change', 'range (95 %)', ''], rows, [1, 2, 3, 4]),
  ];
  return `${sections.join('\n\n')}\n`;
}
