import type { holderSession } from '../snapshot/observed.js';
import type { Made } from '../snapshot/schema.js';
import type { SessionEffect } from './statements.js';

/** A cursor of pg-cursor or pg-query-stream. */
interface Cursor {
  readonly state?: unknown;
}

/** The session state that the statements of a connection have left. */
export class SessionNote {
  readonly #listens = new Set<string>();
  readonly #keeps = new Set<string>();
  /** Session locks that were taken and not given back. */
  #locks = 0;
  #cursor: Cursor | null = null;
  /** Whether the present lease subscribed to something, for which it stays out. */
  #subscribed = false;

  apply({ kind, what }: SessionEffect): void {
    switch (kind) {
      case 'listen':
        this.#listens.add(what.slice('LISTEN '.length));
        this.#subscribed = true;
        return;
      case 'unlisten':
        if (what === '*') this.#listens.clear();
        else this.#listens.delete(what);
        return;
      case 'lock':
        this.#locks++;
        return;
      case 'unlock':
        this.#locks = what === 'ALL' ? 0 : Math.max(0, this.#locks - 1);
        return;
      case 'replication':
        this.#subscribed = true;
        break;
      case 'reset':
        this.#reset(what === 'ALL');
        return;
      case 'set':
      case 'temporary':
      case 'cursor':
        break;
    }
    this.#keeps.add(what);
  }

  reads(cursor: Cursor): void {
    this.#cursor = cursor;
  }

  released(): void {
    this.#subscribed = false;
    this.#cursor = null;
  }

  /** Whether the lease is out on purpose: it listens, replicates, holds a session lock, or reads a cursor. */
  get isPurpose(): boolean {
    return (this.#subscribed && this.#isSubscribed) || this.#locks > 0 || this.#isReading;
  }

  get listens(): readonly string[] {
    return [...this.#listens];
  }

  get keeps(): readonly string[] {
    return [
      ...this.#keeps,
      ...(this.#locks > 0 ? ['ADVISORY LOCK'] : []),
      ...(this.#isReading ? ['CURSOR'] : []),
    ];
  }

  get #isSubscribed(): boolean {
    return this.#listens.size > 0 || this.#keeps.has('REPLICATION');
  }

  get #isReading(): boolean {
    return this.#cursor !== null && !/^(?:done|error)$/.test(String(this.#cursor.state));
  }

  #reset(all: boolean): void {
    if (all) {
      this.#listens.clear();
      this.#keeps.clear();
      this.#locks = 0;
    } else for (const what of this.#keeps) if (what.startsWith('SET ')) this.#keeps.delete(what);
  }
}

/** As a holder has it. `inTransaction` comes from the server; null where it did not tell. */
export function sessionOf(session: SessionNote | null, status: string | null): Made<typeof holderSession> {
  return {
    inTransaction: status === null ? null : status !== 'I',
    listens: session?.listens ?? [],
    keeps: session?.keeps ?? [],
  };
}

/** A query that is a cursor, which stays on its connection until it is read to its end, or closed. */
export function isCursor(query: object): query is Cursor {
  return 'read' in query && 'close' in query && 'submit' in query && 'state' in query;
}
