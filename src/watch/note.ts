/** What a watcher notes on a resource of a foreign pool. Made once for each, so that lending allocates nothing. */
export class Note {
  /** The lease that is out, or 0. */
  leaseId = 0;
  acquiredAt = 0;
  /** Holds the stack of the acquire, unformatted; null where it was not sampled. */
  site: Error | null = null;
  /** The last SQL of this lease as it was given, uncut; null while there was none. */
  sql: string | null = null;
}

const NOTE = Symbol('poolctl.note');

/** The note on a resource; null if it was never lent while it was watched. */
export function noteOn(resource: object): Note | null {
  return (resource as { readonly [NOTE]?: Note })[NOTE] ?? null;
}

/** Where it can be seen by nobody: an application may list the properties of its clients. */
export function newNote(resource: object): Note {
  const note = new Note();
  Object.defineProperty(resource, NOTE, { value: note, configurable: true });
  return note;
}
