/** The effect of a statement on the session beyond its transaction. */
export interface SessionEffect {
  readonly kind:
    | 'set'
    | 'listen'
    | 'unlisten'
    | 'temporary'
    | 'lock'
    | 'unlock'
    | 'cursor'
    | 'reset'
    | 'replication';
  /** `SET search_path`, `LISTEN jobs`, `TEMPORARY TABLE t`, `ADVISORY LOCK`, `CURSOR c`, `REPLICATION`; a channel for `unlisten`. */
  readonly what: string;
}

/** Longer texts are looked at so far. Statements that change a session are short. */
const MOST_SCANNED = 2000;

/**
 * The change of a statement to its session that outlives the transaction; null for nearly all statements. Runs for
 * each statement: the first letter decides whether it looks further.
 */
export function sessionEffect(sql: string): SessionEffect | null {
  const start = firstLetter(sql);
  switch (sql.charCodeAt(start) | 0x20) {
    case 115: // SET, SELECT, START_REPLICATION
      return ofS(sql, start);
    case 108: // LISTEN
      return named(/^listen\s+("(?:[^"]|"")+"|[\w$.]+)/i, 'listen', 'LISTEN', sql, start);
    case 117: // UNLISTEN
      return named(/^unlisten\s+(\*|"(?:[^"]|"")+"|[\w$.]+)/i, 'unlisten', '', sql, start);
    case 99: // CREATE TEMPORARY TABLE
      return ofCreate(sql, start);
    case 100: // DECLARE ... CURSOR WITH HOLD, DISCARD
      return ofD(sql, start);
    case 114: // RESET
      return /^reset\s/i.test(rest(sql, start, 8)) ? { kind: 'reset', what: '' } : null;
    case 119: // WITH ... SELECT pg_advisory_lock
      return lock(sql);
    default:
      return null;
  }
}

function ofS(sql: string, start: number): SessionEffect | null {
  switch (sql.charCodeAt(start + 2) | 0x20) {
    case 116: // SET
      return ofSet(sql, start);
    case 108: // SELECT
      return lock(sql);
    case 97: // START_REPLICATION
      return /^start_replication\b/i.test(rest(sql, start, 20))
        ? { kind: 'replication', what: 'REPLICATION' }
        : null;
    default:
      return null;
  }
}

/** SET LOCAL and SET TRANSACTION end with their transaction; SET CONSTRAINTS too. */
function ofSet(sql: string, start: number): SessionEffect | null {
  const found = /^set\s+(?:session\s+)?(?!local\b|transaction\b|constraints\b)([\w.]+)/i.exec(
    rest(sql, start, 200),
  );
  if (found === null) return null;
  const name = (found[1] as string).toLowerCase();
  return { kind: 'set', what: `SET ${name === 'time' ? 'timezone' : name}` };
}

function ofCreate(sql: string, start: number): SessionEffect | null {
  const found =
    /^create\s+(?:(?:global|local)\s+)?temp(?:orary)?\s+(?:table|view|sequence)\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|[\w$.]+)([\s\S]*)/i.exec(
      rest(sql, start, MOST_SCANNED),
    );
  if (found === null || /\bon\s+commit\s+drop\b/i.test(found[2] ?? '')) return null;
  return { kind: 'temporary', what: `TEMPORARY TABLE ${unquoted(found[1])}` };
}

function ofD(sql: string, start: number): SessionEffect | null {
  const text = rest(sql, start, MOST_SCANNED);
  const cursor = /^declare\s+("(?:[^"]|"")+"|[\w$]+)[\s\S]*?\bwith\s+hold\b/i.exec(text);
  if (cursor !== null) return { kind: 'cursor', what: `CURSOR ${unquoted(cursor[1])}` };
  return /^discard\s+all\b/i.test(text) ? { kind: 'reset', what: 'ALL' } : null;
}

/** Locks of a session; those of a transaction (pg_advisory_xact_lock) end with it. */
function lock(sql: string): SessionEffect | null {
  if (!sql.includes('advisory')) return null;
  const found = /\bpg_(?:try_)?advisory_(lock|unlock)(_all)?(?:_shared)?\s*\(/i.exec(
    sql.slice(0, MOST_SCANNED),
  );
  if (found === null) return null;
  return {
    kind: found[1] === 'unlock' ? 'unlock' : 'lock',
    what: found[2] === undefined ? 'ADVISORY LOCK' : 'ALL',
  };
}

function named(
  pattern: RegExp,
  kind: 'listen' | 'unlisten',
  word: string,
  sql: string,
  start: number,
): SessionEffect | null {
  const found = pattern.exec(rest(sql, start, 200));
  return found === null ? null : { kind, what: `${word} ${unquoted(found[1])}`.trim() };
}

function unquoted(name: string | undefined): string {
  return (name ?? '').replace(/^"|"$/g, '').replaceAll('""', '"');
}

function rest(sql: string, start: number, length: number): string {
  return sql.slice(start, start + length);
}

/** Behind blanks and comments. */
function firstLetter(sql: string): number {
  let at = 0;
  for (;;) {
    const code = sql.charCodeAt(at);
    if (code === 32 || (code >= 9 && code <= 13) || code === 40) at++;
    else if (code === 45 && sql.charCodeAt(at + 1) === 45) at = endOf(sql, '\n', at);
    else if (code === 47 && sql.charCodeAt(at + 1) === 42) at = endOf(sql, '*/', at);
    else return at;
  }
}

function endOf(sql: string, end: string, from: number): number {
  const at = sql.indexOf(end, from);
  return at < 0 ? sql.length : at + end.length;
}
