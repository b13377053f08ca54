import { shortSite } from '../diagnosis/words.js';
import { harmless, truncate, widthOf } from '../report/text.js';

/** A site in a cell: where it is too long, its end is what counts. */
export function siteText(
  site: string | null,
  width: number,
  { cwd, unicode }: { readonly cwd: string; readonly unicode: boolean },
): string {
  return endOf(shortSite(site, cwd), width, unicode);
}

/** The name of a pool in a cell. That of a place (`10.0.0.7:5432/shop`) has at its end what others do not have. */
export function poolText(name: string, width: number, { unicode }: { readonly unicode: boolean }): string {
  return name.includes('/') ? endOf(name, width, unicode) : name;
}

function endOf(text: string, width: number, unicode: boolean): string {
  if (text.length <= width) return text;
  const mark = unicode ? '…' : '..';
  return mark + text.slice(text.length - Math.max(0, width - mark.length));
}

/** The time of day, of this machine's zone. */
export function timeOfDay(atMs: number): string {
  const date = new Date(atMs);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** No cell is longer, so what is far longer is cut before it is looked at. */
const LONGEST = 1000;

/** Text from outside as what one cell of a terminal can show, and nothing that it would obey. */
export function cellText(text: string, width: number, place: { readonly unicode: boolean }): string {
  if (/^[ -~]*$/.test(text) && text.length <= width) return text;
  const clean = oneLine(text.slice(0, LONGEST));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: every character outside of ASCII is meant
  const shown = place.unicode ? clean : clean.replace(/[^\x00-\x7f]/gu, '?');
  return widthOf(shown) <= width ? shown : truncate(shown, width, place);
}

/** Text from outside as one line that does nothing to a terminal. */
export function oneLine(text: string): string {
  // White space is kept, but for what would begin another line: SQL is often written in several.
  return harmless(text.replace(/[\t\n\v\f\r\u0085\u2028\u2029]\s*/g, ' '));
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
