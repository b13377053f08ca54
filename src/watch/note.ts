import type { Clock } from '../base/clock.js';
import type { SessionNote } from './session-note.js';
import { mark } from './undo.js';

/** The observations of a connection, for the book of the pool that lent it. */
export interface ConnectionBook {
  readonly clock: Clock;
  /** From now on its statements are seen. */
  seesStatements(): void;
  /**
   * A statement is sent; to be called from the method that sends it. `query` is what that method was given: a text, or an
   * object.
   */
  sent(note: Note, query: unknown, send: (...args: never[]) => unknown): void;
  /** The server has answered a statement with an error. */
  statementFailed(note: Note, code: string, message: string): void;
  /** The connection is gone, and nobody has closed it. */
  lost(note: Note): void;
}

/** A watcher's note on a resource of a foreign pool. Created once per resource, so that lending allocates nothing. */
export class Note {
  /** The pool that lent it last. */
  book: ConnectionBook | null = null;
  /** The lease that is out, or 0. */
  leaseId = 0;
  acquiredAt = 0;
  /** Whether it was out before anybody watched. Then `acquiredAt` is the time at which it was met. */
  isOlder = false;
  /** How long its acquire had waited. */
  waitedMs = 0;
  /** Holds the stack of the acquire, unformatted; null where it was not sampled. */
  site: Error | null = null;
  /** Whether the lease is that of one statement, which gives it back by itself. */
  releasesItself = false;
  /** The last SQL of this lease as it was given, uncut; null while there was none. */
  sql: string | null = null;
  /** When its last statement ended; null where its library does not tell. */
  readyAt: number | null = null;
  /**
   * The transaction status that PostgreSQL reports after each statement: `I`dle, in a `T`ransaction, or in a failed
   * one (`E`).
   */
  status: string | null = null;
  /** null while no statement has left anything in the session. */
  session: SessionNote | null = null;
}

const NOTE = Symbol('poolctl.note');

/** The note on a resource; null if it was never lent while it was watched. */
export function noteOn(resource: object): Note | null {
  return (resource as { readonly [NOTE]?: Note })[NOTE] ?? null;
}

/** Hidden from the application, which may list the properties of its clients. */
export function newNote(resource: object): Note {
  const note = new Note();
  mark(resource, NOTE, note);
  return note;
}
