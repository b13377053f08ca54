import type { SweepResult } from '../../loadtest/sweep.js';
import { markdownTable, markdownText } from '../markdown.js';
import { columnsOf, isKnee } from './columns.js';

/** The sweep as a comment for a pull request. */
export function renderMarkdown(result: SweepResult): string {
  const { rows, regime, sentence, partial } = result;
  const columns = columnsOf(result);
  const table = markdownTable(
    [...columns.map(({ title }) => title), ''],
    rows.map((row) => [
      ...columns.map(({ cell }) => markdownText(cell(row))),
      isKnee(result, row) ? '**the knee**' : '',
    ]),
    columns.map((_, at) => at),
  );
  const remark = partial ? '\n\nInterrupted before its end.' : '';
  return `**Pool size: ${regime ?? 'unknown'}-bound.** ${markdownText(sentence)}\n\n${table}${remark}\n`;
}
