/** How many leases are out at each moment, and sums over that. */
export class Concurrency {
  /** Moments at which the number changes, and the number from then on. */
  readonly times: Float64Array;
  readonly levels: Float64Array;
  readonly peak: number;

  /** Leases are out from `startMs` to `endMs`, in any order. */
  constructor(startMs: Float64Array, endMs: Float64Array) {
    const starts = startMs.slice().sort();
    const ends = endMs.slice().sort();
    const times = new Float64Array(starts.length + ends.length);
    const levels = new Float64Array(times.length);
    let [started, ended, level, peak] = [0, 0, 0, 0];
    for (let at = 0; at < times.length; at++) {
      const start = starts[started] ?? Number.POSITIVE_INFINITY;
      const end = ends[ended] ?? Number.POSITIVE_INFINITY;
      // A lease that comes back as another goes out makes room for it.
      if (end <= start) {
        level--;
        ended++;
      } else {
        level++;
        started++;
      }
      times[at] = Math.min(start, end);
      levels[at] = level;
      if (level > peak) peak = level;
    }
    this.times = times;
    this.levels = levels;
    this.peak = peak;
  }

  /** A function that integrates `of(level)` from the first change on. */
  integral(of: (level: number) => number): (untilMs: number) => number {
    const { times, levels } = this;
    const sums = new Float64Array(times.length);
    for (let at = 1; at < times.length; at++) {
      sums[at] =
        (sums[at - 1] ?? 0) +
        ((times[at] ?? 0) - (times[at - 1] ?? 0)) * of(Math.max(1, levels[at - 1] ?? 0));
    }
    return (untilMs) => {
      let [low, high] = [0, times.length - 1];
      if (high < 0 || untilMs <= (times[0] ?? 0)) return 0;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((times[middle] ?? 0) <= untilMs) low = middle;
        else high = middle - 1;
      }
      return (sums[low] ?? 0) + (untilMs - (times[low] ?? 0)) * of(Math.max(1, levels[low] ?? 0));
    };
  }
}
