import type { Inspection, ProposedFile, SetupDocument } from '../../setup/types.js';
import { palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { harmless, printable } from '../text.js';

/** The findings, and each file as it would be. */
export function renderText({ found, files, notes, next }: SetupDocument, options: RenderOptions): string {
  const paint = palette(options);
  const facts = factsOf(found).map(([name, value]) => `  ${paint.faint(name.padEnd(17))}${printable(value)}`);
  return [
    paint.strong('Found'),
    ...facts,
    ...files.flatMap((file) => ['', paint.strong(headOf(file)), ...bodyOf(file, paint)]),
    ...(notes.length === 0 ? [] : ['', ...notes.map(printable)]),
    '',
    paint.strong('Next'),
    ...next.map((command) => `  ${command}`),
    '',
  ].join('\n');
}

/** A baseline can have thousands of lines, which are all alike. */
const MOST_LINES = 40;

type Paint = ReturnType<typeof palette>;

function headOf({ file, change, purpose }: ProposedFile): string {
  const what = { config: 'the config', baseline: 'the leaks that are known', ci: 'the CI step' }[purpose];
  const verb = { create: 'new', update: 'changed', none: 'up to date' }[change];
  return `${printable(file)} (${what}, ${verb})`;
}

function bodyOf({ diff, purpose }: ProposedFile, paint: Paint): string[] {
  if (diff === '') return [];
  const all = harmless(diff).trimEnd().split('\n');
  const lines = purpose === 'baseline' ? all.slice(0, MOST_LINES) : all;
  const more = all.length - lines.length;
  return [
    ...lines.map((line) => paintedLine(line, paint)),
    ...(more > 0 ? [paint.faint(`... ${more} more lines; --format json shows all`)] : []),
  ];
}

function paintedLine(line: string, paint: Paint): string {
  if (/^(?:---|\+\+\+|@@)/.test(line)) return paint.faint(line);
  if (line.startsWith('+')) return paint.good(line);
  return line.startsWith('-') ? paint.bad(line) : line;
}

function factsOf(found: Inspection): (readonly [string, string])[] {
  const { packageManager, packageManagerFrom, workspaces, libraries, poolSizes, pgbouncer } = found;
  const rows: (readonly [string, string])[] = [
    [
      'package manager',
      packageManagerFrom === null
        ? `${packageManager}, by default`
        : `${packageManager}, by ${packageManagerFrom}`,
    ],
    ['packages', workspaces.length === 0 ? '' : `${workspaces.length} in a monorepo`],
    ['libraries', libraries.map(({ name }) => name).join(', ')],
    ['pool sizes', poolSizes.map(({ size, file, line }) => `${size} (${file}:${line})`).join(', ')],
    [
      'PgBouncer',
      pgbouncer
        .map(({ file, poolMode }) => `${file}${poolMode === null ? '' : `, pool_mode ${poolMode}`}`)
        .join(', '),
    ],
    ['services', found.services.map(({ service, kind, file }) => `${service}: ${kind} (${file})`).join(', ')],
    ['environment', found.variables.map(({ file, names }) => `${file}: ${names.join(', ')}`).join('; ')],
    ['CI', found.ci.map(({ file }) => file).join(', ')],
    ['config', found.configs.join(', ')],
  ];
  return rows.filter(([, value]) => value !== '');
}
