import type { WatchedHolder } from '../snapshot/pool.js';
import { hasMethods, hook, isObject, plainValue } from './hooking.js';
import { noteOn } from './note.js';

/** What can be seen of a resource while it is lent. */
export type ResourceState = Pick<WatchedHolder, 'busy' | 'localPort' | 'backendPid'>;

/** What can be seen of a lent resource: a connection of pg or mysql2 says more than others. */
export function stateOf(resource: object): ResourceState {
  try {
    if (isPgClient(resource)) return pgState(resource);
    if (isMysqlConnection(resource)) return mysqlState(resource);
  } catch {
    // A version that has other insides: nothing is known then.
  }
  return { busy: null, localPort: null, backendPid: null };
}

/** Sees to it that the SQL sent through resources like this one is noted. */
export function watchQueries(resource: object): void {
  const names = isPgClient(resource) ? ['query'] : isMysqlConnection(resource) ? ['query', 'execute'] : [];
  for (const name of names) hookQuery(resource, name);
}

/** In the prototype that has the method: once for all connections. */
function hookQuery(resource: object, name: string): void {
  let owner: object | null = resource;
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null;
  if (owner === null) return;
  hook(
    owner,
    name,
    (query) =>
      // Spelled out, since it runs for each query.
      function queryWatched(this: object, text, values, callback, ...more) {
        const note = noteOn(this);
        if (note !== null && note.leaseId !== 0) note.sql = typeof text === 'string' ? text : sqlIn(text);
        return query.call(this, text, values, callback, ...more);
      },
  );
}

/** The text in a query's configuration, or in the query itself. */
function sqlIn(query: unknown): string | null {
  try {
    if (!isObject(query)) return null;
    if (typeof query.text === 'string') return query.text;
    return typeof query.sql === 'string' ? query.sql : null;
  } catch {
    // A getter of the application's own.
    return null;
  }
}

interface PgClient {
  readonly processID?: unknown;
  readonly connection?: { readonly stream?: Stream };
  readonly readyForQuery?: unknown;
  readonly _queryQueue: readonly unknown[];
  readonly _sentQueryQueue?: readonly unknown[];
}

/** Under TLS the stream is around the one that has the port. */
interface Stream {
  readonly localPort?: unknown;
}

function isPgClient(resource: object): resource is PgClient {
  return (
    hasMethods(resource, ['query', '_pulseQueryQueue']) && Array.isArray(plainValue(resource, '_queryQueue'))
  );
}

function pgState({
  processID,
  connection,
  readyForQuery,
  _queryQueue,
  _sentQueryQueue,
}: PgClient): ResourceState {
  // pg-native has neither: its queue alone does not tell.
  const busy = typeof readyForQuery !== 'boolean' ? null : !readyForQuery;
  return {
    busy: busy === null ? null : busy || _queryQueue.length > 0 || (_sentQueryQueue?.length ?? 0) > 0,
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

function portOf(stream: Stream | undefined): number | null {
  const port = stream?.localPort;
  return typeof port === 'number' ? port : null;
}
