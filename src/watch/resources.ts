import { asError } from '../base/promises.js';
import type { WatchedHolder } from '../snapshot/pool.js';
import { hasMethods, hook, isObject, plainValue } from './hooking.js';
import { type Note, noteOn } from './note.js';
import { codeOf } from './observations.js';
import { connectionState } from './postgres-js/connection-state.js';
import { changed } from './undo.js';

/** The observable state of a resource while it is lent. */
export type ResourceState = Pick<WatchedHolder, 'busy' | 'localPort' | 'backendPid'>;

/** Observers of a lent resource: connections of pg or mysql2 show more than others. */
export function stateOf(resource: object): ResourceState {
  try {
    if (isPgClient(resource)) return pgState(resource);
    if (isMysqlConnection(resource)) return mysqlState(resource);
    if (isMariadbConnection(resource)) return mariadbState(resource);
    if (isMysqljsConnection(resource)) return mysqljsState(resource);
    const state = connectionState(resource);
    if (state !== null) return { ...state, localPort: null };
  } catch {
    // A version that has other insides: nothing is known then.
  }
  return { busy: null, localPort: null, backendPid: null };
}

/** Sees to it that the book of a resource learns of the statements sent through it, and of what becomes of them. */
export function watchConnection(resource: object, note: Note): void {
  if (isPgClient(resource)) {
    hookQuery(resource, 'query');
    hearServer(resource, note);
  } else if (isMariadbConnection(resource)) {
    for (const name of ['query', 'batch']) hookOutcome(resource, name);
  } else if (isMysqlConnection(resource)) {
    for (const name of ['query', 'execute']) hookQuery(resource, name);
    hookCommands(resource);
  } else if (isMysqljsConnection(resource)) {
    hookQuery(resource, 'query');
  } else return;
  note.book?.seesStatements();
}

/** The server's own words: MariaDB's connector adds the values of the statement to its message. */
function messageOf(error: unknown): string {
  const own = isObject(error) ? error.sqlMessage : undefined;
  return typeof own === 'string' ? own : asError(error).message;
}

/** Methods that take the statement, and a function for the result and one for the error. */
function hookOutcome(resource: object, name: string): void {
  const owner = ownerOf(resource, name);
  if (owner === null) return;
  hook(
    owner,
    name,
    (query) =>
      function queryWatched(this: object, statement, resolve, reject, ...more) {
        const note = noteOn(this);
        note?.book?.sent(note, statement, queryWatched);
        const heard =
          note === null || typeof reject !== 'function'
            ? reject
            : (error: unknown): unknown => {
                const code = codeOf(error);
                if (code !== null) note.book?.statementFailed(note, code, messageOf(error));
                return (reject as (error: unknown) => unknown)(error);
              };
        return query.call(this, statement, resolve, heard, ...more);
      },
  );
}

/** In the prototype that has the method: once for all connections. */
function hookQuery(resource: object, name: string): void {
  const owner = ownerOf(resource, name);
  if (owner === null) return;
  hook(
    owner,
    name,
    (query) =>
      // Spelled out, since it runs for each query.
      function queryWatched(this: object, text, values, callback, ...more) {
        const note = noteOn(this);
        note?.book?.sent(note, text, queryWatched);
        return query.call(this, text, values, callback, ...more);
      },
  );
}

function ownerOf(resource: object, name: string): object | null {
  let owner: object | null = resource;
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null;
  return owner;
}

/** A listener for each message of the server that a pg client's connection tells of. */
interface PgListeners {
  readyForQuery(message: { readonly status?: unknown }): void;
  errorMessage(message: { readonly code?: unknown; readonly message?: unknown }): void;
  end(): void;
}
interface PgEvents {
  prependListener<Name extends keyof PgListeners>(event: Name, listener: PgListeners[Name]): unknown;
  removeListener<Name extends keyof PgListeners>(event: Name, listener: PgListeners[Name]): unknown;
}
const EVENTS = ['readyForQuery', 'errorMessage', 'end'] as const;

/**
 * The events of the connection, and not of the client, whose listeners are the application's. Before the client hears of an
 * error: it may give the connection back at once.
 */
function hearServer(client: PgClient, note: Note): void {
  const { connection } = client;
  // pg-native has none.
  if (!hasMethods(connection, ['prependListener', 'emit'])) return;
  const events = connection as unknown as PgEvents;
  const heard: PgListeners = {
    readyForQuery({ status }) {
      note.status = typeof status === 'string' ? status : null;
      note.readyAt = note.book?.clock.now() ?? null;
    },
    errorMessage({ code, message }) {
      if (typeof code === 'string') note.book?.statementFailed(note, code, String(message));
    },
    end() {
      if (client._ending !== true) note.book?.lost(note);
    },
  };
  for (const name of EVENTS) events.prependListener(name, heard[name]);
  changed(connection, () => {
    for (const name of EVENTS) events.removeListener(name, heard[name]);
  });
  // It is lent only once it is ready, and what it said before was not heard. One that was out already may do anything.
  if (note.isOlder) return;
  note.status = 'I';
  note.readyAt = note.book?.clock.now() ?? null;
}

/**
 * Each command of mysql2 has the outcome: its callback receives the error. A connection that has ended takes commands by
 * another method.
 */
