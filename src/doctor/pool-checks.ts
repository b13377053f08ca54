import { appFileLimit } from './checks/app-file-limit.js';
import { feedCapacity } from './checks/feed-capacity.js';
import { feedDrops } from './checks/feed-drops.js';
import { feedReconnects } from './checks/feed-reconnects.js';
import { feedStale } from './checks/feed-stale.js';
import { httpCircuits } from './checks/http-circuits.js';
import { httpResets } from './checks/http-resets.js';
import { httpReuse } from './checks/http-reuse.js';
import { httpTimeouts } from './checks/http-timeouts.js';
import { ibClientIds } from './checks/ib-client-ids.js';
import { ibPacing } from './checks/ib-pacing.js';
import { ibReconnects } from './checks/ib-reconnects.js';
import { poolAcquireTimeout } from './checks/pool-acquire-timeout.js';
import { poolConnects } from './checks/pool-connects.js';
import { poolInvalidations } from './checks/pool-invalidations.js';
import { poolLeakWatch } from './checks/pool-leak-watch.js';
import { poolLeaks } from './checks/pool-leaks.js';
import { poolNested } from './checks/pool-nested.js';
import { poolPrePing } from './checks/pool-pre-ping.js';
import { poolRecycle } from './checks/pool-recycle.js';
import { poolRoom } from './checks/pool-room.js';
import { poolTimeouts } from './checks/pool-timeouts.js';
import { sqliteBusyTimeout } from './checks/sqlite-busy-timeout.js';
import { sqliteFileSystem } from './checks/sqlite-file-system.js';
import { sqliteJournalMode } from './checks/sqlite-journal-mode.js';
import { sqliteWalSize } from './checks/sqlite-wal-size.js';
import type { Check } from './types.js';

/** Checks of running applications and of SQLite files. */
export const POOL_CHECKS: readonly Check[] = [
  // Any pool.
  poolConnects,
  poolRoom,
  poolTimeouts,
  poolLeaks,
  poolNested,
  poolInvalidations,
  poolAcquireTimeout,
  poolRecycle,
  poolPrePing,
  poolLeakWatch,
  appFileLimit,
  // Brokers.
  ibClientIds,
  ibPacing,
  ibReconnects,
  // Feeds.
  feedCapacity,
  feedStale,
  feedReconnects,
  feedDrops,
  // HTTP.
  httpReuse,
  httpResets,
  httpTimeouts,
  httpCircuits,
  // SQLite.
  sqliteJournalMode,
  sqliteBusyTimeout,
  sqliteWalSize,
  sqliteFileSystem,
];
