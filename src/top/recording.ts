import type { Clock, Timer } from '../base/clock.js';
import { ValueError } from '../base/units.js';
import type { Tick } from './feed.js';
import type { Feed } from './session.js';

/** The first line of a recording; each other line is a tick. */
const HEADER = { poolctl: 'top', schema: 1 } as const;

export function recordingHeader(): string {
  return `${JSON.stringify(HEADER)}\n`;
}

export function recordingLine(tick: Tick): string {
  return `${JSON.stringify(tick)}\n`;
}

/** Lines, which take far less memory than what they mean; each is known to be a tick. */
export interface Recording {
  readonly lines: readonly string[];
  /** Lines that are no ticks, as the last one of a recording that was cut off. */
  readonly skipped: number;
}

/** The ticks of a recording, one after the other. */
export function* ticksOf({ lines }: Recording): Generator<Tick> {
  for (const line of lines) yield JSON.parse(line) as Tick;
}

/** Reads a recording. Throws a ValueError where it is none, or has nothing in it. */
export function parseRecording(text: string): Recording {
  const [first = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  const header = parsed(first);
  if (!isObject(header) || header.poolctl !== 'top')
    throw new ValueError('it is no recording of poolctl top');
  if (header.schema !== HEADER.schema)
    throw new ValueError(
      `it has the schema ${String(header.schema)}, and this poolctl reads ${HEADER.schema}`,
    );
  const good = lines.filter((line) => isTick(parsed(line)));
  if (good.length === 0) throw new ValueError('there is no reading in it');
  return { lines: good, skipped: lines.length - good.length };
}

export interface ReplayOptions {
  readonly clock: Clock;
  /** Of one tick after the other; that at which it was recorded plays no part. */
  readonly intervalMs: number;
}

/** Plays a recording, a tick at each interval. Pausing stops it. */
export function replayFeed(recording: Recording, { clock, intervalMs }: ReplayOptions): Feed {
  const ticks = ticksOf(recording);
  let interval = intervalMs;
  let paused = false;
  let timer: Timer | null = null;
  let tell: ((tick: Tick) => void) | null = null;
  let tellEnd: (() => void) | undefined;
  const next = (): void => {
    timer = null;
    if (tell === null || paused) return;
    const { value: tick, done } = ticks.next();
    if (done === true) {
      tellEnd?.();
      return;
    }
    tell(tick);
    timer = clock.setTimer(next, interval);
  };
  return {
    start(onTick, onEnd) {
      tell = onTick;
      tellEnd = onEnd;
      next();
    },
    setInterval(ms) {
      interval = ms;
    },
    setPaused(wanted) {
      paused = wanted;
      timer?.cancel();
      if (!paused) next();
    },
    async [Symbol.asyncDispose]() {
      tell = null;
      timer?.cancel();
    },
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function isTick(value: unknown): value is Tick {
  return (
    isObject(value) &&
    typeof value.atMs === 'number' &&
    Array.isArray(value.sources) &&
    value.sources.every(isSource)
  );
}

function isSource(value: unknown): boolean {
  if (!isObject(value) || typeof value.label !== 'string') return false;
  const { stale, reading } = value;
  return (stale === null || isObject(stale)) && (reading === null || isReading(reading));
}

/** As far as a mistake would bring the screen down: lists are lists, and what is in them has names and figures. */
function isReading(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { pools, backends, gaps, pooler, server } = value;
  return (
    isListOf(pools, isPool) &&
    isListOf(backends, isBackend) &&
    isListOf(gaps, (gap) => isText(gap.what) && isText(gap.why)) &&
    (server === null || isObject(server)) &&
    (pooler === null || isPooler(pooler))
  );
}

function isPool(pool: Fields): boolean {
  const { name, inUse, waiting, counters, holders, app, takenAtMs } = pool;
  return (
    isText(name) &&
    [inUse, waiting, takenAtMs].every((one) => typeof one === 'number') &&
    isObject(counters) &&
    (app === null || (isObject(app) && isText(app.name))) &&
    isListOf(holders, (holder) => [holder.site, holder.stack, holder.lastSql].every(isTextOrNull))
  );
}

function isBackend(backend: Fields): boolean {
  const { pid, state, query, application, user, database, waitType, blockedBy } = backend;
  return (
    typeof pid === 'number' &&
    [state, query, application, user, database, waitType].every(isTextOrNull) &&
    Array.isArray(blockedBy)
  );
}

function isPooler(pooler: unknown): boolean {
  if (!isObject(pooler)) return false;
  const { pools, databases, clients, servers } = pooler;
  return (
    isListOf(pools, (pool) => isText(pool.database) && isText(pool.user)) &&
    isListOf(databases, (one) => isText(one.name)) &&
    isListOf(clients, (one) => isText(one.id) && isText(one.state)) &&
    isListOf(servers, (one) => isText(one.id))
  );
}

type Fields = Readonly<Record<string, unknown>>;

function isListOf(value: unknown, isOne: (one: Fields) => boolean): boolean {
  return Array.isArray(value) && value.every((one) => isObject(one) && isOne(one));
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string';
}
