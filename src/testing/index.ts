/// <reference lib="esnext.disposable" preserve="true" />
// Not the globals: a test may have put fake timers in their place, which stand still when it ends.
import { clearTimeout, setTimeout } from 'node:timers';
import { CodedError } from '../base/coded-error.js';
import type { Holder, PoolSnapshot } from '../snapshot/pool.js';

/** A pool, as far as leak tests look at it: QueuePool is one. */
export interface WatchedPool {
  snapshot(): PoolSnapshot;
  on(event: 'release', listener: () => void): () => void;
  on(event: 'collected', listener: (lost: LostLease) => void): () => void;
}

/** A pool, or what has one: a Database. */
export type LeakTarget = WatchedPool | { readonly pool: WatchedPool };

/** A lease that the garbage collector has found unreleased. */
export interface LostLease {
  readonly leaseId: number;
  readonly site: string | null;
  readonly stack: string | null;
}

/** One lease that should have been back. */
export interface Leak {
  readonly pool: string;
  readonly leaseId: number;
  /** `file:line:column` of the code that acquired it; null where it is not known, since pools sample when busy. */
  readonly site: string | null;
  readonly stack: string | null;
  /** How long it has been out, in milliseconds; null if it is not known, or the lease is lost for good. */
  readonly ageMs: number | null;
  /** Dropped without a release, and taken back by the garbage collector. */
  readonly collected: boolean;
}

const HINT =
  'close in a finally, hold it with `using` or `await using`, or borrow through withSession() or use()';

/** Leases were left out. The message names each with the line that acquired it; the stack is that of the first. */
export class LeakError extends CodedError<'ERR_LEAK'> {
  readonly leaks: readonly Leak[];
  /** Acquires that still wait, and would get a lease that nobody releases. */
  readonly waiting: number;

  constructor(leaks: readonly Leak[], waiting: number) {
    super('ERR_LEAK', messageOf(leaks, waiting, HINT), { hint: HINT, kind: 'defect' });
    this.name = 'LeakError';
    this.leaks = leaks;
    this.waiting = waiting;
    // Test runners show the code at the top of the stack: the line that leaks says more than the one that checks.
    const stack = leaks.find((leak) => leak.stack !== null)?.stack;
    if (stack) this.stack = `${this.name}: ${this.message}\n${indent(stack, 4)}`;
  }
}

/**
 * Throws a LeakError if a lease of these pools is out at this moment, an acquire still waits, or one was lost to the
 * garbage collector since the last look. Each lease is named with its age and the line that acquired it.
 *
 * ```ts
 * await handleRequest(db);
 * expectNoLeaks(db);
 * ```
 */
export function expectNoLeaks(...targets: readonly LeakTarget[]): void {
  throwIfAny(targets.map((target) => checkAll(poolOf(target))));
}

/** How failOnLeak hooks into a test runner. */
export type TestRunner =
  /** The hooks of a file: vitest's, node:test's, jest's, mocha's. Checks every test of the file. */
  | { beforeEach(hook: () => void): unknown; afterEach(hook: () => Promise<void>): unknown }
  /** The context of one test, in node:test. */
  | { after(hook: () => Promise<void>): unknown }
  /** The context of one test, in vitest. */
  | { onTestFinished(hook: () => Promise<void>): unknown };

export interface FailOnLeakOptions {
  /**
   * How long leases may take to come back after the test, in milliseconds: a server may close its session a moment
   * after its client has read the response. Default 500. Waited for only while something is out.
   */
  readonly settleMs?: number;
}

/**
 * Fails each test that leaves a lease out, naming the line that acquired it. Leases that were out before the test
 * are not held against it, so one leak fails one test.
 *
 * ```ts
 * import { afterEach, beforeEach, test } from 'vitest'; // or 'node:test'
 * failOnLeak(db, { beforeEach, afterEach }); // every test of this file
 *
 * test('one test', async (t) => {
 *   failOnLeak(db, t); // or this test alone
 * });
 * ```
 *
 * A function in place of the pool is asked anew before each test, for pools that do not exist yet. With node:test,
 * whose hooks run in the order in which they were added, call it after hooks that close sessions. Tests that run side
 * by side (test.concurrent) need a pool each: of one that they share nobody can say whose lease is out.
 */
export function failOnLeak(
  targets: LeakTarget | readonly LeakTarget[] | (() => LeakTarget | readonly LeakTarget[]),
  runner: TestRunner,
  options: FailOnLeakOptions = {},
): void {
  const { settleMs = 500 } = options;
  let checks: LeakCheck[] = [];
  const start = (): void => {
    const given = typeof targets === 'function' ? targets() : targets;
    checks = [given].flat().map((target) => checkFromNowOn(poolOf(target)));
  };
  const finish = async (): Promise<void> => {
    await settled(checks, settleMs);
    for (const check of checks) check.stop();
    throwIfAny(checks);
  };
  if ('onTestFinished' in runner || 'after' in runner) {
    start();
    if ('onTestFinished' in runner) runner.onTestFinished(finish);
    else runner.after(finish);
  } else {
    runner.beforeEach(start);
    runner.afterEach(finish);
  }
}

