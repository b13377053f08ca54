import type { PoolSizing, SizeResult, SizeRow } from '../../sizing/types.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { type Column, tableLines } from '../table.js';
import { printable, wrap } from '../text.js';
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

const WIDEST = 110;
const MOST_ROWS = 20;

/** The recommendation for people: the size first, then the table that it rests on. */
export function renderText(result: SizeResult, options: RenderOptions): string {
  const paint = palette(options);
  const width = Math.min(options.width, WIDEST);
  const sections = [
    ...result.pools.flatMap((pool) => poolSections(pool, options, paint, width)),
    ...(result.fleet === null
      ? []
      : [[paint.strong('cost'), ...fleetWords(result.fleet).map((line) => `  ${line}`)]]),
    ...notes(result, paint, width),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function poolSections(pool: PoolSizing, options: RenderOptions, paint: Palette, width: number): string[][] {
  const { size } = pool.recommendation;
  const color = size === null ? paint.bad : paint.good;
  return [
    [
      `${paint.faint('pool      ')}${printable(pool.name)} (${printable(pool.driver)}), size ${pool.recordedSize ?? 'unlimited'}`,
      ...labeled('recorded', recordedWords(pool), paint, width),
      ...labeled('slowdown', slowdownWords(pool), paint, width),
    ],
    [
      ...wrap(`SIZE: ${headlineOf(pool)}.`, width).map((line, at) =>
        at === 0 ? line.replace(/^SIZE:/, (word) => paint.strong(color(word))) : line,
      ),
      ...adviceOf(pool, options.cwd).flatMap((text) => hanging(text, '  ', width)),
    ],
    tableLines(
      shownRows(pool, MOST_ROWS),
      [
        ...columnsOf(pool).map(({ title, cell }): Column<SizeRow> => ({ title, align: 'right', cell })),
        { title: '', cell: (row) => markOf(pool, row) },
      ],
      { title: paint.faint },
    ),
    pool.assumptions.flatMap((text, at) =>
      wrap(`${at === 0 ? 'Assumptions: ' : ''}${text}`, width).map((line) => paint.faint(line)),
    ),
  ];
}

function labeled(label: string, text: string, paint: Palette, width: number): string[] {
  return wrap(text, width - 10).map(
    (line, at) => `${paint.faint((at === 0 ? label : '').padEnd(10))}${line}`,
  );
}

function hanging(text: string, indent: string, width: number): string[] {
  return wrap(printable(text), width - indent.length).map((line) => indent + line);
}

function notes({ recordings }: SizeResult, paint: Palette, width: number): string[][] {
  const lines = recordings.flatMap(({ file, end, lostBytes }) => {
    if (end === 'limit') return [`${file} ended at its size limit: later leases are not in it.`];
    if (end !== null && lostBytes === 0) return [];
    const lost = lostBytes === 0 ? '' : ` ${lostBytes} bytes could not be read.`;
    return end === null
      ? [`${file}: the process was killed, its last half second is missing.${lost}`]
      : [`${file}:${lost}`];
  });
  return lines.length === 0
    ? []
    : [lines.flatMap((line) => wrap(printable(line), width).map((one) => paint.warn(one)))];
}
