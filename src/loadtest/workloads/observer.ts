import type { Connection } from '../../db/connection.js';
import type { Database } from '../../db/database.js';
import { PoolError } from '../../pool/errors.js';
import { WorkloadError } from './errors.js';

/** A first answer takes milliseconds; a pooler that is paused, or has no connection left, gives none at all. */
const ANSWER_MS = 10_000;

/** How long an observer waits for a connection and its first answer, in milliseconds. */
export function answerLimit({ connectTimeoutMs }: { readonly connectTimeoutMs?: number | null }): number {
  return connectTimeoutMs ?? ANSWER_MS;
}

/** The pool of an observer has one connection. */
export function observerOptions(answerMs: number) {
  return {
    ...{ name: 'poolctl observer', size: 1, maxOverflow: 0, createTimeoutMs: answerMs, timeoutMs: null },
    // Callers that ask a server that may not answer have a limit of their own, and a ping would only add another.
    prePing: false,
  };
}

export interface FirstLook {
  readonly url: string;
  /** In milliseconds. */
  readonly answerMs: number;
  /** The hint for a server that does not answer. */
  readonly hint: string;
  readonly stop: AbortSignal;
}

/**
 * The result of the first look at a server. Rejects as a connect does, or with ERR_NO_ANSWER; the database is closed then.
 */
export async function firstLook<T>(
  database: Database,
  { url, answerMs, hint, stop }: FirstLook,
  look: (connection: Connection, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(answerMs);
  try {
    using lease = await database.pool.acquire({ signal: stop });
    return await look(lease.resource, AbortSignal.any([stop, late]));
  } catch (error) {
    await database.close({ graceMs: 0 });
    if (stop.aborted) throw error;
    if (late.aborted) {
      throw new WorkloadError(
        'ERR_NO_ANSWER',
        `${url.replace(/\?.*/, '')} takes connections, but did not answer a first query within ${answerMs / 1000} s`,
        { hint },
      );
    }
    // A pool that could open nothing is reported by the server's error.
    throw error instanceof PoolError && error.cause instanceof Error && 'hint' in error.cause
      ? error.cause
      : error;
  }
}

/** Reports every connection of a database, whatever opens it. */
export function watchConnections(
  database: Database,
  told: { opened(connection: Connection): void; closed(connection: Connection): void },
): void {
  const { driver } = database.pool.settings;
  const { create, destroy } = driver;
  driver.create = async (signal, slot) => {
    const connection = await create(signal, slot);
    told.opened(connection);
    return connection;
  };
  driver.destroy = (connection, reason) => {
    told.closed(connection);
    return destroy(connection, reason);
  };
}
