import type { Clock } from '../base/clock.js';
import type { Reading, SourceKind } from '../snapshot/reading.js';
import type { SocketOwner } from '../watch/directory.js';
import type { LeaseSink } from './lease-sink.js';

/** Something that can be asked, again and again, how pools and what is behind them are doing. */
export interface StatsSource extends AsyncDisposable {
  /** The user's name for it, without a password. */
  readonly label: string;
  readonly kind: SourceKind;
  /** Rejects where it cannot be reached; what it may only not tell is a gap of the reading. */
  read(signal: AbortSignal): Promise<Reading>;
}

/** Parameters of a source beside its address. */
export interface SourceOptions {
  /** PGHOST, PGPASSWORD and the like fill up what an address leaves out. POOLCTL_TOKEN opens ports. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /**
   * The user whose applications keep the tokens of their ports. Default: none; then POOLCTL_TOKEN must hold the
   * token.
   */
  readonly owner?: SocketOwner;
  /** Has applications record their leases, and receives them. Default: none; nothing is recorded. */
  readonly leases?: LeaseSink;
}
