import type { Entry } from '../../explain/entries.js';
import { type Palette, palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { wrap } from '../text.js';

/** Entries of the reference for a terminal: paragraphs folded to the width, code indented, links as their words. */
export function renderText(entries: readonly Entry[], options: RenderOptions): string {
  const paint = palette(options);
  return entries
    .map(({ id, kind, body }) => {
      const blocks = blocksOf(body).map((block) => blockText(block, options.width, paint));
      return [`${paint.strong(id)} ${paint.faint(`(${kind})`)}`, ...blocks].join('\n\n');
    })
    .join('\n\n')
    .concat('\n');
}

/** Parts of a page between blank lines; a fence of code is one part. */
function blocksOf(body: string): string[] {
  const blocks = body.match(/^```[\s\S]*?^```$|(?:^(?!```).*\S.*$\n?)+/gm) ?? [];
  return blocks.map((block) => block.trimEnd());
}

function blockText(block: string, width: number, paint: Palette): string {
  if (block.startsWith('```')) return indented(block.split('\n').slice(1, -1));
  if (block.startsWith('#')) return paint.strong(block.replace(/^#+ /, ''));
  if (block.startsWith('> ')) return indented(wrap(words(block.replaceAll(/^> /gm, '')), width - 2));
  if (block.startsWith('- ')) {
    return block
      .split(/\n(?=- )/)
      .map((item) => `- ${wrap(words(item.slice(2)), width - 2).join('\n  ')}`)
      .join('\n');
  }
  return wrap(words(block), width).join('\n');
}

/** Prose without the marks of Markdown. */
function words(markdown: string): string {
  return markdown
    .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .replaceAll(/`([^`]+)`/g, '$1')
    .replaceAll(/\\([<>*|])/g, '$1');
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n');
}
