import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/clock.js';
import type { Claim, SharedBudget } from './shared-budget.js';

/** The holder of a lock that has had it for so long is gone: it takes milliseconds. */
const STALE_MS = 2000;
/** Between two attempts to get the lock, in milliseconds. */
const RETRY_MS = 3;
/** Attempts before the budget is given up. */
const ATTEMPTS = 2000;

/** What was sent, by window: times since the epoch in milliseconds, each as often as it weighs. */
type Log = Record<string, number[]>;

/**
 * A budget in a file, for processes of one machine: all must name the same file. Beside it there is a lock file while one
 * of them looks at it. A process that dies holds up the others for 2 seconds at most.
 */
export function fileBudget(
  path: string,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): SharedBudget {
  return {
    async take(claims) {
      const unlock = await lock(`${path}.lock`, clock);
      try {
        const log = await read(path);
        const now = clock.wallTime();
        const full = takeFrom(log, claims, now);
        if (full === null) await write(path, log);
        return full;
      } finally {
        await unlock();
      }
    },
  };
}

/** Takes the room in the log itself, or says what is full. */
function takeFrom(log: Log, claims: readonly Claim[], now: number): { key: string; waitMs: number } | null {
  for (const { key, weight, most, windowMs } of claims) {
    // Times of a clock that was set back since are of no use.
    const times = (log[key] ?? []).filter((time) => time > now - windowMs && time <= now + windowMs);
    log[key] = times;
    if (times.length === 0 || times.length + weight <= most) continue;
    const leaves = times[Math.min(times.length, times.length + weight - most) - 1] ?? now;
    return { key, waitMs: leaves + windowMs - now };
  }
  for (const { key, weight } of claims)
    log[key] = [...(log[key] ?? []), ...Array.from({ length: weight }, () => now)];
  // Windows of ten minutes are the longest: what is older is nobody's.
  for (const [key, times] of Object.entries(log)) {
    if ((times.at(-1) ?? 0) < now - LONGEST_WINDOW_MS) delete log[key];
  }
  return null;
}

const LONGEST_WINDOW_MS = 700_000;

async function read(path: string): Promise<Log> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Log;
  } catch (error) {
    // It is not there yet, or was cut short by a full disk.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

async function write(path: string, log: Log): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, JSON.stringify(log));
  await rename(draft, path);
}

/** Resolves with the way to give it back. */
async function lock(path: string, clock: Clock): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const file = await open(path, 'wx');
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await breakStale(path, clock);
    await new Promise<void>((resolve) => void clock.setTimer(resolve, RETRY_MS));
  }
  throw new Error(`the lock ${path} is never free; remove it if no process uses it`);
}

async function breakStale(path: string, clock: Clock): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (clock.wallTime() - mtimeMs < STALE_MS) return;
    // Of those who find it stale, one can move it away.
    const moved = `${path}.${randomUUID()}`;
    await rename(path, moved);
    await rm(moved, { force: true });
  } catch (error) {
    // It was given back, or moved away, meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
