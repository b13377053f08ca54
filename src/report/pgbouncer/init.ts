import type { InitPlan, PlannedLine } from '../../pgbouncer/init.js';
import type { TargetVersion } from '../../pgbouncer/versions.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { printable, widthOf, wrap } from '../text.js';

/** The written files, without any secret. */
export interface InitResult {
  readonly schema: 1;
  readonly target: TargetVersion;
  /** How the target was come by. */
  readonly targetBy: string;
  readonly files: readonly string[];
  /** The next commands for a shell, in this order. */
  readonly next: readonly string[];
  readonly lines: readonly PlannedLine[];
  readonly adapted: readonly string[];
  readonly notes: readonly string[];
  /** A compose file; null where none was asked for. */
  readonly compose: string | null;
}

export function initResult(
  { lines, adapted, notes }: InitPlan,
  rest: Pick<InitResult, 'target' | 'targetBy' | 'files' | 'next' | 'compose'>,
): InitResult {
  return { schema: 1, ...rest, lines, adapted, notes };
}

const WIDEST = 100;

/** Each line with its reason; or, where that was asked for, the compose file alone, to be put into one. */
export function renderText(result: InitResult, options: RenderOptions): string {
  if (result.compose !== null) return result.compose;
  const paint = palette(options);
  const width = Math.min(options.width, WIDEST);
  const { target, targetBy, files, next, lines, adapted, notes } = result;
  const out = [
    `${paint.faint('for'.padEnd(10))}PgBouncer ${target} (${printable(targetBy)})`,
    ...files.map((file, at) => `${paint.faint((at === 0 ? 'wrote' : '').padEnd(10))}${printable(file)}`),
    ...next.map((command, at) => `${paint.faint((at === 0 ? 'next' : '').padEnd(10))}${printable(command)}`),
  ];
  for (const section of ['databases', 'pgbouncer'] as const) {
    out.push('', paint.strong(`[${section}]`));
    out.push(
      ...lines.filter((line) => line.section === section).flatMap((line) => lineText(line, width, paint)),
    );
  }
  for (const [title, texts] of [
    ['for this version', adapted],
    ['to know', notes],
  ] as const) {
    if (texts.length === 0) continue;
    out.push('', paint.strong(title));
    for (const text of texts)
      out.push(...wrap(printable(text), width - 4).map((line, at) => `${at === 0 ? '  ' : '    '}${line}`));
  }
  return `${out.join('\n')}\n`;
}

/** The reason beside the line where there is room for it, else below. */
function lineText({ key, value, why }: PlannedLine, width: number, paint: Palette): string[] {
  const shown = printable(`${key} = ${value}`.trimEnd());
  const reason = printable(why);
  if (widthOf(shown) + widthOf(reason) + 4 <= width)
    return [`  ${paint.name(shown)}  ${paint.faint(reason)}`];
  return [`  ${paint.name(shown)}`, ...wrap(reason, width - 6).map((line) => `      ${paint.faint(line)}`)];
}
