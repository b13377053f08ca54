import type { AuditResult, Finding, TrailStep } from '../../audit/types.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { tableLines } from '../table.js';
import { printable, truncate, wrap } from '../text.js';
import { confidenceWords, countBy, hiddenWords, placeWords, summaryWords } from './words.js';

/** For people: each finding with the lines that it is about, then sums by resource and by file. */
export function renderText(result: AuditResult, options: RenderOptions): string {
  const paint = palette(options);
  const lines = result.findings.flatMap((finding) => [...findingLines(finding, paint, options), '']);
  const hidden = hiddenWords(result);
  const last = hidden === '' ? [] : [paint.faint(hidden)];
  return `${[...lines, ...sums(result, paint), ...last].join('\n')}\n`;
}

function findingLines(finding: Finding, paint: Palette, options: RenderOptions): string[] {
  const { severity, file, line, column, message, resource } = finding;
  const label =
    severity === 'error' ? paint.bad(finding.rule === 'leak' ? 'leak' : 'misuse') : paint.warn('note');
  const about = [resource, finding.kind, confidenceWords(finding), placeWords(finding)]
    .filter((text) => text !== '')
    .join(', ');
  return [
    `${paint.name(`${printable(file)}:${line}:${column}`)}  ${label}`,
    ...wrap(printable(message), Math.max(20, options.width - 2)).map((text) => `  ${paint.strong(text)}`),
    ...frame(finding, paint, options),
    `  ${paint.faint(about)}`,
  ];
}

/** The lines of the trail, with what happens there; a step in another file has its name. */
function frame({ trail, file }: Finding, paint: Palette, options: RenderOptions): string[] {
  const indent = Math.min(...trail.map(({ source }) => source.length - source.trimStart().length));
  const places = trail.map((step) =>
    step.file === file ? String(step.line) : `${printable(step.file)}:${step.line}`,
  );
  const gutter = Math.max(...places.filter((_, at) => trail[at]?.file === file).map((text) => text.length));
  const bar = options.unicode ? '│' : '|';
  return trail.flatMap((step, at) => {
    const place = places[at] ?? '';
    const head = step.file === file ? place.padStart(gutter + 2) : `${' '.repeat(gutter + 2)}`;
    const width = Math.max(20, options.width - gutter - 5);
    const code = truncate(printable(step.source.slice(indent)), width, options);
    const said = `${caret(step, options)} ${step.message}`;
    const where = step.file === file ? [] : [`  ${paint.faint(place)}`];
    return [
      ...where,
      `${paint.faint(`${head} ${bar}`)} ${code}`,
      `${paint.faint(`${' '.repeat(gutter + 2)} ${bar}`)} ${paint.warn(said)}`,
    ];
  });
}

function caret({ role }: TrailStep, { unicode }: RenderOptions): string {
  if (!unicode) return role === 'acquire' ? '^' : '->';
  return role === 'acquire' ? '╰' : '╰→';
}

function sums(result: AuditResult, paint: Palette): string[] {
  const { findings } = result;
  const hasLeak = findings.some(({ severity }) => severity === 'error');
  const words = summaryWords(result);
  const total = hasLeak ? paint.bad(words) : paint.good(words);
  if (findings.length < 2) return [total];
  const table = (title: string, counts: readonly (readonly [string, number])[]) =>
    tableLines(counts, [
      { title, cell: ([word]) => printable(word) },
      { title: 'findings', align: 'right', cell: ([, count]) => String(count) },
    ]);
  return [
    ...table(
      'resource',
      countBy(findings, ({ resource }) => resource),
    ),
    '',
    ...table('file', countBy(findings, ({ file }) => file).slice(0, 10)),
    '',
    total,
  ];
}