/** How many leases of a pool, lost to the garbage collector, have been told of. */
const toldOf = new WeakMap<WatchedPool, number>();

/** The leases of one pool that were not out before. */
interface LeakCheck {
  isOut(): boolean;
  onRelease(listener: () => void): () => void;
  look(): { leaks: Leak[]; waiting: number };
  stop(): void;
}

/** Counts all leases that are out, and those lost since the last look. */
function checkAll(pool: WatchedPool): LeakCheck {
  return checkOf(pool, new Set(), 0, () => {
    const { collected } = pool.snapshot().counters;
    const unseen = collected - (toldOf.get(pool) ?? 0);
    return Array.from({ length: unseen }, () => ({ leaseId: 0, site: null, stack: null }));
  });
}

/** Leases that are out already do not count. */
function checkFromNowOn(pool: WatchedPool): LeakCheck {
  const { holders, waiting } = pool.snapshot();
  const before = new Set(holders.map(({ leaseId }) => leaseId));
  const lost: LostLease[] = [];
  const stop = pool.on('collected', (one) => {
    if (!before.has(one.leaseId)) lost.push(one);
  });
  return { ...checkOf(pool, before, waiting, () => lost), stop };
}

function checkOf(
  pool: WatchedPool,
  before: ReadonlySet<number>,
  waitingBefore: number,
  lost: () => readonly LostLease[],
): LeakCheck {
  const look = (): { leaks: Leak[]; waiting: number } => {
    const { name, holders, waiting, counters } = pool.snapshot();
    const out = holders.filter(({ leaseId }) => !before.has(leaseId)).map((holder) => leakOf(name, holder));
    const leaks = [...out, ...lost().map((one) => lostLeakOf(name, one))];
    toldOf.set(pool, counters.collected);
    return { leaks, waiting: Math.max(0, waiting - waitingBefore) };
  };
  return {
    look,
    isOut: () => {
      const { holders, waiting } = pool.snapshot();
      return waiting > waitingBefore || holders.some(({ leaseId }) => !before.has(leaseId));
    },
    onRelease: (listener) => pool.on('release', listener),
    stop() {},
  };
}

function leakOf(pool: string, { leaseId, site, stack, ageMs }: Holder): Leak {
  return { pool, leaseId, site, stack, ageMs, collected: false };
}

function lostLeakOf(pool: string, { leaseId, site, stack }: LostLease): Leak {
  return { pool, leaseId, site, stack, ageMs: null, collected: true };
}

function poolOf(target: LeakTarget): WatchedPool {
  return 'pool' in target ? target.pool : target;
}

function throwIfAny(checks: readonly LeakCheck[]): void {
  const looks = checks.map((check) => check.look());
  const leaks = looks.flatMap((look) => look.leaks);
  const waiting = looks.reduce((sum, look) => sum + look.waiting, 0);
  if (leaks.length > 0 || waiting > 0) throw new LeakError(leaks, waiting);
}

/** Waits until everything is back, for so long at most. */
function settled(checks: readonly LeakCheck[], settleMs: number): Promise<void> {
  const isOut = (): boolean => checks.some((check) => check.isOut());
  if (settleMs <= 0 || !isOut()) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timer);
      for (const off of offs) off();
      resolve();
    };
    const timer = setTimeout(stop, settleMs);
    const offs = checks.map((check) =>
      check.onRelease(() => {
        if (!isOut()) stop();
      }),
    );
  });
}

function messageOf(leaks: readonly Leak[], waiting: number, hint: string): string {
  const parts: string[] = [];
  if (leaks.length > 0)
    parts.push(leaks.length === 1 ? '1 lease was not released' : `${leaks.length} leases were not released`);
  if (waiting > 0) parts.push(waiting === 1 ? '1 acquire still waits' : `${waiting} acquires still wait`);
  return [`${parts.join(', and ')} (ERR_LEAK)`, ...leaks.map(lineOf), `  hint: ${hint}`].join('\n');
}

function lineOf({ pool, leaseId, site, ageMs, collected }: Leak): string {
  const which = leaseId === 0 ? 'a lease' : `lease ${leaseId}`;
  const state = collected ? 'dropped and garbage-collected' : `out for ${ageOf(ageMs)}`;
  return `  ${which} of '${pool}', ${state}, acquired at ${site ?? 'a place that is not known'}`;
}

function ageOf(ageMs: number | null): string {
  if (ageMs === null) return 'an unknown time';
  return ageMs < 10_000 ? `${Math.round(ageMs)} ms` : `${Math.round(ageMs / 1000)} s`;
}

function indent(text: string, by: number): string {
  return text
    .split('\n')
    .map((line) => ' '.repeat(by) + line.trim())
    .join('\n');
}
