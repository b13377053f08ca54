import type { anyPool, WatchedSnapshot } from '../snapshot/pool.js';
import type { AppReading } from '../snapshot/reading.js';
import type { Read } from '../snapshot/schema.js';

/** The input of metrics: a snapshot of any pool, without the holders of its leases. */
export type PoolFigures = Omit<WatchedSnapshot, 'holders'>;

/** The same, with the application that it is in; null where that is the one that is asked. */
export type MeteredPool = Omit<Read<typeof anyPool>, 'holders'> & { readonly app: AppReading | null };
