import fc from 'fast-check';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { Thing } from '../../helpers/fake-driver.js';

/** One thing that happens to a pool. `nth` picks one of those that there are at the moment, counted round. */
export type Act =
  | { readonly act: 'acquire'; readonly timeoutMs?: number | null; readonly abortable: boolean }
  | { readonly act: 'tryAcquire' }
  | { readonly act: 'release' | 'softInvalidate' | 'invalidate' | 'detach'; readonly nth: number }
  | { readonly act: 'endAgain'; readonly nth: number; readonly by: 'release' | 'invalidate' | 'dispose' }
  | { readonly act: 'fail'; readonly nth: number; readonly how: 'disconnect' | 'abort' | 'ordinary' }
  | { readonly act: 'closeDetached' | 'abort' | 'breakDown'; readonly nth: number }
  | { readonly act: 'pass' | 'block'; readonly ms: number }
  | { readonly act: 'invalidateAll' | 'dispose' | 'fill' }
  | { readonly act: 'turn'; readonly step: DriverStep; readonly manner: Manner }
  | { readonly act: 'letGo'; readonly nth: number; readonly how: 'open' | 'fail' }
  | { readonly act: 'close'; readonly graceMs: number };

export type DriverStep = 'create' | 'destroy' | 'ping' | 'reset' | 'acquire hook';

/** How the driver, or a hook, does its step from now on. */
export type Manner = 'works' | 'works later' | 'throws' | 'fails' | 'disconnects' | 'is slow' | 'hangs';

/** What runs between an act and the next: nothing at all, a few promise reactions, or all that can. */
export type Pause = 0 | 1 | 2 | 3 | 5 | 'settle';

export type Step = Act & { readonly then: Pause };

export type Settings = Pick<
  PoolOptions<Thing>,
  'lifo' | 'prePing' | 'histograms' | 'reset' | 'keepaliveMs' | 'maxIdleMs' | 'maxWaiting' | 'timeoutMs'
> & {
  readonly size: number;
  readonly maxOverflow: number;
  readonly minIdle: number;
  readonly createTimeoutMs: number | null;
  readonly operationTimeoutMs: number;
  readonly pingIdleMs: number;
  readonly recycleMs: number | null;
  readonly leakWatch: boolean;
  /** Whether somebody acquires, and who acquired releases, at each event, from within it. */
  readonly meddler: Meddler;
  readonly acquireHook: boolean;
  /** Whether the leases come back and everybody is served before the end. */
  readonly drain: boolean;
  readonly seed: number;
};

export type Meddler = 'nobody' | 'acquires' | 'releases' | 'aborts';

export interface Script {
  readonly settings: Settings;
  readonly steps: readonly Step[];
}

// Values are listed plainest first: that is what a counter-example shrinks to.
const manners = fc.constantFrom<Manner>(
  ...(['works', 'fails', 'is slow', 'hangs', 'throws', 'works later', 'disconnects'] as const),
);
const nth = fc.nat({ max: 7 });
const ms = fc.constantFrom(1, 10, 15, 25, 60, 110, 250, 1000, 2500);

function act<const A extends Act['act']>(...names: A[]): { act: fc.Arbitrary<A> } {
  return { act: fc.constantFrom(...names) };
}

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 10, arbitrary: acquires() },
  { weight: 2, arbitrary: fc.record(act('tryAcquire')) },
  { weight: 8, arbitrary: fc.record({ ...act('release'), nth }) },
  { weight: 3, arbitrary: fc.record({ ...act('invalidate', 'softInvalidate', 'detach'), nth }) },
  {
    weight: 1,
    arbitrary: fc.record({
      ...act('endAgain'),
      nth,
      by: fc.constantFrom('release', 'invalidate', 'dispose'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...act('fail'),
      nth,
      how: fc.constantFrom('disconnect', 'abort', 'ordinary'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ ...act('abort', 'breakDown', 'closeDetached'), nth }) },
  { weight: 8, arbitrary: fc.record({ ...act('pass'), ms }) },
  { weight: 1, arbitrary: fc.record({ ...act('block'), ms }) },
  { weight: 2, arbitrary: fc.record(act('invalidateAll', 'dispose', 'fill')) },
  {
    weight: 5,
    arbitrary: fc.record({
      ...act('turn'),
      step: fc.constantFrom('create', 'destroy', 'ping', 'reset', 'acquire hook'),
      manner: manners,
    }),
  },
  { weight: 3, arbitrary: fc.record({ ...act('letGo'), nth, how: fc.constantFrom('open', 'fail') }) },
  { weight: 1, arbitrary: fc.record({ ...act('close'), graceMs: fc.constantFrom(0, 50) }) },
);

function acquires(): fc.Arbitrary<Act> {
  const timeoutMs = fc.constantFrom(null, 0, 5, 50, 150, 1000);
  return fc.record(
    { ...act('acquire'), timeoutMs, abortable: fc.boolean() },
    { requiredKeys: ['act', 'abortable'] },
  );
}

const steps: fc.Arbitrary<Step> = fc
  .tuple(acts, fc.constantFrom<Pause>('settle', 'settle', 'settle', 0, 0, 1, 2, 3, 5))
  .map(([what, then]) => ({ ...what, then }));

const settings: fc.Arbitrary<Settings> = fc
  .record({
    size: fc.constantFrom(1, 2, 3, 4, 0),
    maxOverflow: fc.constantFrom(0, 1, 2, -1),
    minIdle: fc.constantFrom(0, 0, 1, 2),
    lifo: fc.boolean(),
    timeoutMs: fc.constantFrom(null, 30, 200, 3000),
    maxWaiting: fc.constantFrom(null, null, 0, 3),
    prePing: fc.boolean(),
    pingIdleMs: fc.constantFrom(0, 20),
    acquireHook: fc.boolean(),
    reset: fc.constantFrom('none', 'rollback'),
    recycleMs: fc.constantFrom(null, 40, 300),
    maxIdleMs: fc.constantFrom(null, 50, 500),
    keepaliveMs: fc.constantFrom(null, 30, 200),
    createTimeoutMs: fc.constantFrom(null, 100),
    operationTimeoutMs: fc.constantFrom(100, 400),
    histograms: fc.boolean(),
    leakWatch: fc.boolean(),
    meddler: fc.constantFrom<Meddler>('nobody', 'nobody', 'nobody', 'acquires', 'releases', 'aborts'),
    drain: fc.boolean(),
    seed: fc.nat({ max: 1000 }),
  })
  .map((all) => ({ ...all, minIdle: all.size === 0 ? all.minIdle : Math.min(all.minIdle, all.size) }));

/** What may happen to a pool, in any order. */
export const scripts: fc.Arbitrary<Script> = fc.record({
  settings,
  steps: fc.array(steps, { minLength: 1, maxLength: 45, size: 'max' }),
});

/** A step in words, for those who read a counter-example. */
export function tell({ then, ...what }: Step): string {
  const { act: name, ...details } = what;
  const words = Object.values(details).map(String);
  const pause =
    then === 'settle' ? '' : then === 0 ? ' (and in the same turn)' : ` (and ${then} reactions on)`;
  return [name, ...words].join(' ') + pause;
}
