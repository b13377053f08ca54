import { onAbort } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import { type Blocker, blockersOf } from './blockers.js';
import { type Ask, ConsoleError, commandFor, textOf } from './console.js';

export interface PauseRequest {
  /** KILL drops the connections of a database, and leaves it paused too. */
  readonly verb: 'PAUSE' | 'KILL';
  /** null: all of the pooler. */
  readonly database: string | null;
  /** How long servers that are in use may be waited for. */
  readonly timeoutMs: number;
  /** How long it then stays paused. */
  readonly holdMs: number;
}

/** Ends a pause if this process is killed. */
export interface Guard {
  /** Resolves if it is gone before it was released. */
  readonly lost: Promise<void>;
  /** The pooler goes on again: there is nothing left to do. */
  release(): Promise<void>;
  /** Lets it keep trying by itself. */
  leaveToIt(): void;
}

export interface PauseParts {
  /** For the command, on a connection of its own: it is answered late, or never. */
  readonly send: Ask;
  /** For all else meanwhile. */
  readonly ask: Ask;
  /** Whether an error means that the connection is gone, and not that the console refused. */
  isLost(error: unknown): boolean;
  /** Sets the guard up, which would send this command. */
  arm(resume: string): Promise<Guard>;
  readonly stop: AbortSignal;
  readonly clock: Clock;
  onSent(): void;
  onReached(waitedMs: number): void;
}

export type PauseEnd =
  /** It was paused for as long as it was to be. */
  | 'held'
  /** It was paused, and then this was interrupted. */
  | 'interrupted'
  /** Servers were in use for too long. */
  | 'timeout'
  /** Interrupted while servers were waited for. */
  | 'stopped';

export interface PauseResult {
  readonly verb: 'PAUSE' | 'KILL';
  readonly database: string | null;
  readonly end: PauseEnd;
  /** Until it was paused, or given up. */
  readonly waitedMs: number;
  /** null: it was never paused. */
  readonly heldMs: number | null;
  /** Somebody else had resumed it before. */
  readonly resumedBefore: boolean;
  /** The clients that kept it from being paused, at the end. */
  readonly blockers: readonly Blocker[];
}

/** To list who blocks; the pooler has still to be resumed then. */
const LOOK_MS = 2000;
/** For each attempt to resume, and between two. */
const RESUME_MS = 5000;
const RESUME_AGAIN_MS = 300;
const RESUME_ATTEMPTS = 5;

/**
 * Pauses, stays so for a while, and resumes: whatever comes in between, no way out of here leaves the pooler paused.
 * Should this process be killed, the guard resumes; should the console not answer, the guard tries on.
 */
export async function pauseGuarded(request: PauseRequest, parts: PauseParts): Promise<PauseResult> {
  const { verb, database, timeoutMs, holdMs } = request;
  const { clock, stop } = parts;
  const command = commandFor(verb, database);
  const resumeCommand = commandFor('RESUME', database);
  await refusePaused(database, parts);
  // Opens the connection, so that the command itself is on its way as soon as it is sent.
  await parts.send('SHOW VERSION', stop);
  stop.throwIfAborted();
  const guard = await parts.arm(resumeCommand);
  const startedMs = clock.now();
  const givenUp = new AbortController();
  const sent = parts.send(command, givenUp.signal).then(
    () => ({ kind: 'answered' as const }),
    (thrown: unknown) => ({ kind: 'failed' as const, error: asError(thrown) }),
  );
  parts.onSent();
  const lost = guard.lost.then(() => ({ kind: 'unguarded' as const }));
  const limit = after(timeoutMs, stop, clock);
  const first = await Promise.race([sent, lost, limit.ended]);
  limit.cancel();
  const waitedMs = clock.now() - startedMs;
  if (first.kind === 'failed' && !parts.isLost(first.error)) {
    // Nothing was paused, or not by this.
    await guard.release();
    throw first.error;
  }
  let blockers: readonly Blocker[] = [];
  let heldMs: number | null = null;
  let end: PauseEnd = first.kind === 'stopped' ? 'stopped' : 'timeout';
  let unguarded = first.kind === 'unguarded';
  if (first.kind === 'answered') {
    parts.onReached(waitedMs);
    const hold = after(holdMs, stop, clock);
    const held = await Promise.race([lost, hold.ended]);
    hold.cancel();
    heldMs = clock.now() - startedMs - waitedMs;
    end = held.kind === 'stopped' ? 'interrupted' : 'held';
    unguarded = held.kind === 'unguarded';
  } else if (first.kind !== 'failed') blockers = await lookForBlockers(database, parts);
  const resumedBefore = await resume(resumeCommand, guard, parts);
  // Not before: its end is a request to cancel, by which PgBouncer resumes too, but not a single database.
  givenUp.abort();
  await sent;
  await guard.release();
  if (first.kind === 'failed') throw first.error;
  if (unguarded) {
    const message = 'the process that would have resumed the pooler ended, so it was resumed at once';
    throw new ConsoleError('ERR_PGBOUNCER_GONE', message, null);
  }
  return { verb, database, end, waitedMs, heldMs, resumedBefore, blockers };
}

