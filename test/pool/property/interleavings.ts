import fc from 'fast-check';
import type { PoolSnapshot } from '../../../src/snapshot/pool.js';
import { checkAtOnce, checkClosed, checkProgress, checkSettled } from './invariants.js';
import { Player, type PoolClass } from './player.js';
import { type Script, type Step, scripts, tell } from './script.js';

export interface Search {
  readonly runs: number;
  readonly seed: number;
  /** Look for the shortest script that breaks the same. Default true. */
  readonly shrink?: boolean;
}

/**
 * Plays seeded random interleavings on pools of this class, and checks the invariants after every step. Answers
 * the shortest script it found that breaks one, as a story to read; null if none did.
 */
export async function findCounterExample(
  Pool: PoolClass,
  { runs, seed, shrink = true }: Search,
): Promise<string | null> {
  const property = fc.asyncProperty(scripts, (script) => playAndCheck(Pool, script));
  const result = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrink });
  if (!result.failed) return null;
  const { errorInstance, counterexamplePath } = result;
  const story = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance);
  return `${story}\nseed ${seed}, path ${counterexamplePath}, after ${result.numRuns} scripts`;
}

/** A script that broke an invariant: what was done, how the pool stood after each step, and what was wrong. */
class Broken extends Error {
  constructor(problems: readonly string[], script: Script, story: readonly string[]) {
    super([...problems, `with ${JSON.stringify(script.settings)}`, ...story].join('\n  '));
    this.name = 'Broken';
    this.stack = `${this.name}: ${this.message}`;
  }
}

async function playAndCheck(Pool: PoolClass, script: Script): Promise<void> {
  const player = new Player(Pool, script.settings);
  const story: string[] = [];
  let before = player.pool.snapshot();
  const check = (line: string, ...checks: ((now: PoolSnapshot) => string[])[]): void => {
    const now = player.pool.snapshot();
    story.push(`${line.padEnd(44)} ${stateOf(player, now)}`);
    const problems = [
      ...player.problems,
      ...checkAtOnce(player, before, now),
      ...checks.flatMap((each) => each(now)),
    ];
    if (problems.length > 0) throw new Broken(problems, script, story);
    before = now;
  };
  const settled = (now: PoolSnapshot): string[] => checkSettled(player, now);

  for (const step of script.steps) await playStep(player, step, check, settled);
  await player.clock.settle();
  check('settle', settled);
  if (script.settings.drain && player.closing === null) await drain(player, check, settled);
  await closeUp(player, check, settled);
}

type Check = (line: string, ...checks: ((now: PoolSnapshot) => string[])[]) => void;
type Checks = (now: PoolSnapshot) => string[];

async function playStep(player: Player, step: Step, check: Check, settled: Checks): Promise<void> {
  const { clock, pool } = player;
  if (step.act === 'pass') {
    await clock.settle();
    const before = pool.snapshot();
    await player.play(step);
    check(tell(step), settled, (now) => checkProgress(player, before, now, step.ms));
    return;
  }
  await player.play(step);
  check(tell(step));
  if (step.then === 'settle') await clock.settle();
  else for (let i = 0; i < step.then; i++) await null;
  check('', ...(step.then === 'settle' ? [settled] : []));
}

const DRAIN_MS = 50;
/** Enough for the longest retry, and for one round of everybody after it. */
const DRAIN_ROUNDS = 100;

/** Everything works again, and all leases come back: then all who wait are served. */
async function drain(player: Player, check: Check, settled: Checks): Promise<void> {
  const { clock, pool } = player;
  player.driver.heal();
  await clock.settle();
  const waiting = player.pending;
  for (let round = 0; round < DRAIN_ROUNDS && pool.snapshot().waiting > 0; round++) {
    for (const borrowing of player.held) player.release(borrowing);
    await clock.advance(DRAIN_MS);
    check('drain', settled);
  }
  check('drained', settled, (now) => {
    const unserved = waiting.filter(({ outcome }) => outcome === 'pending').map(({ nth }) => nth);
    const problem = `acquires ${unserved} were never served, though everything works and is free`;
    return now.waiting === 0 ? [] : [problem];
  });
}

/** Closes the pool; then everything that was opened must be closed, and everybody answered. */
async function closeUp(player: Player, check: Check, settled: Checks): Promise<void> {
  const { clock, settings } = player;
  const graceMs = 50;
  player.close(graceMs);
  await clock.settle();
  check('close', settled);
  // What hangs is given up: a check, then its hook; or a reset; each followed by a destroy.
  await clock.advance(graceMs + 3 * settings.operationTimeoutMs);
  check('close awaited', settled, () => player.unfinished.map((what) => `${what} has not settled`));
  player.driver.heal();
  for (const borrowing of player.detached) player.closeDetached(borrowing);
  // What arrives late is closed late, slowly perhaps.
  await clock.advance(2 * settings.operationTimeoutMs);
  check('the end', settled, (now) => checkClosed(player, now));
}

function stateOf(player: Player, now: PoolSnapshot): string {
  const gauges = ['waiting', 'idle', 'inUse', 'creating', 'checking', 'resetting', 'closing'] as const;
  const parts = gauges.filter((name) => now[name] > 0).map((name) => `${name} ${now[name]}`);
  return `| at ${player.clock.now()} ms: ${parts.join(', ')}`;
}
