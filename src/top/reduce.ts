import { type Facts, NO_FACTS } from '../diagnosis/facts.js';
import { type Moment, momentOf } from '../diagnosis/moment.js';
import { counted, shortSite, shortTime } from '../diagnosis/words.js';
import type { Tick } from '../snapshot/reading.js';
import { bindingOf, type KeyCommand } from './keys.js';
import { GROUPINGS, type Spot, spotAt, VIEWS } from './place.js';
import { contentOf, type SelectOptions, selectedBackend, selectedIndex } from './select.js';
import type { SizeReply } from './size-thread.js';
import { bodyRows } from './sizes.js';
import { here, INTERVALS_MS, type ScreenEvent, type Size, type State } from './state.js';

/** The events of the screen. */
export type Message =
  | { readonly type: 'tick'; readonly tick: Tick }
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'resize'; readonly size: Size }
  /** The result of the requested action. */
  | { readonly type: 'acted'; readonly done: boolean; readonly words: string }
  | { readonly type: 'mode'; readonly mode: string | null }
  | { readonly type: 'sizes'; readonly sizes: SizeReply };

const EVENTS_KEPT = 500;
const LONGEST_FILTER = 80;

export interface StateOptions {
  readonly size: Size;
  readonly intervalMs: number;
  readonly allowActions?: boolean;
  readonly mode?: string | null;
  /** Whether leases are recorded, which give the sizes that pools need. */
  readonly recordsLeases?: boolean;
}

export function initialState(
  { size, intervalMs, allowActions = false, mode = null, recordsLeases = false }: StateOptions,
  options: SelectOptions,
): State {
  const state = {
    latest: null,
    shown: null,
    sizes: recordsLeases ? { pools: [], problem: null } : null,
    events: [],
    trail: [spotAt({ kind: 'view', view: 'pools' })],
    sorts: {},
    grouping: null,
    paused: false,
    intervalMs,
    prompt: null,
    notice: null,
    size,
    allowActions,
    action: null,
    mode,
    ended: false,
  } as const;
  return { ...state, content: contentOf(state, options) };
}

/** The next state. Everything that the screen does is decided here; nothing is read, written or waited for. */
export function reduce(state: State, message: Message, options: SelectOptions): State {
  const next = step(state, message, options);
  return isSameContent(state, next) ? next : { ...next, content: contentOf(next, options) };
}

/** Whether nothing has changed that the content is made from. */
function isSameContent(before: State, after: State): boolean {
  const [left, entered] = [here(before), here(after)];
  return (
    left.place === entered.place &&
    left.filter === entered.filter &&
    before.shown === after.shown &&
    before.events === after.events &&
    before.sizes === after.sizes &&
    before.sorts === after.sorts &&
    before.grouping === after.grouping &&
    before.size === after.size
  );
}

function step(state: State, message: Message, options: SelectOptions): State {
  switch (message.type) {
    case 'tick':
      return onTick(state, message.tick, options);
    case 'key':
      return onKey({ ...state, notice: null }, message.key);
    case 'resize':
      return { ...state, size: message.size };
    case 'mode':
      return { ...state, mode: message.mode };
    case 'sizes':
      return { ...state, sizes: message.sizes };
    case 'acted':
      return {
        ...state,
        action: null,
        notice: { words: message.words, tone: message.done ? 'good' : 'bad' },
        events: withEvents(state.events, [
          {
            atMs: state.latest?.tick.atMs ?? 0,
            tone: message.done ? 'warn' : 'bad',
            about: 'you',
            words: message.words,
          },
        ]),
      };
  }
}

function onTick(state: State, tick: Tick, { cwd, settings }: SelectOptions): State {
  const latest = momentOf(tick, state.latest, { cwd, settings });
  const events = withEvents(state.events, happened(state.latest, latest, cwd));
  return { ...state, latest, shown: state.paused ? state.shown : latest, events };
}

/** Describes what differs from the tick before. */
function happened(last: Moment | null, now: Moment, cwd: string): ScreenEvent[] {
  const { atMs, sources } = now.tick;
  const found: ScreenEvent[] = [];
  const add = (tone: ScreenEvent['tone'], about: string, words: string): void => {
    found.push({ atMs, tone, about, words });
  };
  const [before, after] = [last?.facts ?? NO_FACTS, now.facts];
  for (const { label, stale } of sources) {
    const old = last?.tick.sources.find((one) => one.label === label);
    if (stale?.ended === true) {
      if (old?.stale?.ended !== true) add('faint', label, 'has ended');
    } else if (stale !== null && old?.stale == null) add('bad', label, `cannot be read: ${stale.why}`);
    if (stale === null && old?.stale != null)
      add('good', label, `is read again, after ${shortTime(atMs - old.stale.sinceMs)}`);
  }
  for (const { source, what, why } of after.gaps) {
    const known = before.gaps.some((one) => one.source === source && one.what === what && one.why === why);
    if (!known) add('warn', source, `not read: ${what}: ${why}`);
  }
  addPoolEvents(before, after, cwd, add);
  const blocked = new Set(before.blocking.filter(({ depth }) => depth > 0).map(({ key }) => key));
  for (const { key, depth, backend } of after.blocking) {
    if (depth === 0 || blocked.has(key)) continue;
    const { pid, blockedBy, application } = backend.backend;
    add('warn', application ?? backend.source, `backend ${pid} waits for a lock of ${blockedBy.join(', ')}`);
  }
  if (last !== null) {
    const { severity, cause, words } = now.diagnosis;
    const changed = last.diagnosis.cause !== cause || last.diagnosis.severity !== severity;
    if (changed) add(severity === 'none' ? 'faint' : severity, 'diagnosis', words);
  }
  return found;
}