/**
 * Another's pause would be ended by ours, and does not show in what PAUSE of a database answers. Of a database that only
 * `*` names, and that nobody is connected to, PgBouncer does not tell at all.
 */
async function refusePaused(database: string | null, { ask, isLost, stop }: PauseParts): Promise<void> {
  const rows = await ask('SHOW DATABASES', stop);
  const own = rows.find(({ name }) => name === database);
  // From 1.19; before, PAUSE itself refuses.
  const state = await ask('SHOW STATE', stop).catch((error: unknown) => {
    if (stop.aborted || isLost(error)) throw error;
    return [];
  });
  const all = state.some(({ key, value }) => key === 'paused' && textOf(value) === 'yes');
  if (!all && Number(own?.paused ?? 0) !== 1) return;
  throw new ConsoleError(
    'ERR_PGBOUNCER_PAUSED',
    `${all || database === null ? 'the pooler' : `'${database}'`} is paused already, by somebody else`,
    `poolctl pgbouncer resume${all || database === null ? '' : ' with the name of the database'} ends that`,
  );
}

async function lookForBlockers(database: string | null, { ask }: PauseParts): Promise<readonly Blocker[]> {
  const signal = AbortSignal.timeout(LOOK_MS);
  try {
    const servers = await ask('SHOW SERVERS', signal);
    return blockersOf(servers, await ask('SHOW CLIENTS', signal), database);
  } catch {
    // To resume matters more.
    return [];
  }
}

/** Gives whether somebody else had done so before. Neither Ctrl-C nor a broken connection keeps it from trying. */
async function resume(command: string, guard: Guard, { ask, isLost, clock }: PauseParts): Promise<boolean> {
  let last: Error | null = null;
  for (let attempt = 1; attempt <= RESUME_ATTEMPTS; attempt++) {
    try {
      await ask(command, AbortSignal.timeout(RESUME_MS));
      return false;
    } catch (thrown) {
      last = asError(thrown);
      if (saysNotPaused(last)) return true;
      // Nobody listens there any more: a pooler that is gone is not paused, nor will the next one be.
      if (isRefused(last)) return true;
      if (!isLost(last) && last.name !== 'AbortError') break;
    }
    await new Promise<void>((done) => void clock.setTimer(done, RESUME_AGAIN_MS));
  }
  guard.leaveToIt();
  throw new ConsoleError(
    'ERR_PGBOUNCER_STILL_PAUSED',
    `the pooler may still be paused: ${command} failed: ${last?.message ?? ''}`,
    'a process of poolctl goes on trying for a minute; poolctl pgbouncer resume does it by hand',
  );
}

/** Recognizes the answer of RESUME where there is nothing to resume. */
export function saysNotPaused({ message }: Error): boolean {
  return /is not paused|no such database|shutting down/.test(message);
}

function isRefused(error: Error): boolean {
  return 'code' in error && error.code === 'ECONNREFUSED';
}

interface Ended {
  readonly kind: 'over' | 'stopped';
}

interface Waiting {
  readonly ended: Promise<Ended>;
  /** To be called in any case: a timer keeps the process alive. */
  cancel(): void;
}

function after(ms: number, stop: AbortSignal, clock: Clock): Waiting {
  let cancel = ignore;
  const ended = new Promise<Ended>((resolve) => {
    let unwatch = ignore;
    const timer = clock.setTimer(() => {
      unwatch();
      resolve({ kind: 'over' });
    }, ms);
    const stopped = (): void => {
      timer.cancel();
      resolve({ kind: 'stopped' });
    };
    if (stop.aborted) stopped();
    else unwatch = onAbort(stop, stopped);
    cancel = () => {
      timer.cancel();
      unwatch();
    };
  });
  return { ended, cancel };
}
