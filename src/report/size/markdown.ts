import type { PoolSizing, SizeResult } from '../../sizing/types.js';
import { markdownTable, markdownText } from '../markdown.js';
import type { RenderOptions } from '../render-options.js';
import {
  adviceOf,
  columnsOf,
  fleetWords,
  headlineOf,
  markOf,
  recordedWords,
  shownRows,
  slowdownWords,
} from './words.js';

const MOST_ROWS = 12;

/** The recommendation as a comment for a pull request. */
export function renderMarkdown(result: SizeResult, { cwd }: RenderOptions): string {
  const sections = [
    ...result.pools.flatMap((pool) => poolSections(pool, cwd)),
    ...(result.fleet === null
      ? []
      : [
          fleetWords(result.fleet)
            .map((line) => `- ${markdownText(line)}`)
            .join('\n'),
        ]),
  ];
  return `${sections.join('\n\n')}\n`;
}

function poolSections(pool: PoolSizing, cwd: string): string[] {
  const columns = columnsOf(pool);
  return [
    `**Pool size of ${markdownText(pool.name)}: ${pool.recommendation.size ?? 'none'}.** ${markdownText(headlineOf(pool))}.`,
    [recordedWords(pool), `slowdown: ${slowdownWords(pool)}`, ...adviceOf(pool, cwd), ...pool.assumptions]
      .map((line) => `- ${markdownText(line)}`)
      .join('\n'),
    markdownTable(
      [...columns.map(({ title }) => title), ''],
      shownRows(pool, MOST_ROWS).map((row) => [
        ...columns.map(({ cell }) => markdownText(cell(row))),
        row.size === pool.recommendation.size
          ? `**${markdownText(markOf(pool, row))}**`
          : markdownText(markOf(pool, row)),
      ]),
      columns.map((_, at) => at),
    ),
  ];
}