function addPoolEvents(
  before: Facts,
  after: Facts,
  cwd: string,
  add: (tone: ScreenEvent['tone'], about: string, words: string) => void,
): void {
  const last = new Map(before.pools.map((pool) => [pool.key, pool]));
  for (const { key, pool, app } of after.pools) {
    const old = last.get(key);
    last.delete(key);
    if (old === undefined) {
      if (before.pools.length > 0) add('faint', pool.name, `is there (${app})`);
      continue;
    }
    const [waiting, waited] = [pool.waiting ?? 0, old.pool.waiting ?? 0];
    if (waiting > 0 && waited === 0)
      add('bad', pool.name, `exhausted: ${pool.inUse ?? 'all'} leases out, ${waiting} waiting`);
    if (waiting === 0 && waited > 0) add('good', pool.name, 'nobody waits any more');
    const timedOut = (pool.counters.timedOut ?? 0) - (old.pool.counters.timedOut ?? 0);
    if (timedOut > 0) add('bad', pool.name, `${counted(timedOut, 'acquire')} timed out`);
    if (pool.createError !== null && pool.createError !== old.pool.createError)
      add('bad', pool.name, `cannot connect: ${pool.createError}`);
  }
  for (const { pool, app } of last.values()) add('faint', pool.name, `is gone (${app})`);
  const suspects = new Set(before.holders.filter(({ suspect }) => suspect).map(({ key }) => key));
  for (const { key, suspect, holder, pool } of after.holders) {
    if (!suspect || suspects.has(key)) continue;
    add(
      'bad',
      pool.pool.name,
      `leak: lease ${holder.leaseId} out for ${shortTime(holder.ageMs)}, acquired at ${shortSite(holder.site, cwd)}`,
    );
  }
}

function withEvents(events: readonly ScreenEvent[], more: readonly ScreenEvent[]): readonly ScreenEvent[] {
  return more.length === 0 ? events : [...[...more].reverse(), ...events].slice(0, EVENTS_KEPT);
}

function onKey(state: State, key: string): State {
  if (state.prompt?.kind === 'filter') return onFilterKey(state, key);
  if (state.prompt?.kind === 'confirm') {
    if (key === 'ctrl-c') return { ...state, prompt: null, ended: true };
    const { action } = state.prompt;
    if (key === 'y') return { ...state, prompt: null, action };
    return { ...state, prompt: null, notice: { words: 'nothing was done', tone: 'good' } };
  }
  const binding = bindingOf(key);
  if (binding === null) return state;
  if (binding.acts === true && !state.allowActions) {
    return { ...state, notice: { words: 'read-only: start with --allow-actions', tone: 'warn' } };
  }
  return onCommand(state, binding.command);
}

function onFilterKey(state: State, key: string): State {
  const { prompt } = state;
  if (prompt?.kind !== 'filter') return state;
  const typed = (text: string): State =>
    onSpot({ ...state, prompt: { ...prompt, text } }, { filter: text, row: null, index: 0 });
  switch (key) {
    case 'ctrl-c':
      return { ...state, prompt: null, ended: true };
    case 'escape':
      return onSpot({ ...state, prompt: null }, { filter: prompt.before });
    case 'enter':
      return { ...state, prompt: null };
    case 'backspace':
      return typed([...prompt.text].slice(0, -1).join(''));
    case 'ctrl-u':
      return typed('');
    default: {
      const isText = [...key].length === 1;
      return isText && prompt.text.length < LONGEST_FILTER ? typed(prompt.text + key) : state;
    }
  }
}

