import type { WatchedSnapshot } from '../snapshot/pool.js';
import type { App } from '../snapshot/reading.js';
import type { ProcessSight } from './heartbeat.js';

/**
 * The first line on a port, which any user of the machine can reach. The reader answers with a line that holds
 * HMAC-SHA256(token, challenge) in base64url. Then the application says hello, or `{"schema":1,"refused":true}`.
 */
export interface Challenge {
  readonly schema: 1;
  readonly challenge: string;
}

/**
 * What is spoken on the socket of a published application: lines of JSON. The application says hello once; then, for
 * each line that comes in (its text does not matter), answers one PublishedPools. Nothing is sent unasked, so a reader
 * that is slow or stands still costs the application nothing.
 */
export interface Hello {
  readonly schema: 1;
  readonly app: App;
}

export interface PublishedPools {
  readonly takenAtMs: number;
  readonly pools: readonly WatchedSnapshot[];
  /** What could not be watched, and why: a bundled copy of a driver, say. */
  readonly gaps: readonly string[];
  /** Absent where nobody looks at the process itself. */
  readonly process?: ProcessSight;
}
