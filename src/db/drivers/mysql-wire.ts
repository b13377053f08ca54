import type { Duplex } from 'node:stream';
import type { SecureVersion } from 'node:tls';
import { DatabaseError } from '../errors.js';

/** The part of the package `mysql2` that is used here, in its own names. */
export interface Mysql {
  createConnection(config: MysqlConfig): MysqlClient;
}

export interface MysqlConfig {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly stream: Duplex;
  readonly ssl?: MysqlTls;
  /** 0: none. */
  readonly connectTimeout: number;
  readonly charset?: string;
  readonly timezone: string;
  readonly flags: string;
  readonly dateStrings: true;
  readonly supportBigNumbers: true;
  readonly maxPreparedStatements: number;
  readonly enableCleartextPlugin: boolean;
  readonly authPlugins: Readonly<Record<string, AuthPlugin>>;
  readonly connectAttributes: Readonly<Record<string, string>>;
}

export interface MysqlTls {
  readonly rejectUnauthorized: boolean;
  readonly verifyIdentity: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

export type AuthPlugin = (around: {
  readonly connection: unknown;
  readonly command: unknown;
}) => (data: Buffer) => Buffer | null;

export interface MysqlClient {
  /** A socket, or TLS around one. */
  readonly stream: Duplex & {
    readonly localPort?: number;
    ref?(): unknown;
    unref?(): unknown;
  };
  query(options: { readonly sql: string }, callback: MysqlCallback): void;
  execute(
    options: { readonly sql: string; readonly values: readonly unknown[] },
    callback: MysqlCallback,
  ): void;
  ping(callback: (error: Error | null) => void): void;
  reset(callback: (error: Error | null) => void): void;
  /** Says goodbye, behind whatever is queued. */
  end(): void;
  on(event: 'connect' | 'end', listener: () => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
}

export type MysqlCallback = (error: MysqlError | null, rows?: MysqlRows, fields?: MysqlFields) => void;

/** As mysql2 hands on what the server, the system or itself says. */
export interface MysqlError extends Error {
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  readonly sqlMessage?: string;
  readonly fatal?: boolean;
}

/** Rows, a header where there are none, or, of a procedure, a list of both. */
export type MysqlRows = readonly unknown[] | MysqlHeader;
export type MysqlFields = readonly (MysqlField | readonly MysqlField[] | undefined)[];

export interface MysqlHeader {
  readonly affectedRows: number;
  readonly insertId: number | string;
  readonly serverStatus: number;
}

export interface MysqlField {
  readonly name: string;
  readonly columnType: number;
}

/** Status flags that the server sends with its answers. */
export const STATUS = { inTransaction: 0x0001, autocommit: 0x0002, noBackslash: 0x0200 } as const;

/** Loaded by the first connect, and not before. Rejects with ERR_DRIVER_MISSING. */
export async function loadMysql(): Promise<Mysql> {
  try {
    const { default: mysql } = await import('mysql2');
    return mysql as unknown as Mysql;
  } catch (cause) {
    const [reason = ''] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new DatabaseError('ERR_DRIVER_MISSING', `MySQL and MariaDB need the package mysql2: ${reason}`, {
      cause,
      hint: 'run npm install mysql2',
    });
  }
}