function onCommand(state: State, command: KeyCommand): State {
  const spot = here(state);
  switch (command.do) {
    case 'quit':
      return { ...state, ended: true };
    case 'view':
      return toView(state, command.at);
    case 'nextView': {
      const [root] = state.trail;
      const at = root?.place.kind === 'view' ? VIEWS.findIndex((view) => isView(root, view)) : 0;
      return toView(state, (Math.max(0, at) + command.by + VIEWS.length) % VIEWS.length);
    }
    case 'help':
      if (isView(spot, 'help')) return back(state);
      return { ...state, trail: [...state.trail, spotAt({ kind: 'view', view: 'help' })] };
    case 'move':
      return move(state, command.by);
    case 'open':
      return open(state);
    case 'back':
      return spot.filter === '' ? back(state) : onSpot(state, { filter: '' });
    case 'filter':
      if (state.content.kind === 'text') return state;
      return { ...state, prompt: { kind: 'filter', text: spot.filter, before: spot.filter } };
    case 'sort':
      return sortByNext(state, command.by);
    case 'reverse':
      return reverse(state);
    case 'group':
      return group(state);
    case 'pause':
      return { ...state, paused: !state.paused, shown: state.paused ? state.latest : state.shown };
    case 'interval':
      return { ...state, intervalMs: nextInterval(state.intervalMs, command.by) };
    case 'cancel':
    case 'terminate': {
      const fact = selectedBackend(state);
      if (fact === null) return { ...state, notice: { words: 'no backend is selected here', tone: 'warn' } };
      const { pid, user, database } = fact.backend;
      const action = { verb: command.do, source: fact.source, pid, user, database };
      return { ...state, prompt: { kind: 'confirm', action } };
    }
  }
}

function toView(state: State, at: number): State {
  const view = VIEWS[at] ?? 'pools';
  const [root] = state.trail;
  const kept = root !== undefined && isView(root, view) ? root : spotAt({ kind: 'view', view });
  return { ...state, trail: [kept] };
}

function isView({ place }: Spot, view: string): boolean {
  return place.kind === 'view' && place.view === view;
}

function back(state: State): State {
  return state.trail.length > 1 ? { ...state, trail: state.trail.slice(0, -1) } : state;
}

function open(state: State): State {
  const { content } = state;
  if (content.kind === 'text') return state;
  const at = selectedIndex(content.table, here(state));
  const place = content.table.open(at);
  if (place === null) return state;
  // On the way back the selection is where it was.
  const left = onSpot(state, { row: content.table.keys[at] ?? null, index: at });
  return { ...left, trail: [...left.trail, spotAt(place)] };
}

function move(state: State, by: number | 'page' | '-page' | 'first' | 'last'): State {
  const { content } = state;
  const page = bodyRows(state.size);
  const spot = here(state);
  const count = content.kind === 'table' ? content.table.keys.length : content.lines.length;
  const from =
    content.kind === 'table'
      ? selectedIndex(content.table, spot)
      : Math.min(spot.index, Math.max(0, count - page));
  const last = content.kind === 'table' ? count - 1 : count - page;
  const wanted =
    by === 'first' ? 0 : by === 'last' ? last : from + (by === 'page' ? page : by === '-page' ? -page : by);
  const index = Math.max(0, Math.min(wanted, last));
  // On the first row of all, the selection stays with the first, whichever that becomes.
  const row = content.kind === 'table' && index > 0 ? (content.table.keys[index] ?? null) : null;
  return onSpot(state, { row, index });
}

function sortByNext(state: State, by: 1 | -1): State {
  const { content } = state;
  if (content.kind === 'text') return state;
  const { name, sort, columns } = content.table;
  const at = columns.findIndex(({ id }) => id === sort?.column);
  const next = at < 0 ? (by === 1 ? 0 : columns.length - 1) : (at + by + columns.length) % columns.length;
  const column = columns[next];
  if (column === undefined) return state;
  // Sorts figures in descending order, and words in ascending order.
  return {
    ...state,
    sorts: { ...state.sorts, [name]: { column: column.id, descending: column.align === 'right' } },
  };
}

function reverse(state: State): State {
  const { content } = state;
  if (content.kind === 'text') return state;
  const { name, sort, columns } = content.table;
  const column = sort?.column ?? columns[0]?.id;
  if (column === undefined) return state;
  return { ...state, sorts: { ...state.sorts, [name]: { column, descending: !(sort?.descending ?? true) } } };
}

/** None, then one after the other; only holders and backends have groups. */
function group(state: State): State {
  const spot = here(state);
  if (!isView(spot, 'holders') && !isView(spot, 'backends')) {
    return { ...state, notice: { words: 'holders (2) and backends (3) can be grouped', tone: 'warn' } };
  }
  const at = state.grouping === null ? -1 : GROUPINGS.indexOf(state.grouping);
  return onSpot({ ...state, grouping: GROUPINGS[at + 1] ?? null }, { row: null, index: 0 });
}

function nextInterval(intervalMs: number, by: 1 | -1): number {
  const longer = INTERVALS_MS.filter((one) => one > intervalMs);
  const shorter = INTERVALS_MS.filter((one) => one < intervalMs);
  return (by === 1 ? longer[0] : shorter.at(-1)) ?? intervalMs;
}

function onSpot(state: State, change: Partial<Spot>): State {
  return { ...state, trail: [...state.trail.slice(0, -1), { ...here(state), ...change }] };
}
