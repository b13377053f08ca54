import type { Clock } from '../base/clock.js';
import type { OptionShape } from '../base/option-shape.js';
import { HttpError } from './errors.js';

/** How a connection that was idle is checked before it is used again. HTTP/2 has a ping for it. */
export interface HealthCheckOptions {
  /** Connections that were idle for less are used as they are, in milliseconds. Default 1 s. */
  readonly idleMs?: number;
  /** The request that HTTP/1.1 sends. Any status is an answer. Default HEAD. */
  readonly method?: 'HEAD' | 'GET' | 'OPTIONS';
  /** Default '/'. */
  readonly path?: string;
  /** A connection without an answer after this time is closed, in milliseconds. Default 1 s. */
  readonly timeoutMs?: number;
}

export type HealthCheck = Required<HealthCheckOptions>;

export const HEALTH_CHECK_SHAPE = {
  idleMs: 'number',
  method: 'text',
  path: 'text',
  timeoutMs: 'number',
} as const satisfies OptionShape & Record<keyof HealthCheckOptions, unknown>;

/** Throws an HttpError with ERR_HTTP_OPTION. */
export function resolveHealthCheck(options: HealthCheckOptions): HealthCheck {
  const { idleMs = 1000, method = 'HEAD', path = '/', timeoutMs = 1000 } = options;
  const wrong = (what: string): HttpError => new HttpError('ERR_HTTP_OPTION', `healthCheck: ${what}`);
  if (!(idleMs >= 0)) throw wrong(`idleMs is ${idleMs}; it must be 0 or more`);
  if (!(timeoutMs > 0)) throw wrong(`timeoutMs is ${timeoutMs}; it must be more than 0`);
  if (!['HEAD', 'GET', 'OPTIONS'].includes(method))
    throw wrong(`method is '${method}'; it must be HEAD, GET or OPTIONS`);
  if (!path.startsWith('/')) throw wrong(`path is '${path}'; it must begin with /`);
  return { idleMs, method, path, timeoutMs };
}

/** Asks for a sign of life, for so long. Calls back once, with the time that it took in milliseconds. */
export function checkHealth(
  prove: (done: (isAlive: boolean) => void) => void,
  timeoutMs: number,
  clock: Clock,
  done: (isAlive: boolean, tookMs: number) => void,
): void {
  const startedAt = clock.now();
  let isOver = false;
  const end = (isAlive: boolean): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    done(isAlive, clock.now() - startedAt);
  };
  const timer = clock.setTimer(() => end(false), timeoutMs);
  prove(end);
}
