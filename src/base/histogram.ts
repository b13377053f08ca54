/**
 * Durations in whole microseconds, counted in buckets whose width grows with the value: exact below 256 µs,
 * within 0.8 % above (the layout of HdrHistogram by Gil Tene, 7 bits a power of two). Recording neither
 * allocates nor searches: one leading-zero count gives the bucket.
 */
const SUB_BUCKET_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
/** The largest value told apart, about 71 minutes; longer ones are counted there, and kept exactly in `maxUs`. */
const LARGEST_US = 2 ** 32 - 1;
const BUCKETS = (32 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS;

/** A histogram as plain data: what snapshots, reports and exporters read. All durations are in microseconds. */
export interface HistogramSnapshot {
  readonly count: number;
  readonly sumUs: number;
  /** null while nothing was recorded */
  readonly minUs: number | null;
  readonly maxUs: number | null;
  readonly meanUs: number | null;
  /** The buckets that hold something, in order: the highest value the bucket stands for, and its count. */
  readonly buckets: readonly (readonly [upToUs: number, count: number])[];
}

/**
 * A histogram for files and messages, from which an equal histogram can be made. `buckets` has a pair for each bucket
 * that holds something, in order: the highest value of the bucket, a colon, and its count. Spaces separate the pairs.
 */
export interface HistogramText {
  readonly count: number;
  readonly sumUs: number;
  readonly minUs: number | null;
  readonly maxUs: number | null;
  readonly buckets: string;
}

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sumUs = 0;
  #minUs = Number.POSITIVE_INFINITY;
  #maxUs = 0;

  get count(): number {
    return this.#count;
  }

  /** Records one duration in milliseconds (as clocks give it); a negative one counts as 0. */
  recordMs(ms: number): void {
    this.record(ms > 0 ? Math.round(ms * 1000) : 0);
  }

  /** Records one duration in whole microseconds. */
  record(us: number): void {
    this.#counts[bucketOf(us)]!++;
    this.#count++;
    this.#sumUs += us;
    if (us < this.#minUs) this.#minUs = us;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** Adds everything that another histogram holds. */
  add(other: Histogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += other.#counts[i]!;
    this.#count += other.#count;
    this.#sumUs += other.#sumUs;
    this.#minUs = Math.min(this.#minUs, other.#minUs);
    this.#maxUs = Math.max(this.#maxUs, other.#maxUs);
  }

  /** Adds what was written with `toText`. Throws a RangeError if the text is damaged. */
  addText({ count, sumUs, minUs, maxUs, buckets }: HistogramText): void {
    if (count === 0) return;
    let sum = 0;
    for (const pair of buckets.split(' ')) {
      const [, upToUs, inBucket] = /^(\d+):(\d+)$/.exec(pair) ?? [];
      if (upToUs === undefined) throw new RangeError(`'${pair}' is no bucket of a histogram`);
      this.#counts[bucketOf(Number(upToUs))]! += Number(inBucket);
      sum += Number(inBucket);
    }
    if (sum !== count || minUs === null || maxUs === null)
      throw new RangeError(`the buckets of a histogram hold ${sum} values, and its count is ${count}`);
    this.#count += count;
    this.#sumUs += sumUs;
    this.#minUs = Math.min(this.#minUs, minUs);
    this.#maxUs = Math.max(this.#maxUs, maxUs);
  }

  toText(): HistogramText {
    const { count, sumUs, minUs, maxUs, buckets } = this.snapshot();
    return { count, sumUs, minUs, maxUs, buckets: buckets.map(([upToUs, n]) => `${upToUs}:${n}`).join(' ') };
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sumUs = 0;
    this.#minUs = Number.POSITIVE_INFINITY;
    this.#maxUs = 0;
  }

  /** The value below or at which `percent` of the samples lie, in microseconds; null while there are none. */
  percentileUs(percent: number): number | null {
    return percentileUs(this.snapshot(), percent);
  }

  snapshot(): HistogramSnapshot {
    const buckets: [number, number][] = [];
    for (let i = 0; i < BUCKETS; i++)
      if (this.#counts[i]! > 0) buckets.push([upperUsOf(i), this.#counts[i]!]);
    const empty = this.#count === 0;
    return {
      count: this.#count,
      sumUs: this.#sumUs,
      minUs: empty ? null : this.#minUs,
      maxUs: empty ? null : this.#maxUs,
      meanUs: empty ? null : this.#sumUs / this.#count,
      buckets,
    };
  }
}

/**
 * The value below or at which `percent` (0 to 100) of the samples lie, by the nearest-rank rule: always a value
 * that a sample can have had, to the width of its bucket. null while nothing was recorded.
 */
export function percentileUs(histogram: HistogramSnapshot, percent: number): number | null {
  const { count, maxUs, minUs } = histogram;
  if (count === 0 || maxUs === null || minUs === null) return null;
  const rank = Math.max(1, Math.ceil((percent / 100) * count));
  let seen = 0;
  for (const [upToUs, inBucket] of histogram.buckets) {
    seen += inBucket;
    if (seen >= rank) return Math.max(minUs, Math.min(upToUs, maxUs));
  }
  return maxUs;
}

function bucketOf(us: number): number {
  if (us < SUB_BUCKETS) return us;
  const value = Math.min(us, LARGEST_US);
  const shift = 31 - Math.clz32(value) - SUB_BUCKET_BITS;
  return ((shift + 1) << SUB_BUCKET_BITS) + ((value >>> shift) - SUB_BUCKETS);
}

function upperUsOf(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const shift = (bucket >>> SUB_BUCKET_BITS) - 1;
  const within = (bucket & (SUB_BUCKETS - 1)) + SUB_BUCKETS;
  return (within + 1) * 2 ** shift - 1;
}
