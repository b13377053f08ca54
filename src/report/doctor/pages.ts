import type { Check } from '../../doctor/types.js';
import { palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { tableLines } from '../table.js';
import { wrap } from '../text.js';

/** `--list`: all checks, and what each needs. */
export function checkList(checks: readonly Check[], options: RenderOptions): string {
  const paint = palette(options);
  const lines = tableLines(
    checks,
    [
      { title: 'check', cell: ({ id }) => id },
      { title: 'needs', cell: ({ needs }) => needs.join(', ') },
      { title: 'passes when', cell: ({ title }) => title },
    ],
    { title: paint.faint },
  );
  return `${lines.join('\n')}\n`;
}

/** `--explain`: one of them. */
export function checkPage(
  { id, title, why, details, needs, uses = [] }: Check,
  options: RenderOptions,
): string {
  const width = Math.max(40, Math.min(options.width, 100));
  const paragraph = (text: string): string => wrap(text, width).join('\n');
  const also = uses.length === 0 ? '' : `; says more with ${uses.join(', ')}`;
  return `${[
    paragraph(`${id}: ${title}`),
    paragraph(why),
    paragraph(details),
    `Needs ${needs.join(', ')}${also}.`,
  ].join('\n\n')}\n`;
}