function hookCommands(connection: object): void {
  for (const name of ['addCommand', '_addCommandClosedState']) {
    const owner = prototypeWith(connection, name);
    if (owner === null) continue;
    hook(
      owner,
      name,
      (addCommand) =>
        function addCommandWatched(this: object, command, ...more) {
          const note = noteOn(this);
          if (note !== null && isObject(command)) hearOutcome(command, note);
          return addCommand.call(this, command, ...more);
        },
    );
  }
  const owner = prototypeWith(connection, '_notifyError');
  if (owner === null) return;
  hook(
    owner,
    '_notifyError',
    (notifyError) =>
      function notifyErrorWatched(this: object, ...args) {
        const note = noteOn(this);
        // It tells of its end more than once.
        if (note !== null && !lostOnes.has(this)) {
          lostOnes.add(this);
          note.book?.lost(note);
        }
        return notifyError.apply(this, args);
      },
  );
}

const lostOnes = new WeakSet<object>();

/** An own property of the connection is the method of one state. */
function prototypeWith(connection: object, name: string): object | null {
  const prototype = Object.getPrototypeOf(connection) as object | null;
  return prototype === null ? null : ownerOf(prototype, name);
}

/** In the answer to a statement that gives no rows. */
const SERVER_STATUS_IN_TRANS = 1;

function hearOutcome(command: { onResult?: unknown }, note: Note): void {
  const { onResult } = command;
  if (typeof onResult !== 'function') return;
  command.onResult = function onResultWatched(this: unknown, ...args: unknown[]): unknown {
    const [error, result] = args;
    note.readyAt = note.book?.clock.now() ?? null;
    const status = isObject(result)
      ? (result as { readonly serverStatus?: unknown }).serverStatus
      : undefined;
    if (typeof status === 'number') note.status = (status & SERVER_STATUS_IN_TRANS) === 0 ? 'I' : 'T';
    // A command on a connection that has ended fails without a code.
    const code = codeOf(error) ?? (isObject(error) ? 'Error' : null);
    if (code !== null) note.book?.statementFailed(note, code, messageOf(error));
    return (onResult as (...args: unknown[]) => unknown).apply(this, args);
  };
}

interface PgClient {
  readonly processID?: unknown;
  readonly connection?: { readonly stream?: Stream };
  /** It was closed by its user, or by its pool. */
  readonly _ending?: unknown;
  /** Its connection is gone: nothing will be answered on it. */
  readonly _ended?: unknown;
  readonly readyForQuery?: unknown;
  /** Its name before pg 8.17 is `queryQueue`, which later versions keep as a deprecated getter. */
  readonly _queryQueue?: readonly unknown[];
  readonly _sentQueryQueue?: readonly unknown[];
}

/** Under TLS the stream is around the one that has the port. */
interface Stream {
  readonly localPort?: unknown;
}

function isPgClient(resource: object): resource is PgClient {
  return hasMethods(resource, ['query', '_pulseQueryQueue']) && Array.isArray(queueOf(resource));
}

function queueOf(client: object): unknown {
  return plainValue(client, '_queryQueue') ?? plainValue(client, 'queryQueue');
}

function pgState(client: PgClient): ResourceState {
  const { processID, connection, readyForQuery, _ended, _sentQueryQueue } = client;
  const queued = [queueOf(client), _sentQueryQueue].some((queue) => Array.isArray(queue) && queue.length > 0);
  // pg-native has neither: its queue alone does not tell.
  const busy = typeof readyForQuery !== 'boolean' ? null : !readyForQuery;
  if (_ended === true) return { busy: false, localPort: null, backendPid: null };
  return {
    busy: busy === null ? null : busy || queued,
    localPort: portOf(connection?.stream),
    backendPid: typeof processID === 'number' ? processID : null,
  };
}

interface MysqlConnection {
  readonly stream?: Stream;
  readonly threadId?: unknown;
  readonly _command?: unknown;
  readonly _commands?: { readonly length: number };
}

function isMysqlConnection(resource: object): resource is MysqlConnection {
  return hasMethods(resource, ['query', 'execute', 'changeUser']) && 'threadId' in resource;
}

function mysqlState(connection: MysqlConnection): ResourceState {
  const { stream, threadId, _command, _commands } = connection;
  return {
    // After its first command there is an undefined one whenever it is idle.
    busy: '_command' in connection ? Boolean(_command) || (_commands?.length ?? 0) > 0 : null,
    localPort: portOf(stream),
    backendPid: typeof threadId === 'number' ? threadId : null,
  };
}

/** A connection of mysql, the library before mysql2. */
interface MysqljsConnection {
  readonly threadId?: unknown;
  readonly _socket?: Stream;
  readonly _protocol: { readonly _queue: readonly unknown[] };
}

function isMysqljsConnection(resource: object): resource is MysqljsConnection {
  const protocol = plainValue(resource, '_protocol');
  return (
    hasMethods(resource, ['query', 'changeUser']) &&
    isObject(protocol) &&
    Array.isArray(plainValue(protocol, '_queue'))
  );
}

function mysqljsState({ threadId, _socket, _protocol }: MysqljsConnection): ResourceState {
  return {
    busy: _protocol._queue.length > 0,
    localPort: portOf(_socket),
    backendPid: typeof threadId === 'number' ? threadId : null,
  };
}

interface MariadbConnection {
  readonly info?: { readonly threadId?: unknown };
}

function isMariadbConnection(resource: object): resource is MariadbConnection {
  return hasMethods(resource, ['query', 'batch', 'forceEnd']);
}

function mariadbState({ info }: MariadbConnection): ResourceState {
  const id = Number(info?.threadId ?? Number.NaN);
  return { busy: null, localPort: null, backendPid: Number.isSafeInteger(id) ? id : null };
}

function portOf(stream: Stream | undefined): number | null {
  const port = stream?.localPort;
  return typeof port === 'number' ? port : null;
}
