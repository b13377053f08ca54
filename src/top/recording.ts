import type { Clock, Timer } from '../base/clock.js';
import { ValueError } from '../base/units.js';
import { isObject } from '../snapshot/bounds.js';
import { type Tick, tick } from '../snapshot/reading.js';
import { readAs } from '../snapshot/schema.js';
import type { Feed } from './session.js';

/** The first line of a recording; each other line is a tick. */
const HEADER = { poolctl: 'top', schema: 1 } as const;

/** A line of a recording. */
export type RecordingLine = typeof HEADER | Tick;

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
  for (const line of lines) {
    const read = tickIn(line);
    if (read !== null) yield read;
  }
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
  const good = lines.filter((line) => tickIn(line) !== null);
  if (good.length === 0) throw new ValueError('there is no reading in it');
  return { lines: good, skipped: lines.length - good.length };
}

export interface ReplayOptions {
  readonly clock: Clock;
  /** Time between two ticks, whatever their recorded times. */
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

function tickIn(line: string): Tick | null {
  return readAs(tick, parsed(line));
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
