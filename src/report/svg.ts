/** Charts as SVG text: nothing to load, nothing to run. Colors come from the style sheet of the page, by class. */

export interface Series {
  readonly name: string;
  /** The class that gives it its color. */
  readonly style: string;
  /** null (not measured) is a gap. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
}

export interface ChartOptions {
  readonly title: string;
  /** The text shown for a point under the pointer. Default: its two values. */
  readonly detail?: (series: Series, x: number, y: number) => string;
  readonly x: (value: number) => string;
  readonly y: (value: number) => string;
}

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 64;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;
const STEPS = [1, 2, 2.5, 5, 10];

/** Lines over a common time axis, from 0 up. */
export function lineChart(
  series: readonly Series[],
  { title, x, y, detail = (of, at, value) => `${of.name} at ${x(at)}: ${y(value)}` }: ChartOptions,
): string {
  const points = series.flatMap((each) => each.points);
  const xs = points.map(([at]) => at);
  const ys = points.flatMap(([, value]) => (value === null ? [] : [value]));
  if (ys.length === 0) return '';
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const ticks = ticksUpTo(Math.max(...ys), 4);
  const top = ticks.at(-1) ?? 1;
  const left = (value: number) => scale(value, first, last, LEFT, WIDTH - RIGHT);
  const above = (value: number) => scale(value, 0, top, HEIGHT - BOTTOM, TOP);
  const lines = series.map(
    ({ points, style }) =>
      `<path class="line ${style}" d="${pathOf(points.map(([at, value]) => [left(at), value === null ? null : above(value)]))}"/>`,
  );
  const times = ticksUpTo(last, 6).filter((tick) => tick >= first && tick <= last);
  return frame(title, [
    ...ticks.map((tick) => gridLine(above(tick), y(tick))),
    ...times.map((tick) => xLabel(left(tick), x(tick))),
    ...lines,
    ...series.flatMap((each) =>
      dotsOf(each).map(
        ([at, value]) =>
          `<circle class="dot ${each.style}" cx="${n(left(at))}" cy="${n(above(value))}" r="5"><title>${escapeXml(detail(each, at, value))}</title></circle>`,
      ),
    ),
  ]);
}

/** More would lie on top of each other, and make the file large. */
const MOST_DOTS = 180;

/** Points that show their value under the pointer: in a long series every nth. */
function dotsOf({ points }: Series): [x: number, y: number][] {
  const each = Math.ceil(points.length / MOST_DOTS);
  return points.flatMap(([at, value], i) => (value === null || i % each !== 0 ? [] : [[at, value]]));
}

export interface Column {
  readonly label: string;
  readonly value: number;
  /** Shown when the pointer rests on it. */
  readonly detail: string;
}

/** Columns side by side. */
export function columnChart(columns: readonly Column[], { title, y }: Omit<ChartOptions, 'x'>): string {
  const highest = Math.max(0, ...columns.map(({ value }) => value));
  if (highest === 0) return '';
  const ticks = ticksUpTo(highest, 4);
  const top = ticks.at(-1) ?? 1;
  const above = (value: number) => scale(value, 0, top, HEIGHT - BOTTOM, TOP);
  const step = (WIDTH - LEFT - RIGHT) / columns.length;
  const each = Math.ceil(columns.length / 12);
  const bars = columns.map(({ value, detail }, at) => {
    const from = above(value);
    const box = `x="${n(LEFT + at * step + 1)}" y="${n(from)}" width="${n(Math.max(1, step - 2))}" height="${n(HEIGHT - BOTTOM - from)}"`;
    return `<rect class="column" ${box}><title>${escapeXml(detail)}</title></rect>`;
  });
  const labels = columns.map(({ label }, at) =>
    at % each === 0 ? xLabel(LEFT + (at + 0.5) * step, label) : '',
  );
  return frame(title, [...ticks.map((tick) => gridLine(above(tick), y(tick))), ...bars, ...labels]);
}

/** Text that stands in HTML, XML and attributes as it is. */
export function escapeXml(text: string): string {
  // XML 1.0 knows no other control characters, not even escaped, and no halves of a pair.
  return text
    .replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char)
    .replace(/(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu, '\ufffd');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function frame(title: string, content: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}">${content.join('')}</svg>`;
}

function gridLine(y: number, label: string): string {
  return (
    `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y)}" y2="${n(y)}"/>` +
    `<text class="tick" x="${LEFT - 6}" y="${n(y + 4)}" text-anchor="end">${escapeXml(label)}</text>`
  );
}

function xLabel(x: number, label: string): string {
  return `<text class="tick" x="${n(x)}" y="${HEIGHT - 8}" text-anchor="middle">${escapeXml(label)}</text>`;
}

function pathOf(points: readonly (readonly [x: number, y: number | null])[]): string {
  let path = '';
  let isDrawing = false;
  for (const [x, y] of points) {
    if (y !== null) path += `${isDrawing ? 'L' : 'M'}${n(x)} ${n(y)}`;
    isDrawing = y !== null;
  }
  // A single point between gaps would not be seen.
  return path.replace(/M([\d.-]+ [\d.-]+)(?=M|$)/g, 'M$1h0.1');
}

/** From 0 in even steps to the first that is not below the highest. */
function ticksUpTo(highest: number, about: number): number[] {
  if (!(highest > 0)) return [0, 1];
  const raw = highest / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * (STEPS.find((each) => each * power >= raw) ?? 10);
  return Array.from({ length: Math.ceil(highest / step - 1e-9) + 1 }, (_, at) =>
    Number((at * step).toPrecision(12)),
  );
}

function scale(value: number, from: number, to: number, low: number, high: number): number {
  return to === from ? low : low + ((value - from) / (to - from)) * (high - low);
}

/** A tenth of a pixel is enough. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
