import type { HistogramSnapshot } from '../base/histogram.js';
import { maskSecrets } from '../base/secrets.js';
import type { Finding } from '../diagnosis/types.js';
import type { Reading } from '../snapshot/reading.js';
import { causes as causeFamily, labelledCauses } from './causes.js';
import { LabelSlots } from './label-slots.js';
import type { AnyFamily, Compat, Labelled, Metric } from './metric.js';
import { type SourceHealth, sources as sourceFamily, TABLE } from './table.js';
import { Together } from './together.js';

/** The part of prom-client's Registry that is used, for all versions and copies. Each scrape reads its values. */
export interface Collected {
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  get(): Promise<CollectedValues>;
  /** As get; prom-client takes it where it is there, and writes what is shared once. */
  getForPromString(): Promise<CollectedValues>;
  reset(): void;
}

export interface CollectedValues {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly Sample[];
}

/** One line. */
interface Sample {
  readonly labels: Labels;
  readonly sharedLabels?: Labels;
  readonly metricName?: string;
  readonly value: number;
}

type Labels = Readonly<Record<string, string | number>>;

export interface ExpositionOptions {
  readonly compat: readonly Compat[];
  /**
   * Things of one kind and source that have series of their own; the others are counted together, as `other`. So what
   * an application or a database calls its pools and users cannot fill up the memory of Prometheus.
   */
  readonly maxPools: number;
  /** Families that are left out have no metrics. Default: all. */
  readonly families?: readonly AnyFamily[];
}

/** One source as it was read; the reading is null where that failed. */
export interface SourceReading {
  /** The label `source`; null has none. */
  readonly source: string | null;
  readonly health: SourceHealth | null;
  readonly reading: Reading | null;
  /** The causes that the diagnosis names for it. Default: none. */
  readonly findings?: readonly Finding[];
}

/** In seconds: from what no dashboard tells from at once up to what nobody waits for. */
export const BUCKETS: readonly number[] = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10, 30, 60, 300],
];

const OTHER = 'other';
/** Longer labels are cut. */
const MOST_LABEL = 200;

/** Turns readings into the samples of each metric of the table. */
export class Exposition {
  /** To be registered. */
  readonly metrics: readonly Collected[];
  readonly #options: ExpositionOptions;
  readonly #samples = new Map<string, readonly Sample[]>();
  readonly #families: readonly AnyFamily[];
  /** By source. */
  #books = new Map<string, Book>();

  constructor(options: ExpositionOptions) {
    this.#options = options;
    this.#families = options.families ?? Object.values<AnyFamily>(TABLE);
    this.metrics = this.#families.flatMap(({ metrics }) =>
      Object.values(metrics).flatMap((metric) =>
        this.#namesOf(metric).map((name) => collected(name, metric, () => this.#samples.get(name) ?? [])),
      ),
    );
  }

  /** The metrics that have values at this moment. */
  measured(): readonly Collected[] {
    return this.metrics.filter(({ name }) => this.#samples.has(name));
  }

  /** From now on the metrics are those of these readings. `nowMs` is monotonic. */
  update(readings: readonly SourceReading[], nowMs: number): void {
    const books = new Map<string, Book>();
    const samples = new Map<string, Sample[]>();
    for (const { source, health, reading, findings = [] } of readings) {
      const key = source ?? '';
      const book = this.#books.get(key) ?? new Map<AnyFamily, FamilyBook>();
      books.set(key, book);
      for (const family of this.#families) {
        // A source that cannot be read has these two all the same.
        const given = family === sourceFamily || family === causeFamily;
        if (!given && reading === null) continue;
        const subjects =
          family === sourceFamily
            ? healthOf(health)
            : family === causeFamily
              ? labelledCauses(findings, reading)
              : reading === null
                ? []
                : family.subjectsOf(reading);
        this.#add(samples, family, source, subjects, bookOf(book, family, this.#options.maxPools), nowMs);
      }
    }
    // A source that could not be read is still one: what was counted of it goes on from there.
    this.#books = books;
    this.#samples.clear();
    for (const [name, ofName] of samples) this.#samples.set(name, ofName);
  }

  #add(
    samples: Map<string, Sample[]>,
    family: AnyFamily,
    source: string | null,
    subjects: readonly Labelled<unknown>[],
    book: FamilyBook,
    nowMs: number,
  ): void {
    const { own, rest } = split(subjects, book.slots, nowMs);
    const metrics = Object.values<Metric<unknown>>(family.metrics);
    const write = (metric: Metric<unknown>, labels: Labels, value: Value): void => {
      for (const name of this.#namesOf(metric)) {
        const ofName = samples.get(name) ?? [];
        if (ofName.length === 0) samples.set(name, ofName);
        pushSamples(ofName, name, labels, value);
      }
    };
    for (const { labels, subject } of own) {
      const shown = this.#labelsOf(family, source, labels);
      for (const metric of metrics) {
        const value = readValue(metric.read(subject));
        if (value !== null) write(metric, shown, value);
      }
    }
    if (rest.length === 0 && book.together.isEmpty) return;
    const shown = this.#labelsOf(
      family,
      source,
      family.labels.map(() => OTHER),
    );
    for (const metric of metrics) {
      const values = rest.flatMap(({ key, subject }): [string, readonly number[]][] => {
        const value = readValue(metric.read(subject));
        return value === null ? [] : [[key, typeof value === 'number' ? [value] : value]];
      });
      const value = book.together.add(metric, values);
      if (value !== null) write(metric, shown, metric.type === 'histogram' ? value : (value[0] ?? 0));
    }
  }

  #labelsOf(family: AnyFamily, source: string | null, values: readonly string[]): Labels {
    const labels: Record<string, string> = {};
    if (source !== null) labels.source = source;
    for (const [at, name] of family.labels.entries()) {
      const value = values[at] ?? '';
      if (value !== '') labels[name] = value;
    }
    const { labelAlias } = family;
    if (labelAlias !== undefined && this.#options.compat.includes(labelAlias.compat))
      labels[labelAlias.label] = labels[labelAlias.of] ?? '';
    return labels;
  }

  #namesOf({ name, alias }: Metric<unknown>): readonly string[] {
    return alias !== undefined && this.#options.compat.includes(alias.compat) ? [name, alias.name] : [name];
  }
}

