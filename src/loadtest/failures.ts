import { CodedError } from '../base/coded-error.js';
import { maskSecrets } from '../base/secrets.js';
import { formatDuration } from '../base/units.js';
import type { Measurements } from './result.js';

export const ITERATION_TIMEOUT = 'ERR_ITERATION_TIMEOUT';

/** An iteration was canceled because it took longer than --iteration-timeout allows. */
export class IterationTimeout extends CodedError<typeof ITERATION_TIMEOUT> {
  constructor(afterMs: number) {
    super(ITERATION_TIMEOUT, `the iteration was canceled after ${formatDuration(afterMs)}`);
    this.name = 'IterationTimeout';
  }
}

/** How many acquires timed out. */
export function timeoutsIn({ errors }: Pick<Measurements, 'errors'>): number {
  return errors.reduce((sum, { code, count }) => sum + (isPoolTimeout(code) ? count : 0), 0);
}

/** Whether that is waiting too long for a connection, of whatever pool. */
export function isPoolTimeout(code: string): boolean {
  return code === 'ERR_POOL_TIMEOUT' || code === 'ERR_HTTP_POOL_TIMEOUT';
}

/** The code by which a failure is counted: the error's own, else its name. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'ERR_UNKNOWN';
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && code !== '') return code;
  if (typeof code === 'number') return String(code);
  return error.name;
}

/** A pool that could open nothing is reported by its cause, which names the address. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return maskSecrets(String(error));
  const isOfPool = codeOf(error) === 'ERR_POOL_CREATE' && error.cause instanceof Error;
  return maskSecrets(isOfPool ? (error.cause as Error).message : error.message);
}
