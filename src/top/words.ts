import { harmless, truncate, widthOf } from '../report/text.js';

/** A time as a cell shows it: `850us`, `12ms`, `1.5s`, `41s`, `2m05s`, `3h12m`, `2d04h`. null (not measured) is `-`. */
export function shortTime(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return '-';
  if (ms <= 0) return '0';
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))}us`;
  if (ms < 999.5) return ms < 9.95 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}

/** A rate as a cell shows it: `0.4`, `12`, `1.2k`. */
export function shortRate(perSecond: number | null): string {
  if (perSecond === null || !Number.isFinite(perSecond)) return '-';
  if (perSecond === 0) return '0';
  if (perSecond < 9.95) return perSecond.toFixed(1);
  if (perSecond < 9995) return String(Math.round(perSecond));
  return `${(perSecond / 1000).toFixed(1)}k`;
}

/** `src/orders.ts:88` of `/app/src/orders.ts:88:21`: relative where it can be, and without the column. */
export function shortSite(site: string | null, cwd: string): string {
  if (site === null) return '-';
  const place = site.replace(/^file:\/\//, '').replace(/^(.*:\d+):\d+$/, '$1');
  if (cwd !== '' && place.startsWith(`${cwd}/`)) return place.slice(cwd.length + 1);
  const parts = place.split('/');
  const from = parts.findLastIndex((part) => part === 'src' || part === 'lib' || part === 'dist');
  if (from > 0) return parts.slice(from).join('/');
  return parts.length > 3 ? parts.slice(-2).join('/') : place;
}

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

/** `1 lease`, `3 leases`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
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
