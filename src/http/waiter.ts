import type { Timer } from '../base/clock.js';
import type { HttpError } from './errors.js';
import type { Origin } from './origin.js';
import type { PooledConnection } from './pooled-connection.js';

/** Who waits for a connection; told one of these things, once. */
export interface WaiterOutcome {
  granted(connection: PooledConnection): void;
  /** A connection that was opened for it could not be opened. */
  failed(error: HttpError): void;
  timedOut(): void;
}

/** A request that waits for a connection. */
export interface Waiter {
  readonly origin: Origin;
  /** By the clock. */
  readonly since: number;
  readonly outcome: WaiterOutcome;
  timer: Timer | null;
  /** It has been told, or has left. */
  gone: boolean;
}
