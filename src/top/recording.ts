import type { Clock, Timer } from '../base/clock.js';
import { ValueError } from '../base/units.js';
import { isObject } from '../snapshot/bounds.js';
import { type Tick, tick } from '../snapshot/reading.js';
import { readAs } from '../snapshot/schema.js';
import { withAges } from './recorded-ages.js';
import { type Block, blocksIn } from './recording-file.js';
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

/** Lines, or blocks of them, which take far less memory than what they mean. */
export interface Recording {
  readonly blocks: readonly Block[];
  /** Whether it has times in the place of ages, as compressed ones have. */
  readonly hasTimes: boolean;
  /** Lines that are no ticks, as the last one of a recording that was cut off. */
  readonly skipped: number;
}

/** The ticks of a recording, one after the other, from that time on (milliseconds since the epoch). */
export function* ticksOf(
  { blocks, hasTimes }: Recording,
  fromMs = Number.NEGATIVE_INFINITY,
): Generator<Tick> {
  // Earlier blocks are not even decoded.
  const first = Math.max(
    0,
    blocks.findLastIndex(({ atMs }) => atMs <= fromMs),
  );
  for (const block of blocks.slice(first)) {
    for (const line of block.lines()) {
      const read = tickIn(line);
      if (read !== null && read.atMs >= fromMs) yield hasTimes ? withAges(read) : read;
    }
  }
}

/** The last ticks of a recording: up to so many, and fewer where its last block has fewer. */
export function lastTicksOf({ blocks, hasTimes }: Recording, most: number): readonly Tick[] {
  const lines = blocks.slice(-2).flatMap((block) => block.lines());
  const ticks = lines.slice(-most).flatMap((line) => tickIn(line) ?? []);
  return hasTimes ? ticks.map(withAges) : ticks;
}

/** The time of the first tick. */
export function beginningOf(recording: Recording): number {
  for (const { atMs } of ticksOf(recording)) return atMs;
  return 0;
}

/** Reads a recording, compressed or not. Throws a ValueError where it is none, or has nothing in it. */
export function parseRecording(file: Buffer | string): Recording {
  const packed = typeof file === 'string' ? null : blocksIn(file);
  if (packed === null) return parseText(file.toString());
  const { blocks, isCut } = packed;
  if (!blocks.some((block) => block.lines().some((line) => tickIn(line) !== null)))
    throw new ValueError('there is no reading in it');
  return { blocks, hasTimes: true, skipped: isCut ? 1 : 0 };
}

function parseText(text: string): Recording {
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
  const block = { atMs: tickIn(good[0] ?? '')?.atMs ?? 0, lines: () => good };
  return { blocks: [block], hasTimes: false, skipped: lines.length - good.length };
}

export interface ReplayOptions {
  readonly clock: Clock;
  /** Time between two ticks, whatever their recorded times. */
  readonly intervalMs: number;
  /** Begins there, in milliseconds since the epoch. Default: at the beginning. */
  readonly fromMs?: number;
}

/** Plays a recording, a tick at each interval. Pausing stops it. */
export function replayFeed(recording: Recording, { clock, intervalMs, fromMs }: ReplayOptions): Feed {
  const ticks = ticksOf(recording, fromMs);
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
