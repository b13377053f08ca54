import { formatDuration } from '../base/units.js';
import { palette } from '../report/color.js';
import { padEnd, padStart, truncate, widthOf, wrap } from '../report/text.js';
import { diagnose } from './diagnose.js';
import { factsOf } from './facts.js';
import { BINDINGS } from './keys.js';
import { type Content, contentOf, selectedIndex } from './select.js';
import { type Shares, sharesOf } from './sizes.js';
import { here, type State, VIEWS } from './state.js';
import type { Drawing, Table, Tone } from './table.js';
import type { Line } from './views/details.js';
import { cellText, counted, shortTime, timeOfDay } from './words.js';

export interface FrameOptions extends Drawing {
  readonly color: boolean;
}

/** Below it not even the first column of a table has room. */
const NARROW = 30;

/**
 * The whole screen, as lines with their colours: at most one fewer than the terminal has rows, none wider than it. What
 * comes from outside goes through `cellText`, so that no control character of it gets here.
 */
export function frameOf(state: State, options: FrameOptions): string[] {
  const shares = sharesOf(state.size);
  // The last column stays empty: on some terminals what is erased behind it takes it along.
  const pen = penOf(Math.max(1, state.size.columns - 1), options);
  const content = contentOf(state, options);
  const body = bodyOf(content, state, shares, pen);
  const lines = [
    tabs(state, pen),
    ...diagnosisLines(state, shares, pen),
    ...(shares.sources ? [sourcesLine(state, pen)] : []),
    ...(shares.title ? [titleLine(content, state, pen)] : []),
    ...body.lines,
    ...Array.from({ length: Math.max(0, shares.body + 1 - body.lines.length) }, () => ''),
    pen.tone('faint', pen.fit(body.hidden)),
    lastLine(state, pen),
  ];
  const shown = lines.slice(0, shares.frame);
  return pen.width >= NARROW ? shown : shown.map((line) => truncateStyled(line, pen.width));
}

/** A table for plain output: its head and its first rows, nothing selected. */
export function tableLines(table: Table, width: number, options: FrameOptions, most: number): string[] {
  const pen = penOf(width, options);
  const layout = layoutOf(table, width);
  const rows = table.keys.slice(0, most).map((_, at) => rowLine(table, at, layout, false, pen).trimEnd());
  const more = table.keys.length - rows.length;
  const rest = more === 0 ? [] : [pen.tone('faint', `  ${counted(more, 'row')} more`)];
  return [headLine(table, layout, pen).trimEnd(), ...rows, ...rest];
}

/** Draws within one width, and in these colours. */
interface Pen {
  readonly width: number;
  readonly options: FrameOptions;
  tone(tone: Tone | null | undefined, text: string): string;
  /** The row that is selected. */
  inverse(text: string): string;
  /** Cleans and cuts. */
  fit(text: string, width?: number): string;
}

function penOf(width: number, options: FrameOptions): Pen {
  const colors = palette(options);
  return {
    width,
    options,
    tone: (tone, text) => (tone == null || text === '' ? text : colors[tone](text)),
    inverse: (text) => (options.color ? `\x1b[7m${text}\x1b[27m` : text),
    fit: (text, most = width) => cellText(text, most, options),
  };
}

const TITLES: Readonly<Record<(typeof VIEWS)[number], string>> = {
  pools: 'Pools',
  holders: 'Holders',
  backends: 'Backends',
  blocking: 'Blocking',
  pgbouncer: 'PgBouncer',
  events: 'Events',
};

/** The views, with that which is open; where there is no room for all names, only with its own. */
function tabs(state: State, pen: Pen): string {
  const [root] = state.trail;
  const open = root?.place.kind === 'view' ? root.place.view : null;
  const isHelp = here(state).place.kind === 'view' && open !== null && placeView(state) === 'help';
  const clock = state.shown === null ? '' : timeOfDay(state.shown.atMs);
  const rate = state.paused ? 'PAUSED' : formatDuration(state.intervalMs);
  // Where there is a line for the sources, that has the rest.
  const rest = sharesOf(state.size).sources ? [] : [state.mode, clock];
  const right = [...rest, rate].filter((one) => one !== null && one !== '').join(' ');
  const name = (view: (typeof VIEWS)[number], at: number, long: boolean) =>
    long || view === open ? `${at + 1} ${TITLES[view]}` : String(at + 1);
  const fits = (long: boolean) =>
    VIEWS.map((view, at) => name(view, at, long).length + 2).reduce((sum, one) => sum + one, 8) +
      right.length <=
    pen.width;
  const long = fits(true);
  const parts = VIEWS.map((view, at) => {
    const text = name(view, at, long);
    return view === open && !isHelp ? pen.tone('strong', pen.inverse(` ${text} `)) : ` ${text} `;
  });
  const help = long ? ' ? Help ' : ' ? ';
  const left = parts.join('') + (isHelp ? pen.inverse(help) : help);
  const room = pen.width - widthOf(left) - 1;
  // That the picture is held must be seen, whatever else is not.
  const shown = [right, rate].find((text) => text.length <= room);
  if (shown === undefined) return truncateStyled(left, pen.width);
  return `${left}${' '.repeat(room + 1 - shown.length)}${pen.tone(state.paused ? 'warn' : 'faint', shown)}`;
}

