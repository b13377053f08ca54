import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/clock.js';

/** A lock that has not changed for this long belongs to a process that is gone: a holder needs milliseconds. */
const STALE_MS = 2000;
/** Between two attempts to get the lock, in milliseconds. */
const RETRY_MS = 3;
/** Attempts before the lock is given up. */
const ATTEMPTS = 2000;
/** File systems stamp files by a clock that ticks every few milliseconds. */
const TICK_MS = 20;

/**
 * A lock file that survives its holder. A process that finds it unchanged for 2 seconds removes it. A holder that
 * only stood still notices that before it publishes anything, because the lock has its token.
 */
export class FileLock {
  /** Names this holder. */
  readonly token: string;
  readonly #path: string;
  readonly #clock: Clock;
  /** By how much the clock is ahead of that of the file system, in milliseconds. */
  readonly #aheadMs: number;

  private constructor(path: string, token: string, clock: Clock, aheadMs: number) {
    this.#path = path;
    this.token = token;
    this.#clock = clock;
    this.#aheadMs = aheadMs;
  }

  /** Waits until the lock is free. Rejects if it never is, or where the folder cannot be written. */
  static async acquire(path: string, clock: Clock): Promise<FileLock> {
    const token = randomUUID();
    let seen: string | null = null;
    let since = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const aheadMs = await create(path, token, clock);
      if (aheadMs !== null) return new FileLock(path, token, clock, aheadMs);
      const identity = await identityOf(path);
      // Its age counts from here: the clocks of two processes may differ.
      const now = systemClock.now();
      if (identity !== seen) since = now;
      else if (identity !== null && now - since >= STALE_MS) await remove(path, identity);
      seen = identity;
      await new Promise<void>((resolve) => void systemClock.setTimer(resolve, RETRY_MS));
    }
    throw new Error(`the lock ${path} is never free; remove it if no process uses it`);
  }

  /** Milliseconds since the epoch, by the clock that all holders share: that of the file system. */
  now(): number {
    return this.#clock.wallTime() - this.#aheadMs;
  }

  /** Renames a file if the lock is still held; gives whether it is. Nothing else runs in between. */
  publish(draft: string, path: string): boolean {
    if (!this.#isHeld) return false;
    renameSync(draft, path);
    return true;
  }

  release(): void {
    if (this.#isHeld) rmSync(this.#path, { force: true });
  }

  get #isHeld(): boolean {
    try {
      return readFileSync(this.#path, 'utf8') === this.token;
    } catch {
      return false;
    }
  }
}

/** Gives by how much the clock is ahead of that of the file system; null if another process has the lock. */
async function create(path: string, token: string, clock: Clock): Promise<number | null> {
  const before = clock.wallTime();
  const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  if (file === null) return null;
  try {
    await file.writeFile(token);
    const { mtimeMs } = await file.stat();
    return aheadBy(mtimeMs, before, clock.wallTime());
  } catch (error) {
    // A full disk: nobody must wait for this lock.
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** 0 where the stamp fits the clock, and where it only counts seconds. */
function aheadBy(stampMs: number, before: number, after: number): number {
  const fits = stampMs >= before - TICK_MS && stampMs <= after + TICK_MS;
  return fits || stampMs % 1000 === 0 ? 0 : after - stampMs;
}

/** Changes with each holder; null if there is no lock. */
async function identityOf(path: string): Promise<string | null> {
  try {
    const { ino, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${mtimeNs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Removes the lock with that identity, and no other: several processes may find it stale at once. */
async function remove(path: string, identity: string): Promise<void> {
  const moved = `${path}.${randomUUID()}`;
  try {
    await rename(path, moved);
    // Another process was faster, and this is the lock of the next holder. It gets it back, or asks again.
    if ((await identityOf(moved)) !== identity) await link(moved, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  } finally {
    await rm(moved, { force: true });
  }
}
