import type { LoadModel, RampPlan } from './api.js';
import type { ModelInfo } from './result.js';

/** The generator of load that a model's plain description stands for. */
export function createModel(info: ModelInfo): LoadModel {
  switch (info.kind) {
    case 'closed':
      return { kind: 'closed', workers: info.workers };
    case 'burst':
      return {
        kind: 'open',
        dueAt: (n) => Math.floor(n / info.size) * info.intervalMs,
        maxInFlight: null,
        burstSize: info.size,
        ramp: null,
      };
    case 'rate':
      return {
        kind: 'open',
        dueAt: (n) => (n * 1000) / info.perSecond,
        maxInFlight: info.maxInFlight,
        burstSize: null,
        ramp: null,
      };
    case 'ramp': {
      const ramp: RampPlan = { rates: ratesOf(info), stepMs: info.stepMs, limits: info.limits };
      return { kind: 'open', dueAt: dueAtOf(ramp), maxInFlight: info.maxInFlight, burstSize: null, ramp };
    }
  }
}

/** How many iterations the model itself allows for; null where it knows no end. */
export function iterationsOf(info: ModelInfo): number | null {
  switch (info.kind) {
    case 'closed':
    case 'rate':
      return null;
    case 'burst':
      return info.count === null ? null : info.count * info.size;
    case 'ramp':
      return ratesOf(info).reduce((sum, rate) => sum + arrivalsIn(rate, info.stepMs), 0);
  }
}

/** How many iterations may be under way at once, as far as the model says; null where it does not. */
export function concurrencyOf(info: ModelInfo): number | null {
  switch (info.kind) {
    case 'closed':
      return info.workers;
    case 'burst':
      return info.size;
    case 'rate':
    case 'ramp':
      return null;
  }
}

/** Arrivals of a step of a ramp. */
export function arrivalsIn(perSecond: number, stepMs: number): number {
  return Math.max(1, Math.round((perSecond * stepMs) / 1000));
}

function ratesOf({ fromPerSecond, toPerSecond, stepPerSecond }: ModelInfo & { kind: 'ramp' }): number[] {
  const steps = Math.floor((toPerSecond - fromPerSecond) / stepPerSecond + 1e-9);
  return Array.from({ length: steps + 1 }, (_, at) => fromPerSecond + at * stepPerSecond);
}

function dueAtOf({ rates, stepMs }: RampPlan): (n: number) => number {
  /** The first arrival of each step. */
  const starts = [0];
  for (const rate of rates) starts.push((starts.at(-1) ?? 0) + arrivalsIn(rate, stepMs));
  // Asked for one after the other, nearly always.
  let stage = 0;
  return (n) => {
    while (stage > 0 && n < (starts[stage] ?? 0)) stage--;
    while (stage < rates.length - 1 && n >= (starts[stage + 1] ?? Number.POSITIVE_INFINITY)) stage++;
    return stage * stepMs + ((n - (starts[stage] ?? 0)) * 1000) / (rates[stage] ?? 1);
  };
}