function placeView(state: State): string | null {
  const { place } = here(state);
  return place.kind === 'view' ? place.view : null;
}

/** A line with styles is only ever too long where the terminal is tiny: it is shown without them then. */
function truncateStyled(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the styles are escape sequences
  return truncate(text.replace(/\x1b\[[0-9;]*m/g, ''), width, { unicode: false });
}

function diagnosisLines(state: State, { diagnosis: rows }: Shares, pen: Pen): string[] {
  const { severity, words } = diagnose(factsOf(state.shown), {
    history: state.history,
    cwd: pen.options.cwd,
  });
  const tone: Tone = severity === 'none' ? 'faint' : severity;
  const mark = { good: 'OK', warn: '!', bad: '!!', none: '..' }[severity];
  const wrapped = wrap(`${mark} ${words}`, pen.width);
  const last = wrapped.slice(rows - 1).join(' ');
  const shown = [...wrapped.slice(0, rows - 1), last].slice(0, rows);
  return Array.from({ length: rows }, (_, at) => pen.tone(tone, pen.fit(shown[at] ?? '')));
}

function sourcesLine(state: State, pen: Pen): string {
  if (state.shown === null) return pen.tone('faint', 'waiting for the first reading');
  const { atMs, sources } = state.shown;
  const bad = sources.filter(({ stale }) => stale !== null);
  const parts = [...bad, ...sources.filter(({ stale }) => stale === null)].map(
    ({ label, stale, reading }) => {
      if (stale === null) return label;
      const age = reading === null ? 'never read' : `stale ${shortTime(atMs - reading.takenAtMs)}`;
      return `${label} (${age}: ${stale.why})`;
    },
  );
  const mode = state.mode === null ? '' : ` (${state.mode})`;
  return pen.tone(
    bad.length > 0 ? 'bad' : 'faint',
    pen.fit(`${timeOfDay(atMs)}${mode}  ${parts.join('  ')}`),
  );
}

/** The way here, and how the table is narrowed down and sorted. */
function titleLine(content: Content, state: State, pen: Pen): string {
  const way = pen.options.unicode ? ' › ' : ' > ';
  const before = state.trail.slice(0, -1).map(({ place }) => placeName(place));
  const title = [...before, content.title].join(way);
  const narrowed = here(state).filter === '' ? '' : `  filter: ${here(state).filter}`;
  const count =
    content.kind === 'table'
      ? `  ${content.table.keys.length === content.table.total ? '' : `${content.table.keys.length} of `}${counted(content.table.total, 'row')}`
      : '';
  const text = pen.fit(`${title}${count}${narrowed}`);
  return pen.tone('strong', text);
}

function placeName(place: ReturnType<typeof here>['place']): string {
  switch (place.kind) {
    case 'view':
      return place.view === 'help' ? 'Help' : TITLES[place.view];
    case 'pool':
    case 'broker':
      return 'Pool';
    case 'lease':
      return 'Lease';
    case 'backend':
      return 'Backend';
    case 'clients':
      return 'Clients';
    case 'group':
      return place.value;
  }
}

interface Body {
  readonly lines: readonly string[];
  /** What there was no room for, in words. */
  readonly hidden: string;
}

function bodyOf(content: Content, state: State, shares: Shares, pen: Pen): Body {
  const spot = here(state);
  if (content.kind === 'text') return textBody(content.lines, spot.index, shares.body, pen);
  const { table } = content;
  const layout = layoutOf(table, pen.width);
  const head = headLine(table, layout, pen);
  const hiddenColumns = hiddenWords(table, layout);
  if (table.keys.length === 0) {
    const why = table.total === 0 ? table.empty : `no row fits the filter '${spot.filter}'`;
    return { lines: [head, pen.tone('faint', pen.fit(`  ${why}`))], hidden: hiddenColumns };
  }
  const at = selectedIndex(table, spot);
  // Page by page: the rows stay where they are while the selection moves.
  const first = Math.floor(at / shares.body) * shares.body;
  const last = Math.min(first + shares.body, table.keys.length);
  const rows = Array.from({ length: last - first }, (_, row) =>
    rowLine(table, first + row, layout, first + row === at, pen),
  );
  const more = table.keys.length - rows.length;
  const rowWords = more === 0 ? '' : `${first + 1}-${last} of ${table.keys.length} rows`;
  const filtered = shares.title || spot.filter === '' ? '' : `filter: ${spot.filter}`;
  return {
    lines: [head, ...rows],
    hidden: [filtered, rowWords, hiddenColumns].filter((one) => one !== '').join('; '),
  };
}

function textBody(lines: readonly Line[], index: number, rows: number, pen: Pen): Body {
  const first = Math.max(0, Math.min(index, lines.length - rows));
  const shown = lines.slice(first, first + rows).map((line) => {
    let room = pen.width;
    return line
      .map(({ text, tone }) => {
        const part = pen.fit(text, room);
        room -= widthOf(part);
        return pen.tone(tone, part);
      })
      .join('');
  });
  const more = lines.length - shown.length;
  return {
    lines: ['', ...shown],
    hidden: more === 0 ? '' : `hidden: ${counted(more, 'line')} (Down, PgDn)`,
  };
}

interface Layout {
  /** Shown columns by their place in the table, and how wide each is. */
  readonly columns: readonly { readonly index: number; readonly width: number }[];
}

/** Before the first column: which row is selected. */
const MARK = 2;

/** Takes columns away by rank until the rest fits, then gives the room that is left to those that grow. */
function layoutOf({ columns }: Table, width: number): Layout {
  const byRank = columns.map((_, index) => index);
  byRank.sort((one, other) => (columns[one]?.rank ?? 0) - (columns[other]?.rank ?? 0) || one - other);
  const kept: number[] = [];
  let used = MARK - 1;
  for (const index of byRank) {
    const needed = (columns[index]?.width ?? 0) + 1;
    // Only a prefix of the order is shown, so that what is hidden is always the less important.
    if (kept.length > 0 && used + needed > width) break;
    kept.push(index);
    used += needed;
  }
  kept.sort((one, other) => one - other);
  const shares = kept.map((index) => columns[index]?.grow ?? 0);
  const sum = shares.reduce((total, share) => total + share, 0);
  let left = Math.max(0, width - used);
  const extras = shares.map((share) => (sum === 0 ? 0 : Math.floor((left * share) / sum)));
  left -= extras.reduce((total, extra) => total + extra, 0);
  const lastGrowing = shares.findLastIndex((share) => share > 0);
  return {
    columns: kept.map((index, at) => ({
      index,
      width: (columns[index]?.width ?? 0) + (extras[at] ?? 0) + (at === lastGrowing ? left : 0),
    })),
  };
}

function hiddenWords({ columns, sort }: Table, layout: Layout): string {
  const shown = new Set(layout.columns.map(({ index }) => index));
  const hidden = columns.filter((_, index) => !shown.has(index));
  if (hidden.length === 0) return '';
  const needed = columns.reduce((sum, { width }) => sum + width + 1, MARK - 1);
  const by = hidden.find(({ id }) => id === sort?.column);
  const sorted = by === undefined ? '' : `sorted by ${by.title}; `;
  const titles = hidden.map(({ title }) => title).join(', ');
  return `${sorted}${counted(hidden.length, 'column')} hidden: ${titles} (all at ${needed} wide)`;
}

function headLine({ columns, sort }: Table, layout: Layout, pen: Pen): string {
  const [up, down] = pen.options.unicode ? ['▲', '▼'] : ['^', 'v'];
  const cells = layout.columns.map(({ index, width }) => {
    const { title = '', align, id } = columns[index] ?? {};
    const mark = sort?.column === id ? (sort?.descending ? down : up) : '';
    const text = title.slice(0, width - mark.length) + mark;
    return align === 'right' ? padStart(text, width) : padEnd(text, width);
  });
  return pen.tone(
    'faint',
    truncate(' '.repeat(MARK - 1) + cells.map((cell) => ` ${cell}`).join(''), pen.width, pen.options),
  );
}

function rowLine(table: Table, row: number, layout: Layout, selected: boolean, pen: Pen): string {
  const cells = layout.columns.map(({ index, width }) => {
    const text = pen.fit(table.text(row, index, width, pen.options), width);
    const padded = table.columns[index]?.align === 'right' ? padStart(text, width) : padEnd(text, width);
    return selected && pen.options.color ? padded : pen.tone(table.tone(row, index), padded);
  });
  const mark = selected ? '>' : ' ';
  const line = `${mark}${cells.map((cell) => ` ${cell}`).join('')}`;
  return selected ? pen.inverse(line) : line;
}

/** What is being typed or asked, what was just said, or the keys. */
function lastLine(state: State, pen: Pen): string {
  const { prompt, notice } = state;
  if (prompt?.kind === 'filter') {
    const shown = pen.fit(`/${prompt.text}`, pen.width - 1);
    const hint = '  Enter keeps it, Esc drops it, ! inverts';
    const room = pen.width - 1 - widthOf(shown);
    return `${pen.tone('strong', shown)}_${pen.tone('faint', pen.fit(hint, room))}`;
  }
  if (prompt?.kind === 'confirm') {
    const { verb, pid, user, database } = prompt.action;
    const what = verb === 'cancel' ? 'Cancel' : 'End';
    return pen.tone(
      'bad',
      pen.fit(`${what} backend ${pid} (${user ?? '?'}@${database ?? '?'})? y: yes, else: no`),
    );
  }
  if (notice !== null) return pen.tone(notice.tone, pen.fit(notice.words));
  const hints = BINDINGS.filter(({ hint }) => hint !== undefined);
  let line = '';
  let used = 0;
  for (const { shown, hint = '' } of hints) {
    const [key = ''] = shown.split(' ');
    const length = key.length + hint.length + (used === 0 ? 1 : 3);
    if (used + length > pen.width) break;
    line += `${used === 0 ? '' : '  '}${pen.tone('name', key)} ${hint}`;
    used += length;
  }
  return line;
}
