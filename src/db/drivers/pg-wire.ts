import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { DatabaseError } from '../errors.js';

/** The part of the package `pg` that is used here, in its own names. */
export interface Pg {
  readonly Client: new (config: PgConfig) => PgClient;
  /** The wire below a client; a request to cancel is sent on one of its own. */
  readonly Connection: new (config: {
    ssl: TlsOptions | boolean;
  }) => PgWire;
  readonly types: PgTypes;
  readonly defaults: { ssl: TlsOptions | boolean | undefined };
}

export interface PgConfig {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string | (() => string | Promise<string>);
  readonly database?: string;
  readonly ssl?: TlsOptions | boolean;
  readonly sslnegotiation?: 'direct';
  /** SCRAM-SHA-256-PLUS where the server offers it. */
  readonly enableChannelBinding?: boolean;
  readonly application_name?: string;
  readonly fallback_application_name?: string;
  readonly options?: string;
  readonly statement_timeout?: number;
  readonly lock_timeout?: number;
  readonly idle_in_transaction_session_timeout?: number;
  readonly keepAlive?: boolean;
  readonly keepAliveInitialDelayMillis?: number;
  readonly types?: PgTypes;
  /** The socket to connect with, instead of one that `pg` makes. */
  readonly stream?: () => Duplex;
}

export type TlsOptions = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'crl'
  | 'pfx'
  | 'passphrase'
  | 'servername'
  | 'minVersion'
  | 'maxVersion'
  | 'rejectUnauthorized'
  | 'checkServerIdentity'
>;

/** Values that a client has filled in from the environment, or by default, where its configuration said nothing. */
export interface PgAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly database: string | undefined;
}

export interface PgClient extends PgAddress {
  readonly connection: PgWire;
  readonly processID: number | null;
  readonly secretKey: number | null;
  ssl: TlsOptions | boolean;
  password: string | null | (() => Promise<string>);
  enableChannelBinding: boolean;
  connect(callback: (error?: Error | null) => void): void;
  query(query: PgQuery, callback: PgCallback): void;
  query(text: string, values: unknown[], callback: PgCallback): void;
  /** 'I' idle, 'T' in a transaction, 'E' in one that failed; null before the server was ever ready. */
  getTransactionStatus(): 'I' | 'T' | 'E' | null;
  end(callback: () => void): void;
  ref(): void;
  unref(): void;
  /** 'drain': the server is ready for the next query. 'error': the connection is done for. 'end': it is closed. */
  on(event: 'drain' | 'end', listener: () => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'notice', listener: (notice: PgNotice) => void): this;
}

export interface PgWire {
  /** A socket, or TLS around one. */
  readonly stream: Duplex & {
    readonly localPort?: number;
    readonly connecting?: boolean;
    setTimeout(ms: number, callback: () => void): unknown;
  };
  /** The statements that have a name on the server, by it. */
  parsedStatements: Record<string, string>;
  connect(portOrSocket: number | string, host?: string): void;
  requestSsl(): void;
  /** Reads the messages of the server from this stream. */
  attachListeners(stream: Duplex): void;
  /** Goes on with the log-in. */
  emit(event: 'sslconnect'): boolean;
  cancel(processId: number, secretKey: number): void;
  on(event: 'connect' | 'sslconnect' | 'end', listener: () => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  on(
    event: 'authenticationCleartextPassword' | 'authenticationMD5Password' | 'authenticationOk',
    listener: () => void,
  ): this;
  on(
    event: 'authenticationSASL',
    listener: (message: { readonly mechanisms: readonly string[] }) => void,
  ): this;
  on(event: 'parameterStatus', listener: (message: ParameterStatus) => void): this;
}

export interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

export interface PgQuery {
  readonly text: string;
  readonly values?: unknown[];
  readonly name?: string;
  /** 'extended': one statement only, whose parameters are bound by the server. Without: a script. */
  readonly queryMode?: 'extended';
}

type PgCallback = (error: Error | null, result: PgResult | PgResult[]) => void;

export interface PgResult {
  readonly command: string | null;
  readonly rowCount: number | null;
  readonly rows: unknown[];
  readonly fields: readonly { readonly name: string }[];
}

export interface PgNotice {
  readonly severity?: string | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

export type TypeParser = (text: string) => unknown;

export interface PgTypes {
  getTypeParser(oid: number, format?: 'text' | 'binary'): TypeParser;
}

/** Loaded by the first connect, and not before. Rejects with ERR_DRIVER_MISSING. */
export async function loadPg(): Promise<Pg> {
  try {
    const { default: pg } = await import('pg');
    return pg as unknown as Pg;
  } catch (cause) {
    const [reason = ''] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new DatabaseError('ERR_DRIVER_MISSING', `PostgreSQL needs the package pg: ${reason}`, {
      cause,
      hint: 'run npm install pg',
    });
  }
}
