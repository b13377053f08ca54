import type { Contract } from '../../../ib/contracts.js';
import { IbError } from '../../../ib/errors.js';
import type { PacingOptions } from '../../../ib/pacing.js';
import type { IbLease, IbPool } from '../../../ib/pool.js';
import type { GatewayWish } from '../gateways.js';
import type { ScenarioName } from '../names.js';
import type { Trial } from '../trial.js';

/** One way to put a pool under stress, and what has to come of it. */
export interface Scenario {
  readonly name: ScenarioName;
  /** A line that says what happens and what has to hold. */
  readonly title: string;
  /** How many times faster than the machine's its clock may run. */
  readonly speed: number;
  /** How long it is under way by its own clock, about: what is much longer hangs. */
  readonly lastsMs: number;
  readonly gateway?: Omit<GatewayWish, 'speed' | 'seed'>;
  readonly pacing?: PacingOptions;
  /** Whether it only reads, and needs nothing of the gateway but that it is there. */
  readonly live?: true;
  /** It has no gateway: it plays the gateway's part itself. */
  readonly offline?: true;
  run(trial: Trial): Promise<void>;
}

export function stock(symbol: string): Contract {
  return { symbol, secType: 'STK', exchange: 'SMART', currency: 'USD' };
}

/** The simulated gateway knows every symbol of up to five letters. */
export function symbolOf(index: number): string {
  const letter = (of: number): string => String.fromCharCode(65 + (of % 26));
  return `S${letter(Math.floor(index / 26))}${letter(index)}`;
}

/** As many leases, all held at once. */
export function acquireAll(pool: IbPool, count: number): Promise<IbLease[]> {
  return Promise.all(Array.from({ length: count }, () => pool.acquire()));
}

export function isLost(outcome: unknown): boolean {
  return outcome instanceof IbError && outcome.code === 'ERR_IB_CONNECTION_LOST';
}

export function answered<T>(outcomes: readonly (T | IbError)[]): T[] {
  return outcomes.filter((outcome): outcome is T => !(outcome instanceof IbError));
}

/** How a number of outcomes reads: `12 of 12`, and the first error where there is one. */
export function tally(outcomes: readonly unknown[]): string {
  const error = outcomes.find((outcome) => outcome instanceof IbError);
  const good = answered(outcomes).length;
  return `${good} of ${outcomes.length}${error instanceof IbError ? `; ${error.message}` : ''}`;
}
