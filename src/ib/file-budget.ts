import { readFile, rm, writeFile } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/clock.js';
import { FileLock } from './file-lock.js';
import type { Claim, SharedBudget } from './shared-budget.js';

/** The messages sent, by window: times since the epoch in milliseconds, each as often as it weighs. */
type Log = Record<string, number[]>;

/** Windows of ten minutes are the longest: older times are of no use. */
const LONGEST_WINDOW_MS = 700_000;

/**
 * A budget in a file, for processes of one machine: all must name the same file. Beside it there is a lock file while one
 * of them looks at it. A process that is killed with the lock holds up the others for 2 seconds. Clocks may differ: all
 * processes go by the clock of the file system.
 */
export function fileBudget(
  path: string,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): SharedBudget {
  return {
    async take(claims) {
      for (;;) {
        const lock = await FileLock.acquire(`${path}.lock`, clock);
        try {
          const log = await read(path);
          const full = takeFrom(log, claims, lock.now());
          if (full !== null) return full;
          if (await write(path, log, lock)) return null;
        } finally {
          lock.release();
        }
        // This process stood still, and lost the lock meanwhile: what it has read is out of date.
      }
    },
  };
}

/** Takes the room in the log itself, or reports the window that is full. */
function takeFrom(log: Log, claims: readonly Claim[], now: number): { key: string; waitMs: number } | null {
  for (const { key, weight, most, windowMs } of claims) {
    // After the clock was set back, times lie in the future. They count as now, or the window would hold twice as many.
    const times = (log[key] ?? []).map((time) => Math.min(time, now)).filter((time) => time > now - windowMs);
    times.sort((a, b) => a - b);
    log[key] = times;
    if (times.length === 0 || times.length + weight <= most) continue;
    const leaves = times[Math.min(times.length, times.length + weight - most) - 1] ?? now;
    return { key, waitMs: leaves + windowMs - now };
  }
  for (const { key, weight } of claims)
    log[key] = [...(log[key] ?? []), ...Array.from({ length: weight }, () => now)];
  for (const [key, times] of Object.entries(log)) {
    if ((times.at(-1) ?? 0) < now - LONGEST_WINDOW_MS) delete log[key];
  }
  return null;
}

async function read(path: string): Promise<Log> {
  try {
    return toLog(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    // It is not there yet, or was cut short by a full disk.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Leaves out whatever is not a list of times. */
function toLog(value: unknown): Log {
  const isTimes = (one: unknown): one is number[] =>
    Array.isArray(one) && one.every((time) => Number.isFinite(time));
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, times]) => isTimes(times)));
}

/** Whether it was written: not where another process has the lock by now. */
async function write(path: string, log: Log, lock: FileLock): Promise<boolean> {
  const draft = `${path}.${lock.token}`;
  await writeFile(draft, JSON.stringify(log));
  if (lock.publish(draft, path)) return true;
  await rm(draft, { force: true });
  return false;
}
