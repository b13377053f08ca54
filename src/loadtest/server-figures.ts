import type { BackendFigures, Gauge, ServerSample } from './result.js';

/** How many backends are in one state and, of those that are active, wait for one thing. */
export interface BackendRow {
  /** As pg_stat_activity has it. */
  readonly state: string;
  /** `Lock:transactionid`; empty where it runs. */
  readonly event: string;
  readonly count: number;
}

/** Adds up what was seen of the backends, look by look. */
export class BackendSamples {
  readonly #states = new Map<string, GaugeRecorder>();
  readonly #events = new Map<string, number>();
  #samples = 0;

  add(rows: readonly BackendRow[]): void {
    this.#samples++;
    const counts = countsOf(rows);
    for (const state of counts.keys()) {
      if (!this.#states.has(state)) this.#states.set(state, new GaugeRecorder());
    }
    for (const [state, recorder] of this.#states) recorder.add(counts.get(state) ?? 0);
    for (const { state, event, count } of rows) {
      if (state === 'active') this.#events.set(event, (this.#events.get(event) ?? 0) + count);
    }
  }

  /** null if nobody looked. */
  finish(): BackendFigures | null {
    if (this.#samples === 0) return null;
    const active = [...this.#events.values()].reduce((sum, count) => sum + count, 0);
    return {
      samples: this.#samples,
      states: [...this.#states]
        .map(([state, recorder]) => ({ state, ...recorder.over(this.#samples) }))
        .sort((a, b) => b.mean - a.mean || a.state.localeCompare(b.state)),
      waits: [...this.#events]
        .map(([event, count]) => ({ event: event === '' ? null : event, share: count / active }))
        .sort((a, b) => b.share - a.share),
    };
  }
}

/** The number in each state. */
export function countsOf(rows: readonly BackendRow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { state, count } of rows) counts.set(state, (counts.get(state) ?? 0) + count);
  return counts;
}

/** The mean and the most of something that is looked at now and then. */
export class GaugeRecorder {
  #sum = 0;
  #most = 0;
  #count = 0;

  add(value: number): void {
    this.#sum += value;
    this.#most = Math.max(this.#most, value);
    this.#count++;
  }

  /** Over so many looks; those from before it was first seen count as 0. */
  over(samples = this.#count): Gauge {
    return { mean: samples === 0 ? 0 : this.#sum / samples, most: this.#most };
  }
}

/** A run of any length keeps no more rows than this. */
const MOST_ROWS = 600;

/** The course of the samples. Once there are many, neighbors become one, and so do those that come after. */
export class SampleCourse {
  #rows: ServerSample[] = [];
  #together = 1;
  #pending: ServerSample[] = [];

  add(sample: ServerSample): void {
    this.#pending.push(sample);
    if (this.#pending.length < this.#together) return;
    this.#rows.push(merged(this.#pending));
    this.#pending = [];
    if (this.#rows.length < MOST_ROWS) return;
    this.#together *= 2;
    this.#rows = this.#rows.flatMap((row, at, rows) => {
      const next = rows[at + 1];
      return at % 2 === 1 ? [] : [next === undefined ? row : merged([row, next])];
    });
  }

  finish(): readonly ServerSample[] {
    return this.#pending.length === 0 ? this.#rows : [...this.#rows, merged(this.#pending)];
  }
}

/** The mean of numbers of backends, and the most that ever waited. */
function merged(samples: readonly ServerSample[]): ServerSample {
  const [first] = samples;
  if (first === undefined) throw new Error('there is nothing to merge');
  const numbers = (of: (sample: ServerSample) => number | null) => samples.map(of).filter((n) => n !== null);
  const mean = (of: (sample: ServerSample) => number | null): number | null => {
    const values = numbers(of);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const queued = numbers((sample) => sample.queued);
  return {
    atMs: first.atMs,
    active: mean(({ active }) => active),
    idle: mean(({ idle }) => idle),
    inTransaction: mean(({ inTransaction }) => inTransaction),
    queued: queued.length === 0 ? null : Math.max(...queued),
  };
}
