import { formatMs } from '../base/units.js';

/** A step in the life of an IB pool. */
export type IbLog =
  | { readonly kind: 'initialized'; readonly topology: 'shared' | 'worker' }
  | { readonly kind: 'creating'; readonly topology: 'shared' | 'worker'; readonly clientId: number }
  | {
      readonly kind: 'connected';
      readonly clientId: number;
      /** HOST:PORT. */
      readonly place: string;
      /** 1 for the first session, more for reconnects. */
      readonly epoch: number;
      readonly serverVersion: number;
    }
  | {
      readonly kind: 'lost';
      readonly clientId: number;
      readonly reason: string;
      readonly retryInMs: number;
    }
  | {
      readonly kind: 'acquired' | 'released';
      readonly leaseId: number;
      readonly clientId: number;
      /** Leases out, with or without this one. */
      readonly users: number;
    }
  | { readonly kind: 'closing'; readonly users: number }
  | { readonly kind: 'closed' };

/** A line for people. */
export function formatIbLog(entry: IbLog): string {
  switch (entry.kind) {
    case 'initialized':
      return `Initialized IBKR connection pool (${entry.topology})`;
    case 'creating':
      return `Creating ${entry.topology} IBKR connection... (Client ID: ${entry.clientId})`;
    case 'connected':
      return `${entry.epoch === 1 ? 'Connected' : 'Reconnected'} to IBKR at ${entry.place} (Client ID: ${entry.clientId}, server version ${entry.serverVersion})`;
    case 'lost':
      return `Connection lost, reconnecting in ${formatMs(entry.retryInMs)} (Client ID: ${entry.clientId}): ${entry.reason}`;
    case 'acquired':
      return `Lease ${entry.leaseId} acquired connection (Client ID: ${entry.clientId}, active users: ${entry.users})`;
    case 'released':
      return `Lease ${entry.leaseId} released connection (Client ID: ${entry.clientId}, active users: ${entry.users})`;
    case 'closing':
      return `Closing connection pool and disconnecting from IBKR (active users: ${entry.users})`;
    case 'closed':
      return 'Closed IBKR connection pool';
  }
}
