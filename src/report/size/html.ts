import { formatMs, formatShare } from '../../base/units.js';
import type { PoolSizing, SizeResult, SizeRow } from '../../sizing/types.js';
import { STYLE } from '../loadtest/style.js';
import type { RenderOptions } from '../render-options.js';
import { escapeXml, lineChart, type Series } from '../svg.js';
import {
  adviceOf,
  columnsOf,
  fleetWords,
  headlineOf,
  markOf,
  recordedWords,
  slowdownWords,
} from './words.js';

/** One file with everything in it: it loads nothing and runs nothing. */
export function renderHtml(result: SizeResult, { cwd }: RenderOptions): string {
  const [first] = result.pools;
  const isGood = result.pools.every(({ recommendation }) => recommendation.size !== null);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pool size: ${escapeXml(String(first?.recommendation.size ?? 'none'))}</title>
<style>${STYLE}</style>
</head>
<body>
<header class="${isGood ? 'good' : 'bad'}">
${result.pools.map((pool) => `<h1>${escapeXml(pool.name)}: ${pool.recommendation.size ?? 'no size'}</h1>\n<p>${escapeXml(headlineOf(pool))}.</p>`).join('\n')}
</header>
<main>
${result.pools.map((pool) => poolSection(pool, cwd)).join('\n')}
${result.fleet === null ? '' : `<section><h2>Cost</h2>\n${listOf(fleetWords(result.fleet))}\n</section>`}
</main>
<footer>${escapeXml(result.recordings.map(({ file, startedAt }) => [file, startedAt].filter(Boolean).join(', ')).join('; '))}</footer>
</body>
</html>
`;
}

function poolSection(pool: PoolSizing, cwd: string): string {
  return `<section><h2>${escapeXml(pool.name)}</h2>
${listOf([recordedWords(pool), `slowdown: ${slowdownWords(pool)}`, ...adviceOf(pool, cwd)])}
${waitChart(pool)}
${utilizationChart(pool)}
${table(pool)}
<h2>Assumptions</h2>
${listOf(pool.assumptions)}
</section>`;
}

function listOf(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${escapeXml(line)}</li>`).join('')}</ul>`;
}

/** Waits far beyond the target would flatten all that matters: they are cut off at some multiple of it. */
const HIGHEST_TARGETS = 8;

function waitChart({ rows, recommendation }: PoolSizing): string {
  const most = recommendation.targetMs * HIGHEST_TARGETS;
  const line = (name: string, style: string, value: (row: SizeRow) => number | null): Series => ({
    name,
    style,
    points: rows.map((row) => {
      const ms = value(row);
      return [row.size, ms === null || ms > most ? null : ms];
    }),
  });
  const series = [
    line('p99', 'one', ({ waits }) => waits.p99Ms),
    line('p99, upper end of the range', 'three', ({ intervals }) => intervals.p99Ms[1]),
    line('p95', 'two', ({ waits }) => waits.p95Ms),
    line('Erlang C, p99', 'bad', ({ erlangP99Ms }) => erlangP99Ms),
  ];
  return figure('Wait by pool size', series, formatMs);
}

function utilizationChart({ rows }: PoolSizing): string {
  const series: Series[] = [
    { name: 'in use', style: 'one', points: rows.map(({ size, utilization }) => [size, utilization]) },
    { name: 'gave up', style: 'bad', points: rows.map(({ size, timeoutShare }) => [size, timeoutShare]) },
  ];
  return figure('Connections in use, and acquires that gave up', series, (share) => formatShare(share, 0));
}

function figure(title: string, series: readonly Series[], y: (value: number) => string): string {
  const svg = lineChart(series, { title, x: (size) => String(Math.round(size)), y });
  if (svg === '') return '';
  const keys = series
    .map(({ name, style }) => `<span class="key ${style}">${escapeXml(name)}</span>`)
    .join('');
  return `<figure><figcaption>${escapeXml(title)}${keys}</figcaption>${svg}</figure>`;
}

function table(pool: PoolSizing): string {
  const columns = columnsOf(pool);
  const head = [...columns.map(({ title }) => title), '']
    .map((title) => `<th>${escapeXml(title)}</th>`)
    .join('');
  const body = pool.rows.map((row) => {
    const cells = [...columns.map(({ cell }) => cell(row)), markOf(pool, row)];
    return `<tr>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`;
  });
  return `<div class="scroll"><table class="figures"><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}