/** State of a source between scrapes. */
type Book = Map<AnyFamily, FamilyBook>;

interface FamilyBook {
  readonly slots: LabelSlots;
  readonly together: Together;
}

function bookOf(book: Book, family: AnyFamily, most: number): FamilyBook {
  const known = book.get(family);
  if (known !== undefined) return known;
  const made = { slots: new LabelSlots(most), together: new Together() };
  book.set(family, made);
  return made;
}

function healthOf(health: SourceHealth | null): readonly Labelled<SourceHealth>[] {
  return health === null ? [] : [{ labels: [health.kind], subject: health }];
}

interface Keyed {
  readonly key: string;
  readonly labels: readonly string[];
  readonly subject: unknown;
}

/** Sources with their own series, and the rest. No two have the same labels. */
function split(
  subjects: readonly Labelled<unknown>[],
  slots: LabelSlots,
  nowMs: number,
): { readonly own: readonly Keyed[]; readonly rest: readonly Keyed[] } {
  const seen = new Map<string, number>();
  const own: Keyed[] = [];
  const rest: Keyed[] = [];
  slots.next(nowMs);
  for (const { labels: given, subject } of subjects) {
    let labels = given.map(tidy);
    let key = JSON.stringify(labels);
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    // Two pools of one name in one application: each is one.
    if (count > 1 && labels.length > 0) {
      const at = Math.min(1, labels.length - 1);
      labels = labels.map((label, i) => (i === at ? `${label} #${count}` : label));
      key = JSON.stringify(labels);
      if (seen.has(key)) continue;
      seen.set(key, 1);
    }
    const isOther = labels.length > 0 && labels.every((label) => label === OTHER);
    if (!isOther && slots.take(key)) own.push({ key, labels, subject });
    else rest.push({ key, labels, subject });
  }
  return { own, rest };
}

/**
 * The name of a pool may be the URL that it was made with. Half of a surrogate pair would be written as the
 * replacement character, like any other half.
 */
function tidy(given: string): string {
  const head = given.slice(0, 5 * MOST_LABEL);
  const label = /[=@]/.test(head) ? maskSecrets(head) : head;
  const text = label.length > MOST_LABEL ? `${label.slice(0, MOST_LABEL - 1)}…` : label;
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** A histogram: the cumulative counts of BUCKETS, the total count, and the sum in seconds. */
type Value = number | readonly number[];

function readValue(read: number | HistogramSnapshot | null): Value | null {
  if (read === null) return null;
  if (typeof read === 'number') return Number.isFinite(read) ? read : null;
  const counts: number[] = [];
  let at = 0;
  let upTo = 0;
  for (const bound of BUCKETS) {
    // A bucket that lies across a bound counts above it: they are 0.8 % wide at most.
    for (; at < read.buckets.length && (read.buckets[at]?.[0] ?? 0) <= bound * 1e6; at++)
      upTo += read.buckets[at]?.[1] ?? 0;
    counts.push(upTo);
  }
  return [...counts, read.count, read.sumUs / 1e6];
}

const NONE: Labels = {};

function pushSamples(samples: Sample[], name: string, labels: Labels, value: Value): void {
  if (typeof value === 'number') {
    samples.push({ labels: NONE, sharedLabels: labels, value });
    return;
  }
  const bucket = `${name}_bucket`;
  const count = value[BUCKETS.length] ?? 0;
  for (const [at, le] of BUCKETS.entries())
    samples.push({ labels: { le }, sharedLabels: labels, metricName: bucket, value: value[at] ?? 0 });
  samples.push({ labels: { le: '+Inf' }, sharedLabels: labels, metricName: bucket, value: count });
  samples.push({
    ...{ labels: NONE, sharedLabels: labels, metricName: `${name}_sum` },
    value: value[BUCKETS.length + 1] ?? 0,
  });
  samples.push({ labels: NONE, sharedLabels: labels, metricName: `${name}_count`, value: count });
}

function collected(
  name: string,
  { help, type, together = 'sum' }: Metric<unknown>,
  samples: () => readonly Sample[],
): Collected {
  const metric: Collected = {
    ...{ name, help, type, aggregator: together },
    // prom-client changes the name of a counter for OpenMetrics.
    getForPromString: async () => ({ ...asked(), values: samples() }),
    get: async () => ({
      ...asked(),
      values: samples().map(({ labels, sharedLabels, ...sample }) => ({
        ...sample,
        labels: { ...sharedLabels, ...labels },
      })),
    }),
    reset() {},
  };
  const asked = () => ({ name: metric.name, help, type, aggregator: together });
  return metric;
}
