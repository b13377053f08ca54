import { ValueError } from '../../base/units.js';
import { DatabaseError } from '../../db/errors.js';
import type { Session } from '../../db/session.js';
import type { Value } from './expression.js';

/**
 * Finds out whether a statement writes: it is run in a transaction that may only read, and rolled back. PostgreSQL
 * refuses there what would change a table, a sequence or a large object, whatever function hides it.
 *
 * Where the connection is direct, every connection of the load is read-only besides, and this only serves to say so
 * before the load begins. Through PgBouncer that cannot be had (it takes no such setting, and hands connections from
 * one client to the next), and this is all there is: a block that hides errors (DO ... EXCEPTION), or one that writes
 * for certain parameters only, is not seen.
 */
export async function inspect(
  session: Session,
  sql: string,
  values: readonly Value[],
  signal?: AbortSignal,
): Promise<{ writes: boolean }> {
  refuseCopyOverConnection(sql);
  if (COPY_TO_SERVER.test(sql) || TWO_PHASE.test(sql)) return { writes: true };
  if (TRANSACTION_CONTROL.test(sql) || NOT_UNDONE.test(sql)) return { writes: false };
  const isWithin = session.inTransaction;
  // Read-only cannot be undone below a savepoint: not by SET TRANSACTION READ WRITE, in whatever function.
  await session.exec(`${isWithin ? '' : 'BEGIN; '}SAVEPOINT poolctl_inspect; SET TRANSACTION READ ONLY`);
  try {
    await session.query(sql, values, signal === undefined ? {} : { signal });
    return { writes: false };
  } catch (error) {
    if (isRefusedWrite(error)) return { writes: true };
    throw error;
  } finally {
    // Not so if the connection is gone, and the transaction with it.
    if (session.inTransaction) {
      await session.exec(
        isWithin ? 'ROLLBACK TO SAVEPOINT poolctl_inspect; RELEASE SAVEPOINT poolctl_inspect' : 'ROLLBACK',
      );
    }
  }
}

/** Rejects where the server takes no writes at all; changes nothing. */
export async function tryWriting(session: Session): Promise<void> {
  const { rows } = await session.query<{ read_only: string; standby: boolean }>(
    "SELECT current_setting('transaction_read_only') AS read_only, pg_is_in_recovery() AS standby",
  );
  const [row] = rows;
  if (row === undefined || row.read_only === 'off') return;
  throw new DatabaseError('25006', 'the server takes no writes from this user', {
    hint: row.standby
      ? 'it is a standby: name the primary'
      : 'default_transaction_read_only is on: of the role, the database or the server',
  });
}

/** State that outlives its session. */
const TWO_PHASE = /^(?:prepare\s+transaction|(?:commit|rollback)\s+prepared)\b/i;

const TRANSACTION_CONTROL =
  /^(?:begin|start\s+transaction|commit|rollback|end|abort|savepoint|release|set\s+(?:local\s+|session\s+)?transaction|set\s+session\s+characteristics)\b/i;

/** Nothing of it is written, and to roll it back brings nothing back: it could not be run a second time. */
const NOT_UNDONE = /^(?:close|deallocate|discard|prepare)\b/i;

/** Functions that would write a file of the server, which PostgreSQL does not count as writing. */
const COPY_TO_SERVER = /^copy\b[\s\S]*\bto\s+(?:program\b|e?')/i;

const COPY_OVER_CONNECTION = /^copy\b[\s\S]*\b(?:from\s+stdin|to\s+stdout)\b/i;

function refuseCopyOverConnection(sql: string): void {
  if (!COPY_OVER_CONNECTION.test(sql)) return;
  throw new ValueError('COPY from STDIN or to STDOUT is no query; a load test sends none of its data');
}

/**
 * 25006: refused in a read-only transaction. 25001: refused in any transaction, as VACUUM, CREATE DATABASE and ALTER
 * SYSTEM are. 2D000: a procedure that commits, so it has something to commit.
 */
function isRefusedWrite(error: unknown): boolean {
  return error instanceof DatabaseError && ['25006', '25001', '2D000'].includes(error.code);
}
