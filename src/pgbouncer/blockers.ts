import { type Row, textOf } from './console.js';

/** A server connection that is in use, so that a pause has to wait for it. */
export interface Blocker {
  readonly database: string;
  readonly user: string;
  readonly state: string;
  /** Its process in PostgreSQL; null where PgBouncer does not know it. */
  readonly backendPid: number | null;
  /** The client at work; null where no client is joined to it. */
  readonly client: BlockingClient | null;
}

export interface BlockingClient {
  readonly application: string | null;
  /** With the port: `10.0.0.7:51234`. */
  readonly address: string;
  /** When it last asked for something, in PgBouncer's words. */
  readonly since: string;
}

/** The clients that block a pause, from SHOW SERVERS and SHOW CLIENTS. */
export function blockersOf(
  servers: readonly Row[],
  clients: readonly Row[],
  database: string | null,
): readonly Blocker[] {
  return servers
    .filter((row) => (database === null ? row.database !== 'pgbouncer' : row.database === database))
    .filter((row) => textOf(row.link) !== '' || textOf(row.state).startsWith('active'))
    .map((server) => {
      const client = clients.find((row) => textOf(row.ptr) !== '' && textOf(row.ptr) === textOf(server.link));
      return {
        database: textOf(server.database),
        user: textOf(server.user),
        state: textOf(server.state),
        backendPid: Number(server.remote_pid) || null,
        client: client === undefined ? null : clientOf(client),
      };
    });
}

function clientOf(row: Row): BlockingClient {
  return {
    application: textOf(row.application_name) || null,
    address: [textOf(row.addr), textOf(row.port)].filter((part) => part !== '').join(':'),
    since: textOf(row.request_time),
  };
}
