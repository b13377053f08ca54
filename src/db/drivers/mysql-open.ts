import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { homedir, userInfo } from 'node:os';
import type { SecureVersion } from 'node:tls';
import { onAbort } from '../../base/abort.js';
import { asError, invoke } from '../../base/promises.js';
import { registerSecret } from '../../base/secrets.js';
import { DatabaseError } from '../errors.js';
import { ed25519Plugin } from './mysql-ed25519.js';
import { connectError } from './mysql-errors.js';
import type { Mysql, MysqlClient, MysqlTls } from './mysql-wire.js';

/** One of the places where the server may be. */
export interface MysqlPlace {
  /** A name or an address; null is localhost. */
  readonly host: string | null;
  /** null is 3306. */
  readonly port: number | null;
}

export type MysqlTlsMode = 'DISABLED' | 'PREFERRED' | 'REQUIRED' | 'VERIFY_CA' | 'VERIFY_IDENTITY';

export interface MysqlTlsSettings {
  readonly mode: MysqlTlsMode;
  /** Files, in PEM. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly passphrase: string | null;
  readonly minVersion: SecureVersion | null;
  readonly maxVersion: SecureVersion | null;
}

export interface MysqlAccess {
  readonly user: string | null;
  readonly password: string | (() => string | Promise<string>) | null;
  readonly database: string | null;
  /** The path of a Unix socket, which wins over the places. */
  readonly socket: string | null;
  readonly tls: MysqlTlsSettings;
  readonly charset: string | null;
  /** The time zone that a Date is written in. */
  readonly timezone: string;
  readonly keepAliveMs: number | null;
  readonly programName: string;
  /** A plain-text password may be sent, over TLS. */
  readonly allowsCleartext: boolean;
}

/** The first message of the server. */
export interface Greeting {
  readonly version: string;
  readonly isMariaDb: boolean;
  readonly threadId: number;
  readonly offersTls: boolean;
}

export interface Opened {
  readonly client: MysqlClient;
  readonly greeting: Greeting;
}

const DEFAULT_PORT = 3306;
/** Statements prepared on one connection; the server has one limit for those of all. */
const MOST_PREPARED = 200;

/** Opens a connection and logs in. Rejects with what the server or the system says, in typed errors. */
export async function openMysql(
  mysql: Mysql,
  access: MysqlAccess,
  place: MysqlPlace,
  signal: AbortSignal,
): Promise<Opened> {
  signal.throwIfAborted();
  const user = access.user ?? ownName();
  const where = access.socket ?? `${place.host ?? 'localhost'}:${place.port ?? DEFAULT_PORT}`;
  const socket = dial(access, place);
  const stopWatching = onAbort(signal, () => void socket.destroy(asError(signal.reason)));
  let greeting: Greeting | null = null;
  try {
    greeting = await greetingOf(socket);
    const password = await passwordOf(access.password);
    const ssl = await tlsFor(access, greeting);
    signal.throwIfAborted();
    // poolctl-ignore-next-line leak -- it ends with its socket, which is destroyed below
    const client = mysql.createConnection({
      host: place.host ?? 'localhost',
      ...(place.port === null ? {} : { port: place.port }),
      ...{ user, password, stream: socket },
      ...(access.database === null ? {} : { database: access.database }),
      ...(ssl === null ? {} : { ssl }),
      ...(access.charset === null ? {} : { charset: access.charset }),
      // Ours counts, from the first moment to the last.
      connectTimeout: 0,
      timezone: access.timezone,
      // No server may ask for a file of this machine.
      flags: '-LOCAL_FILES',
      ...{ dateStrings: true, supportBigNumbers: true, maxPreparedStatements: MOST_PREPARED },
      enableCleartextPlugin: access.allowsCleartext && ssl !== null,
      authPlugins: { client_ed25519: ed25519Plugin(password) },
      connectAttributes: { program_name: access.programName },
    });
    // Looking at the greeting has stopped it.
    socket.resume();
    await new Promise<void>((resolve, reject) => {
      client.on('connect', resolve).on('error', reject);
    });
    return { client, greeting };
  } catch (error) {
    socket.destroy();
    if (signal.aborted) throw asError(signal.reason);
    throw connectError(error, { where, user, isMariaDb: greeting?.isMariaDb ?? false });
  } finally {
    stopWatching();
  }
}

function dial({ socket: path, keepAliveMs }: MysqlAccess, { host, port }: MysqlPlace): Socket {
  if (path !== null) return connect(path);
  const socket = connect({ host: host ?? 'localhost', port: port ?? DEFAULT_PORT, noDelay: true });
  if (keepAliveMs !== null) socket.setKeepAlive(true, keepAliveMs);
  // By this name TLS checks the certificate: Node sets it for names, and not for addresses.
  (socket as Socket & { _host?: string })._host ??= host ?? 'localhost';
  return socket;
}

