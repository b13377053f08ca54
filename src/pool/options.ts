import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { type OptionShape, optionProblems, shown } from '../base/option-shape.js';
import type { Random } from '../base/random.js';
import type { Driver, ResetMode } from './driver.js';
import { PoolError } from './errors.js';
import type { LeakWatchOptions } from './leak-watch.js';
import { FOREIGN_NAMES, POOL_SHAPE } from './option-names.js';
import { type AdaptiveSizing, type SizeBounds, sizeBounds } from './size-bounds.js';

export interface AcquireOptions {
  /** How long to wait, in milliseconds; null waits for ever. Default: the pool's `timeoutMs`. */
  readonly timeoutMs?: number | null;
  /** Gives up when it aborts; the error's cause is its reason. */
  readonly signal?: AbortSignal;
}

/** How a pool works. Durations are in milliseconds; the defaults are SQLAlchemy's, where it has the option. */
export interface PoolOptions<R> {
  readonly driver: Driver<R>;
  /** Told in errors, events and snapshots. Default: the driver's name. */
  readonly name?: string;
  /** Resources kept. Default 5; 0 is no limit. */
  readonly size?: number;
  /** Extra resources allowed while all are in use, closed when they come back. Default 10; -1 is no limit. */
  readonly maxOverflow?: number;
  /**
   * 'adaptive' chooses the size by measurement, between 1 and `size` + `maxOverflow` or the bounds that are given, and
   * begins with `size`. There is no overflow then. Default 'fixed'.
   */
  readonly sizing?: 'fixed' | 'adaptive' | AdaptiveSizing;
  /** How long an acquire waits. Default 30,000; null waits for ever. */
  readonly timeoutMs?: number | null;
  /** Resources older than this are replaced at their next acquire. Default null: never. */
  readonly recycleMs?: number | null;
  /** Each resource's age limit is up to this share shorter, so that they do not expire together. Default 0.025. */
  readonly recycleJitter?: number;
  /** Ask an idle resource whether it works before lending it. Default false. */
  readonly prePing?: boolean;
  /** With prePing: not if it was in use less than this ago (HikariCP's bypass). Default 500; 0 asks each time. */
  readonly pingIdleMs?: number;
  /** Lend the resource that came back last, so that the others can age out. Default false: the oldest. */
  readonly lifo?: boolean;
  /**
   * How a returned resource is reset. Default 'rollback', also as true; false and null are 'none'. 'full' and 'changed'
   * also discard session state, where the driver supports it: see ResetMode.
   */
  readonly reset?: ResetMode | 'none' | boolean | null;
  /**
   * Acquires beyond this many waiting for a release are refused at once; those for whom there is a place left to
   * open do not count. Default null: no bound.
   */
  readonly maxWaiting?: number | null;
  /** Idle resources kept ready, within `size`; from the first acquire or `fill()` on. Default 0. */
  readonly minIdle?: number;
  /** Idle resources beyond minIdle are closed after this long without use. Default null: never. */
  readonly maxIdleMs?: number | null;
  /** Idle resources are pinged when not used for this long (up to 10 % earlier). Default null: never. */
  readonly keepaliveMs?: number | null;
  /** A create that takes longer, with its connect hooks, has failed. Default 30,000; null waits for ever. */
  readonly createTimeoutMs?: number | null;
  /** A ping, reset, destroy or acquire hook that takes longer has failed. Default 5,000. */
  readonly operationTimeoutMs?: number;
  /** Keep the histograms of waiting and holding. Default true. */
  readonly histograms?: boolean;
  /** Watch for leaks. Default on, with LeakWatchOptions' defaults. */
  readonly leakWatch?: boolean | LeakWatchOptions;
  /**
   * The fate of a resource whose lease was garbage-collected. Default 'destroy', since a copy of the resource
   * may still be in use; 'reset' where it cannot outlive its lease.
   */
  readonly collected?: 'destroy' | 'reset';
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The options with every default filled in. */
export interface PoolSettings<R> {
  readonly driver: Driver<R>;
  readonly name: string;
  readonly size: number;
  readonly maxOverflow: number;
  /** null: the size is fixed. */
  readonly sizing: SizeBounds | null;
  /** size + maxOverflow, or the largest adaptive size; Infinity if there is no limit. */
  readonly limit: number;
  /** How many are kept idle; Infinity if there is no limit. */
  readonly keep: number;
  readonly timeoutMs: number | null;
  readonly recycleMs: number | null;
  readonly recycleJitter: number;
  readonly prePing: boolean;
  readonly pingIdleMs: number;
  readonly lifo: boolean;
  readonly reset: ResetMode | 'none';
  readonly maxWaiting: number;
  readonly minIdle: number;
  readonly maxIdleMs: number | null;
  readonly keepaliveMs: number | null;
  readonly createTimeoutMs: number | null;
  readonly operationTimeoutMs: number;
  readonly histograms: boolean;
  readonly leakWatch: LeakWatchOptions | null;
  readonly collected: 'destroy' | 'reset';
  readonly clock: Clock;
  readonly random: Random;
}

/** Fills in the defaults. Throws ERR_POOL_OPTION, naming every option that is wrong. */
export function resolveOptions<R>(given: PoolOptions<R>): PoolSettings<R> {
  const problems = optionProblems(given, SHAPE, FOREIGN_NAMES);
  // A value that is no object has no options; the problem says so.
  const options: PoolOptions<R> = Object(given);
  problems.push(...driverProblems(options.driver));
  const number = (
    name: keyof PoolOptions<R>,
    fallback: number | null,
    range: { least?: number; most?: number; whole?: boolean; orNull?: boolean } = {},
  ): number | null => {
    const { least = 0, most = Number.POSITIVE_INFINITY, whole = false, orNull = false } = range;
    const value = options[name] === undefined ? fallback : options[name];
    if (value === null && (orNull || fallback === null)) return null;
    const good =
      typeof value === 'number' && value >= least && value <= most && (!whole || Number.isSafeInteger(value));
    if (good && Number.isFinite(value)) return value;
    problems.push(
      `${name} must be ${whole ? 'a whole number' : 'a number'} from ${least}${most === 1 ? ' to 1' : ''}, got ${shown(value)}`,
    );
    return fallback;
  };
  const size = number('size', 5, { whole: true }) ?? 5;
  const maxOverflow = number('maxOverflow', 10, { least: -1, whole: true }) ?? 10;
  const unlimited = size === 0 || maxOverflow === -1;
  const minIdle = number('minIdle', 0, { whole: true }) ?? 0;
  const fixedLimit = unlimited ? Number.POSITIVE_INFINITY : size + maxOverflow;
  const adaptive = sizeBounds(options.sizing, { size, limit: fixedLimit, least: minIdle });
  if (typeof adaptive === 'string') problems.push(adaptive);
  const sizing = typeof adaptive === 'string' ? null : adaptive;
  if (size > 0 && minIdle > size && sizing === null)
    problems.push(`minIdle must not be above size (${size}), got ${minIdle}`);
  const reset = resetModeOf(options.reset);
  if (reset === null) {
    problems.push(
      `reset must be 'rollback', 'commit', 'none', 'full', 'changed', true, false or null, got ${String(options.reset)}`,
    );
  }
  const { leakWatch = true, collected = 'destroy', clock = systemClock } = options;
  if (collected !== 'destroy' && collected !== 'reset') {
    problems.push(`collected must be 'destroy' or 'reset', got ${shown(collected)}`);
  }
  if (typeof clock?.now !== 'function') problems.push(`clock must be a Clock, got ${shown(clock)}`);
  const settings: PoolSettings<R> = {
    driver: options.driver,
    name: options.name ?? options.driver?.name ?? 'unnamed',
    size,
    maxOverflow,
    sizing,
    limit: sizing?.max ?? fixedLimit,
    keep: sizing?.max ?? (size === 0 ? Number.POSITIVE_INFINITY : size),
    timeoutMs: number('timeoutMs', 30_000, { orNull: true }),
    recycleMs: number('recycleMs', null),
    recycleJitter: number('recycleJitter', 0.025, { most: 1 }) ?? 0,
    prePing: options.prePing ?? false,
    pingIdleMs: number('pingIdleMs', 500) ?? 500,
    lifo: options.lifo ?? false,
    reset: reset ?? 'none',
    maxWaiting: number('maxWaiting', null, { whole: true }) ?? Number.POSITIVE_INFINITY,
    minIdle,
    maxIdleMs: number('maxIdleMs', null),
    keepaliveMs: number('keepaliveMs', null),
    createTimeoutMs: number('createTimeoutMs', 30_000, { orNull: true }),
    operationTimeoutMs: number('operationTimeoutMs', 5000) ?? 5000,
    histograms: options.histograms ?? true,
    leakWatch: leakWatch === false ? null : leakWatch === true ? {} : leakWatch,
    collected,
    clock,
    random: options.random ?? Math.random,
  };
  if (problems.length > 0)
    throw new PoolError('ERR_POOL_OPTION', `pool '${settings.name}': ${problems.join('; ')}`);
  return settings;
}

/** The problem with the options of one acquire; null if there is none. Called for each, so the good case is quick. */
export function acquireProblem(options: AcquireOptions): string | null {
  if (typeof options !== 'object' || options === null) {
    return `acquire takes an object, got ${shown(options)}`;
  }
  for (const name in options) if (name !== 'timeoutMs' && name !== 'signal') return unknownAcquire(options);
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined && timeoutMs !== null && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    return `timeoutMs must be a number from 0 or null, got ${shown(timeoutMs)}`;
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    return `signal must be an AbortSignal, got ${shown(signal)}`;
  }
  return null;
}

