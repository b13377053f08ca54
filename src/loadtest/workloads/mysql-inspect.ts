import type { Session } from '../../db/database.js';
import { sqlStateOf } from '../../db/drivers/mysql-errors.js';
import { literal } from '../../db/drivers/mysql-values.js';
import { DatabaseError } from '../../db/errors.js';
import { codeOf } from '../../db/mysql-tokens.js';
import type { Value } from './expression.js';
import type { Inspected } from './sql-target.js';

/**
 * Finds out whether a statement does more than read. Every connection of the load is read-only (SET SESSION TRANSACTION
 * READ ONLY), where the server refuses what changes tables, sequences and definitions, whatever function hides it. Some
 * statements leave that state, or are not held by it: locks, files of the server's, procedures. Those are told by their
 * words. Then the statement is run once in a read-only transaction, and the session is looked at: a function may have
 * taken a lock by name, or made the session writable.
 *
 * Not seen: what native code (UDFs) does, and functions that act for certain parameters only.
 */
export async function inspect(
  session: Session,
  sql: string,
  values: readonly Value[],
  { allowWrites, signal }: { readonly allowWrites: boolean; readonly signal?: AbortSignal },
): Promise<Inspected> {
  const code = codeOf(sql)
    .replaceAll(/\/\*M?!\d*|\*\//g, ' ')
    .trim();
  const options = signal === undefined ? {} : { signal };
  const does = effectOf(code);
  if (does !== null) {
    await parse(session, sql, options);
    return { writes: true, does };
  }
  if (KEEPS_TRANSACTION.test(code)) return { writes: false };
  const isWithin = session.inTransaction;
  // A transaction that a script has begun where writes are allowed cannot be made read-only any more.
  if (isWithin && allowWrites) return { writes: CHANGES.test(code) };
  const isChanged = allowWrites && !(await isReadOnly(session, options));
  if (isChanged) await session.exec('SET SESSION TRANSACTION READ ONLY');
  try {
    // Not in a transaction: a definition would commit it, and be let through.
    await session.query(sql, values, options);
    if (!isWithin && !allowWrites && /\(/.test(code)) return await traceOf(session, options);
    return { writes: false };
  } catch (error) {
    if (isRefusedWrite(error)) return { writes: true };
    throw error;
  } finally {
    if (isChanged && !session.closed) await session.exec('SET SESSION TRANSACTION READ WRITE');
  }
}

/** Rejects where the server takes no writes of this user at all; changes nothing. */
export async function tryWriting(session: Session): Promise<void> {
  const { rows } = await session.query<{ Variable_name: string; Value: string }>(
    "SHOW VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'innodb_read_only', 'tx_read_only', 'transaction_read_only')",
  );
  const on = rows.filter(({ Value: value }) => value === 'ON').map(({ Variable_name: name }) => name);
  // Administrators may write in spite of read_only.
  const isBound = on.length > 1 || (on[0] === 'read_only' && !(await isAdministrator(session)));
  if (on.length === 0 || (on[0] === 'read_only' && !isBound)) return;
  throw new DatabaseError(
    'ER_OPTION_PREVENTS_STATEMENT',
    `the server takes no writes: ${on.join(', ')} is ON`,
    {
      hint: 'it is a replica, or was made read-only: name the primary',
    },
  );
}

async function isAdministrator(session: Session): Promise<boolean> {
  const { rows } = await session.query('SHOW GRANTS');
  const grants = rows.map((row) => Object.values(row).join(' ')).join('\n');
  return /\b(?:ALL PRIVILEGES|SUPER|READ[_ ]ONLY ADMIN|CONNECTION_ADMIN)\b[^\n]* ON \*\.\*/i.test(grants);
}

const FIRST_WORDS =
  /^(?:\(\s*)*(?:select|with|values|table|show|describe|desc|explain|analyze|do|insert|update|delete|replace|create|alter|drop|truncate|rename|optimize|repair|load|grant|revoke)\b/i;

/** Statements that begin and end transactions. In a read-only session those are read-only, too. */
const KEEPS_TRANSACTION =
  /^(?:begin(?:\s+work)?|start\s+transaction(?:\s*,?\s*(?:with\s+consistent\s+snapshot|read\s+only))*|commit(?:\s+work)?|rollback(?:\s+work)?|savepoint\s+\S+|rollback\s+(?:work\s+)?to\s+(?:savepoint\s+)?\S+|release\s+savepoint\s+\S+|set\s+(?:session\s+)?transaction\s+isolation\s+level\s+[a-z ]+)\s*$/i;

const CHANGES = /^(?:insert|update|delete|replace|load)\b/i;

/** The words of what is not held by a read-only session, with what it does. */
const EFFECTS: readonly (readonly [words: RegExp, does: string])[] = [
  [/\binto\s+(?:outfile|dumpfile)\b/i, 'writes a file on the server'],
  [/\b(?:get_lock|release_lock|release_all_locks)`?\s*\(/i, 'takes or releases a lock by name'],
  [/\block\s+in\s+share\s+mode\b|\bfor\s+share\b/i, 'locks rows'],
  [/\b(?:master_pos_wait|wait_for_executed_gtid_set)`?\s*\(/i, 'waits for a replica'],
  [/^analyze\s+(?:(?:no_write_to_binlog|local)\s+)?tables?\b/i, 'writes statistics'],
  [/^call\b/i, 'calls a procedure that may write'],
  [/^start\s+transaction\b[\s\S]*\bread\s+write\b/i, 'makes its transaction writable'],
];

function effectOf(code: string): string | null {
  const found = EFFECTS.find(([words]) => words.test(code));
  if (found !== undefined) return found[1];
  if (FIRST_WORDS.test(code) || KEEPS_TRANSACTION.test(code) || /^set\s+@\w/i.test(code)) {
    // Several assignments may hide one of a setting.
    return /^set\s+@\w[\s\S]*,\s*(?:@@|global\b|session\b|(?!@)\w+\s*:?=)/i.test(code)
      ? CHANGES_SESSION
      : null;
  }
  const [word = ''] = /^\w+/.exec(code) ?? [];
  if (/^set$/i.test(word)) return CHANGES_SESSION;
  return `runs ${word.toUpperCase() || 'something'} and may do more than read`;
}

const CHANGES_SESSION = 'changes settings of the session or the server';

/** The variable has another name in each server, and in some both. */
async function isReadOnly(session: Session, options: { readonly signal?: AbortSignal }): Promise<boolean> {
  const { rows } = await session.query<{ Value: string }>(
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_read_only', 'transaction_read_only')",
    [],
    options,
  );
  return rows.length > 0 && rows.every(({ Value: value }) => value === 'ON');
}

/** Rejects if the server does not understand the statement, which is not run. */
async function parse(
  session: Session,
  sql: string,
  options: { readonly signal?: AbortSignal },
): Promise<void> {
  try {
    await session.exec(
      `PREPARE poolctl_trial FROM ${literal(sql, { backslash: true, timezone: 'Z' })}`,
      options,
    );
    await session.exec('DEALLOCATE PREPARE poolctl_trial', options);
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'ER_PARSE_ERROR') {
      throw new DatabaseError(error.code, error.message, { cause: error.cause, sql, name: error.name });
    }
  }
}

/** State that a function left in the session, which is then not lent again. */
async function traceOf(session: Session, options: { readonly signal?: AbortSignal }): Promise<Inspected> {
  if (!(await isReadOnly(session, options))) {
    await session.exec('SET SESSION TRANSACTION READ ONLY');
    return { writes: true, does: 'makes the session writable, by a function that it calls' };
  }
  const locks = await session
    .query<{ n: number | null }>('SELECT RELEASE_ALL_LOCKS() AS n', [], options)
    .then(({ rows: [row] }) => Number(row?.n ?? 0))
    // Before MySQL 5.7 and MariaDB 10.5 there is no such function.
    .catch(() => 0);
  return locks > 0
    ? { writes: true, does: 'takes a lock by name, in a function that it calls' }
    : { writes: false };
}

/** Refused in a read-only transaction. */
function isRefusedWrite(error: unknown): boolean {
  return sqlStateOf(error) === '25006';
}