/** mysql2 has to know before the greeting whether there is TLS. So it is looked at here, and put back. */
function greetingOf(socket: Socket): Promise<Greeting> {
  let seen = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      socket.off('readable', read).off('error', fail).off('close', hungUp);
      socket.on('error', () => {});
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const hungUp = (): void =>
      fail(
        Object.assign(new Error('the server closed the connection'), { code: 'PROTOCOL_CONNECTION_LOST' }),
      );
    const read = (): void => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read())
        seen = Buffer.concat([seen, chunk]);
      if (seen.length < 5) return;
      const length = seen.readUIntLE(0, 3);
      const first = seen[4];
      if (seen[3] !== 0 || length > 4096 || (first !== PROTOCOL && first !== ERROR)) {
        fail(
          new DatabaseError('ERR_DB_AUTH', 'what listens there is no MySQL or MariaDB', { hint: NO_MYSQL }),
        );
        return;
      }
      if (seen.length < length + 4) return;
      stop();
      socket.unshift(seen);
      resolve(readGreeting(seen.subarray(4, length + 4)));
    };
    socket.on('readable', read).on('error', fail).on('close', hungUp);
  });
}

const PROTOCOL = 10;
const ERROR = 0xff;
const CAPABLE_OF_TLS = 0x0800;
const NO_MYSQL = 'check host and port';

/** An error in its place is left to mysql2. */
function readGreeting(packet: Buffer): Greeting {
  const end = packet.indexOf(0, 1);
  if (packet[0] !== PROTOCOL || end < 0 || packet.length < end + 16) {
    return { version: '', isMariaDb: false, threadId: 0, offersTls: false };
  }
  const version = packet.toString('utf8', 1, end);
  return {
    // Replication of old broke on a version above 5, so MariaDB puts this before its own.
    version: version.replace(/^5\.5\.5-(?=\d+\.)/, ''),
    isMariaDb: /mariadb/i.test(version),
    threadId: packet.readUInt32LE(end + 1),
    offersTls: (packet.readUInt16LE(end + 14) & CAPABLE_OF_TLS) !== 0,
  };
}

/** The client of MySQL takes the name of the user of the system. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'root';
  }
}

async function passwordOf(password: MysqlAccess['password']): Promise<string> {
  if (typeof password !== 'function') return password ?? '';
  const text: unknown = await invoke(async () => password()).catch((cause: unknown) => {
    const message = `the function in the option password failed: ${asError(cause).message}`;
    throw new DatabaseError('ERR_DB_PASSWORD', message, { cause });
  });
  if (typeof text !== 'string') {
    throw new DatabaseError(
      'ERR_DB_PASSWORD',
      `the function in the option password gave ${typeof text}, and no text`,
    );
  }
  registerSecret(text);
  return text;
}

const contexts = new WeakMap<MysqlTlsSettings, Promise<MysqlTls>>();

/** null for none. A Unix socket has none unless it is demanded. */
async function tlsFor(
  { tls, socket }: MysqlAccess,
  { offersTls, version }: Greeting,
): Promise<MysqlTls | null> {
  if (tls.mode === 'DISABLED') return null;
  if (tls.mode === 'PREFERRED' && (socket !== null || !offersTls)) return null;
  if (!offersTls && version !== '') {
    throw new DatabaseError('ERR_DB_TLS', `ssl-mode=${tls.mode}, and the server does not support TLS`, {
      hint: 'use ssl-mode=PREFERRED or ssl-mode=DISABLED, or set up TLS in the server',
    });
  }
  // One object for all connections: mysql2 reads the certificates once for each.
  let context = contexts.get(tls);
  if (context === undefined) {
    context = readTls(tls);
    contexts.set(tls, context);
    context.catch(() => contexts.delete(tls));
  }
  return context;
}

async function readTls(tls: MysqlTlsSettings): Promise<MysqlTls> {
  const { mode, ca, cert, key, passphrase, minVersion, maxVersion } = tls;
  return {
    rejectUnauthorized: mode === 'VERIFY_CA' || mode === 'VERIFY_IDENTITY',
    verifyIdentity: mode === 'VERIFY_IDENTITY',
    ...(ca === null ? {} : { ca: await pemOf(ca, 'ssl-ca') }),
    ...(cert === null ? {} : { cert: await pemOf(cert, 'ssl-cert') }),
    ...(key === null ? {} : { key: await pemOf(key, 'ssl-key') }),
    ...(passphrase === null ? {} : { passphrase }),
    ...(minVersion === null ? {} : { minVersion }),
    ...(maxVersion === null ? {} : { maxVersion }),
  };
}

async function pemOf(file: string, parameter: string): Promise<string> {
  try {
    return await readFile(file.replace(/^~(?=\/)/, homedir()), 'utf8');
  } catch (cause) {
    throw new DatabaseError('ERR_DB_TLS', `cannot read ${parameter}: ${asError(cause).message}`, { cause });
  }
}
