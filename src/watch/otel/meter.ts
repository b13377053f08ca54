import type { HistogramSnapshot } from '../../base/histogram.js';
import { hasMethods, isObject } from '../hooking.js';
import type { Watcher } from '../watcher.js';
import { BOUNDS, isDatabasePool, POOL_METRICS } from './points.js';

/** The parts of an application's meter provider that are used: of any version and copy of @opentelemetry/api 1. */
interface MeterProvider {
  getMeter(name: string): Meter;
}

interface Options {
  readonly unit: string;
  readonly description: string;
  readonly advice?: { readonly explicitBucketBoundaries: readonly number[] };
}

interface Meter {
  createObservableUpDownCounter(name: string, options: Options): Instrument;
  createObservableCounter(name: string, options: Options): Instrument;
  createHistogram(name: string, options: Options): Recorder;
  addBatchObservableCallback(callback: (result: Result) => void, instruments: readonly Instrument[]): void;
}

type Instrument = object;
type Attributes = Readonly<Record<string, string>>;
interface Recorder {
  record(value: number, attributes: Attributes): void;
}
interface Result {
  observe(instrument: Instrument, value: number, attributes: Attributes): void;
}

/** The global in which @opentelemetry/api keeps the registered providers. */
const API = Symbol.for('opentelemetry.js.api.1');

/** The provider that the application has registered; null while it has none. */
export function registeredProvider(): MeterProvider | null {
  const api = (globalThis as { readonly [API]?: { readonly metrics?: unknown } })[API];
  return hasMethods(api?.metrics, ['getMeter']) ? (api.metrics as unknown as MeterProvider) : null;
}

/** Durations are given to the application's histograms one by one: no more of them for a pool between two exports. */
const MOST_RECORDED = 100_000;

/**
 * Gives the metrics of all watched pools to the application's own meter provider. They are read when it collects them, and
 * cost nothing in between. Durations are counted by us, and recorded in its histograms at that moment, each by the bucket that
 * it was counted in. Beyond 100,000 for a pool and export, an even sample is recorded.
 */
export function meterPools(watcher: Watcher, provider: MeterProvider): void {
  const meter = provider.getMeter('poolctl');
  const instruments = new Map<string, Instrument>();
  const recorders = new Map<string, Recorder>();
  for (const { name, kind, unit, description } of POOL_METRICS) {
    if (kind === 'histogram') {
      const advice = { explicitBucketBoundaries: BOUNDS };
      recorders.set(name, meter.createHistogram(name, { unit, description, advice }));
    } else {
      const make = kind === 'counter' ? 'createObservableCounter' : 'createObservableUpDownCounter';
      instruments.set(name, meter[make](name, { unit, description }));
    }
  }
  const recorded = new Map<string, ReadonlyMap<number, number>>();
  meter.addBatchObservableCallback(
    (result) => {
      try {
        for (const pool of watcher.read().pools.filter(isDatabasePool)) {
          for (const metric of POOL_METRICS) {
            for (const { attributes, value } of metric.read(pool)) {
              const instrument = instruments.get(metric.name);
              const recorder = recorders.get(metric.name);
              if (typeof value === 'number' && instrument !== undefined)
                result.observe(instrument, value, attributes);
              if (isObject(value) && recorder !== undefined)
                record(
                  recorder,
                  value as unknown as HistogramSnapshot,
                  attributes,
                  `${metric.name} ${pool.name}`,
                  recorded,
                );
            }
          }
        }
      } catch {
        // A pool that cannot be read must not end the application's own export.
      }
    },
    [...instruments.values()],
  );
}

/** Records what has been counted since the last time. */
function record(
  recorder: Recorder,
  { buckets }: HistogramSnapshot,
  attributes: Attributes,
  key: string,
  recorded: Map<string, ReadonlyMap<number, number>>,
): void {
  const before = recorded.get(key) ?? new Map<number, number>();
  recorded.set(key, new Map(buckets));
  const added = buckets.map(
    ([upToUs, count]) => [upToUs, Math.max(0, count - (before.get(upToUs) ?? 0))] as const,
  );
  const total = added.reduce((sum, [, count]) => sum + count, 0);
  const stride = Math.max(1, Math.ceil(total / MOST_RECORDED));
  let skip = 0;
  for (const [upToUs, count] of added) {
    for (let n = 0; n < count; n++) {
      if (skip++ % stride === 0) recorder.record(upToUs / 1e6, attributes);
    }
  }
}
