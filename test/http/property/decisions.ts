import fc from 'fast-check';
import { expect } from 'vitest';
import type { Breaker, Outcome } from '../../../src/http/breaker.js';
import { type RetryBudget, resolveRetry } from '../../../src/http/retry.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';

/** What decides on calls, as it is or with a defect planted. */
export interface Played {
  readonly Breaker: typeof Breaker;
  readonly RetryBudget: typeof RetryBudget;
}

const SETTINGS = { windowMs: 5000, minCalls: 3, failureShare: 0.5, openMs: 2000, probes: 2 };
const BUDGET = resolveRetry({ budgetShare: 0.5, budgetMin: 2 });
const BUDGET_MS = 10_000;

const outcome = fc.constantFrom('success', 'failure', 'failure', 'nothing');
const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(3), outcome }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retry' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 99, 500, 900, 1999, 2000, 2000, 9000),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/**
 * Plays seeded random interleavings of calls that begin and end, of retries and of time. Returns the first sentence
 * that does not hold against a plain model, with its script; null if all hold.
 */
export async function findCounterExample(
  played: Played,
  { runs, seed, shrink = true }: { readonly runs: number; readonly seed: number; readonly shrink?: boolean },
): Promise<string | null> {
  const scripts = fc.array(action, { minLength: 1, maxLength: 80, size: 'max' });
  const property = fc.asyncProperty(scripts, (actions) => play(played, actions));
  const result = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrink });
  if (!result.failed) return null;
  const script = JSON.stringify(result.counterexample);
  return `${result.errorInstance}\nseed ${seed}, path ${result.counterexamplePath}\n${script}`;
}

/** Times, of which those count that are in the newest ten tenths of a window. */
class Window {
  readonly #times: number[] = [];
  readonly #tenthMs: number;

  constructor(windowMs: number) {
    this.#tenthMs = windowMs / 10;
  }

  add(now: number): void {
    this.#times.push(now);
  }

  clear(): void {
    this.#times.length = 0;
  }

  total(now: number): number {
    const tenth = (at: number): number => Math.floor(at / this.#tenthMs);
    return this.#times.filter((at) => tenth(at) > tenth(now) - 10).length;
  }
}

async function play({ Breaker, RetryBudget }: Played, actions: readonly Action[]): Promise<void> {
  const clock = new VirtualClock();
  let turns = 0;
  const breaker = new Breaker(
    SETTINGS,
    clock,
    () => 0.5,
    () => turns++,
  );
  const budget = new RetryBudget(clock);
  const open: { readonly probe: boolean; readonly round: number }[] = [];
  const calls = new Window(SETTINGS.windowMs);
  const failures = new Window(SETTINGS.windowMs);
  const requests = new Window(BUDGET_MS);
  const retries = new Window(BUDGET_MS);
  let state = 'closed' as 'closed' | 'open' | 'half-open';
  let retryAt = 0;
  let expectedTurns = 0;
  /** Half-open times so far: a probe of an earlier one says nothing of this. */
  let round = 0;
  const turn = (to: typeof state): void => {
    state = to;
    expectedTurns++;
    if (to === 'open') retryAt = clock.now() + SETTINGS.openMs;
  };

  for (const each of actions) {
    const now = clock.now();
    switch (each.kind) {
      case 'begin': {
        budget.note();
        requests.add(now);
        const probing = open.filter((one) => one.probe && one.round === round).length;
        const expected =
          state === 'closed' || (state === 'open' ? now >= retryAt : probing < SETTINGS.probes);
        expect(breaker.wouldAdmit, 'would admit').toBe(expected);
        const admission = breaker.admit();
        expect(admission !== null, 'admits').toBe(expected);
        if (admission === null) break;
        if (state === 'open') {
          turn('half-open');
          round++;
        }
        expect(admission.probe, 'is a probe').toBe(state === 'half-open');
        open.push({ probe: admission.probe, round });
        break;
      }
      case 'end': {
        // In a half-open time the probes of an earlier one are left unsettled: nobody waits for them.
        const known = open.filter((one) => !one.probe || (one.round === round && state === 'half-open'));
        const one = known[each.which % Math.max(1, known.length)];
        if (one === undefined) break;
        open.splice(open.indexOf(one), 1);
        breaker.settle({ probe: one.probe }, each.outcome as Outcome);
        if (one.probe) {
          if (each.outcome === 'failure') turn('open');
          if (each.outcome === 'success') {
            turn('closed');
            calls.clear();
            failures.clear();
          }
        } else if (state === 'closed' && each.outcome !== 'nothing') {
          calls.add(now);
          if (each.outcome === 'success') break;
          failures.add(now);
          const [all, failed] = [calls.total(now), failures.total(now)];
          if (all >= SETTINGS.minCalls && failed >= all * SETTINGS.failureShare) turn('open');
        }
        break;
      }
      case 'retry': {
        const most = Math.max(BUDGET.budgetMin, requests.total(now) * BUDGET.budgetShare);
        const expected = retries.total(now) < most;
        expect(budget.take(BUDGET), 'a retry within the budget').toBe(expected);
        if (expected) retries.add(now);
        break;
      }
      case 'wait':
        await clock.advance(each.ms);
        break;
    }
    expect(breaker.state, 'state').toBe(state);
    expect(turns, 'turns that were told').toBe(expectedTurns);
    expect(breaker.retryAt, 'when it is tried again').toBe(state === 'open' ? retryAt : null);
    const all = calls.total(clock.now());
    expect(breaker.failureShare, 'share of failures').toBe(
      all === 0 ? null : failures.total(clock.now()) / all,
    );
  }
}
