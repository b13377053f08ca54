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
 * The protocol on the socket of a published application: lines of JSON. The application says hello once. Then it
 * answers each incoming line, whatever its text, with one PublishedPools. The text RECORD asks for the recorded leases
 * too, from the first such line on. It sends nothing unasked, so a slow reader
 * costs the application nothing.
 */
export interface Hello {
  readonly schema: 1;
  readonly app: App;
}

/** The line of a reader that records. */
export const RECORD = 'record';
/** Its last line: the answer has the end of the recording. */
export const RECORD_END = 'end the recording';

export interface PublishedPools {
  readonly takenAtMs: number;
  readonly pools: readonly WatchedSnapshot[];
  /** A gap and its reason, for example a bundled copy of a driver. */
  readonly gaps: readonly string[];
  /** Absent where nobody looks at the process itself. */
  readonly process?: ProcessSight;
  /** The last field of the line; absent where the reader has not asked for it. */
  readonly recording?: TappedBlocks;
}

/** The part of a recording that a reader has not had yet. */
export interface TappedBlocks {
  /** Whole blocks of the file of recorded leases, after its magic; base64. */
  readonly blocks: string;
  /** Why there is nothing more; null while the recording goes on. */
  readonly ended: 'busy' | 'full' | null;
}

/** A recording for one reader, who takes it with each answer. */
export interface LeaseTap {
  /** The blocks since the last call. */
  take(): TappedBlocks;
  /** Ends it; one more `take` gives the rest. */
  finish(): void;
  /** Ends it, and drops the rest. */
  end(): void;
}
