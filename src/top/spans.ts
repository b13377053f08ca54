import { type Palette, palette } from '../report/color.js';
import { widthOf } from '../report/text.js';
import { cellText } from './words.js';

/** A color by its meaning. */
export type Tone = 'good' | 'warn' | 'bad' | 'faint' | 'strong' | 'name';

/** A piece of a line in one style. */
export interface Span {
  readonly text: string;
  readonly tone?: Tone | null;
  readonly inverse?: boolean;
}

export type Line = readonly Span[];

/**
 * The line, safe for a terminal and at most `width` columns wide. Every line of the screen passes through here last, so
 * no control character from outside gets further.
 */
export function fitLine(line: Line, width: number, place: { readonly unicode: boolean }): Line {
  const kept: Span[] = [];
  let room = width;
  for (const span of line) {
    const text = cellText(span.text, room, place);
    kept.push(text === span.text ? span : { ...span, text });
    room -= isAscii(text) ? text.length : widthOf(text);
  }
  return kept;
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}

export function isSameLine(one: Line, other: Line): boolean {
  return (
    one.length === other.length &&
    one.every((span, at) => {
      const { text, tone, inverse } = other[at] ?? { text: null };
      return span.text === text && span.tone === tone && span.inverse === inverse;
    })
  );
}

export interface Colors extends Palette {
  inverse(text: string): string;
}

export function colorsOf(options: { readonly color: boolean }): Colors {
  const inverse = (text: string) => (options.color ? `\x1b[7m${text}\x1b[27m` : text);
  return { ...palette(options), inverse };
}

/** The line with its styles as escape sequences. */
export function paintLine(line: Line, colors: Colors): string {
  return line
    .map(({ text, tone, inverse }) => {
      const toned = tone == null || text === '' ? text : colors[tone](text);
      return inverse === true ? colors.inverse(toned) : toned;
    })
    .join('');
}
