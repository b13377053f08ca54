import type { Metric } from './metric.js';

/** The values of things that are counted together. */
export class Together {
  readonly #counters = new Map<Metric<unknown>, Counted>();

  get isEmpty(): boolean {
    return this.#counters.size === 0;
  }

  /**
   * The value of all, from those of each: one number, or those of a histogram. Counters only ever grow: a thing that
   * is gone, or begins anew, must not look as if all of them had begun anew. null while there was nothing.
   */
  add(
    metric: Metric<unknown>,
    values: readonly (readonly [key: string, value: readonly number[]])[],
  ): readonly number[] | null {
    if (metric.type === 'gauge') return values.length === 0 ? null : [gaugeOf(metric, values)];
    const counted = this.#counters.get(metric);
    if (counted === undefined && values.length === 0) return null;
    const last = new Map(values);
    const total = [...(counted?.total ?? [])];
    for (const [key, value] of values) {
      const before = counted?.last.get(key);
      // The sum of a histogram may be off by rounding.
      const isAnew = before === undefined || value.some((one, i) => one < (before[i] ?? 0) * (1 - 1e-9));
      for (const [i, one] of value.entries())
        total[i] = (total[i] ?? 0) + (isAnew ? one : Math.max(0, one - (before[i] ?? 0)));
    }
    this.#counters.set(metric, { total, last });
    return total;
  }
}

interface Counted {
  readonly total: readonly number[];
  /** Values of the labels in the last scrape. */
  readonly last: ReadonlyMap<string, readonly number[]>;
}

function gaugeOf(
  { together = 'sum' }: Metric<unknown>,
  values: readonly (readonly [key: string, value: readonly number[]])[],
): number {
  const numbers = values.map(([, [value = 0]]) => value);
  if (together === 'sum') return numbers.reduce((all, one) => all + one, 0);
  return numbers.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY);
}
