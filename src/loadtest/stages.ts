import { Histogram } from '../base/histogram.js';
import { formatCount, formatMs, formatShare } from '../base/units.js';
import type { RampPlan, Sample, Segment } from './api.js';
import { distributionOf } from './distribution.js';
import { arrivalsIn } from './models.js';
import { STAGE_COUNTS, type StageRecord } from './record.js';
import type { StageRow } from './result.js';
import { shareBetween, WHOLE } from './segment.js';

/** A p99 breaks with more slow ones than this; and no more than this may fail. */
const FEW = 0.01;
const ROUNDING_MS = 0.001;

interface Stage {
  readonly index: number;
  readonly response: Histogram;
  readonly wait: Histogram;
  /** Arrivals of the whole step that belong here. */
  readonly all: number;
  due: number;
  ended: number;
  failed: number;
  dropped: number;
  /** Slower than allowed, or failed. */
  slow: number;
  waitedLong: number;
  /** Successes that ended within the step, whenever they were due. */
  served: number;
}

/** Collects what became of each step of a ramp, and sees when the target no longer keeps up. */
export class StageRecorder {
  readonly #plan: RampPlan;
  readonly #stages: Stage[];

  constructor(plan: RampPlan, segment: Segment = WHOLE) {
    this.#plan = plan;
    let first = 0;
    this.#stages = plan.rates.map((rate, index) => {
      const all = shareBetween(first, first + arrivalsIn(rate, plan.stepMs), segment);
      first += arrivalsIn(rate, plan.stepMs);
      return {
        ...{ index, all, response: new Histogram(), wait: new Histogram() },
        ...{ due: 0, ended: 0, failed: 0, dropped: 0, slow: 0, waitedLong: 0, served: 0 },
      };
    });
  }

  /** The steps that were begun, for a merge. */
  records(): StageRecord[] {
    return this.#stages
      .filter(({ due }) => due > 0)
      .map(({ response, wait, all: _, ...counts }) => ({
        ...counts,
        response: response.toText(),
        wait: wait.toText(),
      }));
  }

  /** Adds what a segment recorded. */
  absorb(records: readonly StageRecord[]): void {
    for (const record of records) {
      const stage = this.#stages[record.index];
      if (stage === undefined) throw new RangeError(`the ramp has no step ${record.index + 1}`);
      for (const count of STAGE_COUNTS) stage[count] += record[count];
      stage.response.addText(record.response);
      stage.wait.addText(record.wait);
    }
  }

  begin(dueMs: number): void {
    const stage = this.#at(dueMs);
    if (stage !== undefined) stage.due++;
  }

  drop(dueMs: number): void {
    const stage = this.#at(dueMs);
    if (stage === undefined) return;
    stage.due++;
    stage.dropped++;
  }

  record({ dueMs, startedMs, acquiredMs, endedMs, errorCode }: Sample): void {
    const stage = this.#at(dueMs);
    if (stage === undefined) return;
    const { limits } = this.#plan;
    stage.ended++;
    if (errorCode !== null || endedMs - dueMs >= limits.p99Ms) stage.slow++;
    if (acquiredMs !== null && acquiredMs - startedMs >= limits.waitP99Ms) stage.waitedLong++;
    if (errorCode !== null) {
      stage.failed++;
      return;
    }
    stage.response.recordMs(endedMs - dueMs);
    if (acquiredMs !== null) stage.wait.recordMs(acquiredMs - startedMs);
    const during = this.#at(endedMs);
    if (during !== undefined) during.served++;
  }

  /** Whether a step is known to be broken by now, so that higher ones need not be tried. */
  isBroken(nowMs: number): boolean {
    return this.#stages.some((stage) => stage.due > 0 && this.#verdictOf(stage, nowMs).held === false);
  }

  /** The steps that were begun, in order. */
  finish(elapsedMs: number): StageRow[] {
    return this.#stages.filter(({ due }) => due > 0).map((stage) => this.#rowOf(stage, elapsedMs));
  }

  #at(ms: number): Stage | undefined {
    // Differences of clock readings are rounded: the first arrival of a step may seem due just before it.
    return this.#stages[Math.floor((ms + ROUNDING_MS) / this.#plan.stepMs)];
  }

  #rowOf(stage: Stage, elapsedMs: number): StageRow {
    const { stepMs, rates } = this.#plan;
    const { index, due, ended, failed, dropped, served } = stage;
    const [response, wait] = [distributionOf(stage.response), distributionOf(stage.wait)];
    const lengthMs = Math.min(stepMs, Math.max(1, elapsedMs - index * stepMs));
    return {
      ...{ index, atMs: index * stepMs, targetPerSecond: rates[index] ?? 0, due, failed, dropped },
      unfinished: due - dropped - ended,
      throughputPerSecond: (served / lengthMs) * 1000,
      ...{ p50Ms: response.p50Ms, p99Ms: response.p99Ms, waitMeanMs: wait.meanMs, waitP99Ms: wait.p99Ms },
      ...this.#verdictOf(stage, elapsedMs),
    };
  }

  #verdictOf(stage: Stage, nowMs: number): Pick<StageRow, 'held' | 'why'> {
    const { stepMs, limits } = this.#plan;
    const { index, all, due, ended, failed, dropped, slow, waitedLong } = stage;
    // Iterations that are still in progress this long after the step are slow.
    const isLate = nowMs >= (index + 1) * stepMs + limits.p99Ms;
    const late = isLate ? due - dropped - ended : 0;
    const broken = (why: string) => ({ held: false, why });
    if (dropped > 0) return broken(`${formatCount(dropped)} dropped: too many under way`);
    if (failed > FEW * all) return broken(`${formatShare(failed / all)} failed`);
    if (waitedLong > FEW * all) return broken(`p99 of waiting from ${formatMs(limits.waitP99Ms)} on`);
    if (slow + late > FEW * all) return broken(`p99 from ${formatMs(limits.p99Ms)} on`);
    return due >= all && (isLate || ended >= all) ? HELD : UNKNOWN;
  }
}

const HELD = { held: true, why: null } as const;
const UNKNOWN = { held: null, why: null } as const;
