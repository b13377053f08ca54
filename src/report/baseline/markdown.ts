import type { BaselineResult } from '../../loadtest/baseline.js';
import { markdownTable, markdownText } from '../markdown.js';
import { COLUMNS, rowsOf, sentenceOf } from './words.js';

/** The same as a comment for a pull request. */
export function renderMarkdown(result: BaselineResult): string {
  const table = markdownTable(
    COLUMNS.map(({ title }) => title),
    rowsOf(result).map((row) => COLUMNS.map(({ cell }) => markdownText(cell(row)))),
    COLUMNS.map((_, at) => at).slice(1),
  );
  const remark = result.partial ? '\n\nInterrupted before its end.' : '';
  return `**${markdownText(sentenceOf(result))}**\n\n${table}${remark}\n`;
}