function unknownAcquire(options: object): string | null {
  const foreign = Object.entries(FOREIGN_NAMES).filter(([, ours]) => ours === 'timeoutMs');
  const shape = { timeoutMs: 'any', signal: 'any' } as const;
  return optionProblems(options, shape, Object.fromEntries(foreign))[0] ?? null;
}

/** Does not compile where an option has no type in the shape. */
const SHAPE: OptionShape = POOL_SHAPE satisfies Record<keyof PoolOptions<unknown>, unknown>;

const STEPS = ['ping', 'reset', 'onBroken', 'isDisconnect', 'isUnfit', 'isFull', 'capacity'] as const;

function driverProblems(driver: unknown): string[] {
  if (typeof driver !== 'object' || driver === null) {
    return [`driver must be an object with name, create and destroy, got ${shown(driver)}`];
  }
  const steps: Partial<Driver<unknown>> = driver;
  const problems: string[] = [];
  if (typeof steps.name !== 'string') problems.push(`driver.name must be a text, got ${shown(steps.name)}`);
  for (const step of ['create', 'destroy'] as const) {
    if (typeof steps[step] !== 'function')
      problems.push(`driver.${step} must be a function, got ${shown(steps[step])}`);
  }
  for (const step of STEPS) {
    if (steps[step] !== undefined && typeof steps[step] !== 'function')
      problems.push(`driver.${step} must be a function, got ${shown(steps[step])}`);
  }
  return problems;
}

function resetModeOf(reset: unknown): ResetMode | 'none' | null {
  switch (reset) {
    case undefined:
    case true:
    case 'rollback':
      return 'rollback';
    case 'commit':
    case 'full':
    case 'changed':
      return reset;
    case false:
    case null:
    case 'none':
      return 'none';
    default:
      return null;
  }
}
