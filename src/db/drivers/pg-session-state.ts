import { DatabaseError } from '../errors.js';
import type { ParameterStatus, PgResult } from './pg-wire.js';

/** Statements that change the session, by the first word of the tag with which the server completes them. */
const CHANGING = new Set(['SET', 'RESET', 'LISTEN', 'PREPARE', 'DECLARE', 'LOAD', 'DO', 'CALL']);
/** A change that ends with its transaction. */
const LOCAL = /^\s*set\s+(?:local|transaction|constraints)\b/i;
/** Effects that a tag does not show: temporary tables, and functions that change the session. */
const HIDDEN =
  /\b(?:temp|temporary|pg_temp)\b|\b(?:set_config|setseed|pg_(?:try_)?advisory_lock(?:_shared)?|dblink_connect(?:_u)?)\s*\(/i;
/** A script that failed may have done a part of its work. */
const SUSPECT = new RegExp(`\\b(?:${[...CHANGING].join('|')})\\b|${HIDDEN.source}`, 'i');

/**
 * Facts of a connection about its session: whether the server is read-only, and whether a borrower may have left
 * something behind that a rollback does not undo.
 *
 * Changes are seen by the tags of statements, by their text, and by the parameters that the server reports. A change
 * made inside a function of the user's own is not seen, unless the server reports it.
 */
export class PgSessionState {
  readonly #isReadOnlyByChoice: boolean;
  /** null until the server has said so: before PostgreSQL 14, and behind PgBouncer, it never does. */
  #isStandby: boolean | null = null;
  #isReadOnlyByDefault: boolean | null = null;
  #isOpen = false;
  #isChanged = false;

  constructor(isReadOnlyByChoice: boolean) {
    this.#isReadOnlyByChoice = isReadOnlyByChoice;
  }

  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** The server has reported a parameter. */
  reported({ parameterName, parameterValue }: ParameterStatus): void {
    if (parameterName === 'in_hot_standby') this.#isStandby = parameterValue === 'on';
    else if (parameterName === 'default_transaction_read_only') {
      this.#isReadOnlyByDefault = parameterValue === 'on';
    }
    if (this.#isOpen) this.#isChanged = true;
  }

  /** Nothing that came before was a borrower's. */
  opened(): void {
    this.#isOpen = true;
    this.#isChanged = false;
  }

  ran(sql: string, result: PgResult | PgResult[]): void {
    if (this.#isChanged) return;
    const isScript = Array.isArray(result);
    const changes = isScript
      ? result.some(({ command }) => CHANGING.has(command ?? ''))
      : CHANGING.has(result.command ?? '') && !LOCAL.test(sql);
    this.#isChanged = changes || HIDDEN.test(sql);
  }

  failed(sql: string): void {
    this.#isChanged ||= SUSPECT.test(sql);
  }

  discarded(): void {
    this.#isChanged = false;
  }

  /**
   * Whether the server has refused a write because it has become read-only, as after a failover. A transaction that the
   * user began as read-only, or a database that was asked for as such, is no reason.
   */
  isReadOnlyAgainstWill(error: unknown, isReadOnlyTransaction: boolean): boolean {
    if (!(error instanceof DatabaseError) || error.code !== '25006' || this.#isReadOnlyByChoice) return false;
    if (this.#isStandby === null) return !isReadOnlyTransaction;
    return this.#isStandby || this.#isReadOnlyByDefault === true;
  }
}
