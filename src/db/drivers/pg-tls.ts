import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, createSecureContext, type SecureVersion } from 'node:tls';
import { asError } from '../../base/promises.js';
import { DatabaseError } from '../errors.js';
import type { Pg, PgWire, TlsOptions } from './pg-wire.js';

export interface TlsSettings {
  /** As in libpq; `no-verify` is `require` that never checks. null leaves it to PGSSLMODE, and without it is `prefer`. */
  readonly mode:
    | 'disable'
    | 'allow'
    | 'prefer'
    | 'require'
    | 'verify-ca'
    | 'verify-full'
    | 'no-verify'
    | null;
  /** TLS from the first byte, without asking for it. */
  readonly isDirect: boolean;
  /** Files, in PEM; `identity` is PKCS #12. */
  readonly rootCert: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  readonly crl: string | null;
  readonly identity: string | null;
  readonly passphrase: string | null;
  readonly sni: boolean;
  readonly minVersion: SecureVersion | null;
  readonly maxVersion: SecureVersion | null;
}

/** The accepted proofs of identity. */
export interface AuthRules {
  readonly channelBinding: 'disable' | 'prefer' | 'require';
  /** null: all. */
  readonly methods: readonly string[] | null;
}

/** The attempts, one after the other: TLS with these options, or none. */
export type TlsAttempt = TlsOptions | boolean;

/** The attempts for a host, as libpq makes them. A Unix socket never has TLS. */
export async function attemptsFor(pg: Pg, settings: TlsSettings, host: string | null): Promise<TlsAttempt[]> {
  if (host?.startsWith('/')) return [false];
  const mode = settings.mode ?? modeOfEnvironment(pg);
  if (typeof mode !== 'string') return [mode];
  if (mode === 'disable') return [false];
  const tls = await tlsOptions(settings, mode);
  if (mode === 'allow') return [false, tls];
  return mode === 'prefer' ? [tls, false] : [tls];
}

/**
 * PGSSLMODE, which only `pg` may read. It tells true for every mode that wants TLS, with all checks. The mark takes
 * the place of its default for a moment: false then means `disable`, and not that nothing is set.
 */
function modeOfEnvironment(pg: Pg): 'prefer' | TlsAttempt {
  const { ssl: own } = pg.defaults;
  pg.defaults.ssl = MARK;
  try {
    const { ssl } = new pg.Client({});
    return ssl === MARK ? (own ?? false) || 'prefer' : ssl;
  } finally {
    pg.defaults.ssl = own;
  }
}

const MARK: TlsOptions = {};

async function tlsOptions(settings: TlsSettings, mode: TlsSettings['mode']): Promise<TlsOptions> {
  const { cert, key, crl, identity, passphrase, sni, minVersion, maxVersion } = settings;
  const isFull = mode === 'verify-full';
  const rootCert = await rootOf(settings, mode);
  const options: TlsOptions = {
    rejectUnauthorized:
      mode !== 'no-verify' && (isFull || mode === 'verify-ca' || settings.rootCert !== null),
    ...(isFull ? { checkServerIdentity } : { checkServerIdentity: () => undefined }),
    ...(rootCert === null ? {} : { ca: rootCert }),
    ...(cert === null ? {} : { cert: await pemOf(cert, 'sslcert') }),
    ...(key === null ? {} : { key: await pemOf(key, 'sslkey') }),
    ...(crl === null ? {} : { crl: await pemOf(crl, 'sslcrl') }),
    ...(identity === null ? {} : { pfx: await bytesOf(identity, 'sslidentity') }),
    ...(passphrase === null ? {} : { passphrase }),
    ...(sni ? {} : { servername: '' }),
    ...(minVersion === null ? {} : { minVersion }),
    ...(maxVersion === null ? {} : { maxVersion }),
  };
  refuseUnreadable(options, settings);
  return options;
}

/** Node's error for a wrong file during the connect names no file; here each is tried alone. */
function refuseUnreadable(options: TlsOptions, { identity }: TlsSettings): void {
  const { ca, cert, key, crl, pfx, passphrase } = options;
  const secret = passphrase === undefined ? {} : { passphrase };
  const parts: readonly (readonly [parameter: string, part: TlsOptions])[] = [
    ['sslrootcert', ca === undefined ? {} : { ca }],
    ['sslcert', cert === undefined ? {} : { cert }],
    ['sslkey', key === undefined ? {} : { key, ...secret }],
    ['sslcrl', crl === undefined ? {} : { crl }],
    ['sslidentity', identity === null || pfx === undefined ? {} : { pfx, ...secret }],
    ['sslcert and sslkey', cert === undefined || key === undefined ? {} : { cert, key, ...secret }],
  ];
  for (const [parameter, part] of parts) {
    if (Object.keys(part).length === 0) continue;
    try {
      createSecureContext(part);
    } catch (cause) {
      const hint = parameter === 'sslkey' ? 'pass the passphrase of an encrypted key as sslpassword' : null;
      const message = `cannot use ${parameter}: ${asError(cause).message}`;
      throw new DatabaseError('ERR_DB_TLS', message, { cause, hint });
    }
  }
}

/** If a check is wanted and no root is named, the root in libpq's folder counts, and without it the system's. */
async function rootOf({ rootCert }: TlsSettings, mode: TlsSettings['mode']): Promise<string | null> {
  if (rootCert !== null) return pemOf(rootCert, 'sslrootcert');
  if (mode !== 'verify-ca' && mode !== 'verify-full') return null;
  return readFile(join(homedir(), '.postgresql', 'root.crt'), 'utf8').catch(() => null);
}

async function pemOf(file: string, parameter: string): Promise<string> {
  return (await bytesOf(file, parameter)).toString('utf8');
}

async function bytesOf(file: string, parameter: string): Promise<Buffer> {
  try {
    return await readFile(file.replace(/^~(?=\/)/, homedir()));
  } catch (cause) {
    throw new DatabaseError('ERR_DB_TLS', `cannot read ${parameter}: ${asError(cause).message}`, { cause });
  }
}

/** Whether the next attempt may follow: only where no TLS is what the server lacks or wants. */
export function mayTryNext(error: unknown, attempt: TlsAttempt): boolean {
  if (!(error instanceof DatabaseError)) return false;
  const { code, message } = error;
  if (attempt === false) return code === '28000';
  return code === 'ERR_DB_TLS' || code === '28000' || /ssl|tls|EPROTO/i.test(`${code} ${message}`);
}

/** The answer 'N' to a request for TLS. */
const NO_TLS = 0x4e;

/**
 * Continues without TLS on the same socket if the server answers that it has none, as libpq does with
 * `sslmode=prefer`. A second socket would be a second client for a moment, which `max_client_conn` of PgBouncer can
 * refuse. `pg` itself ends the socket at that answer, which it waits for with `stream.once('data')`.
 */
export function goOnWithoutTls(wire: PgWire, onPlain: () => void): void {
  const { stream } = wire;
  const { once } = stream;
  stream.once = function (this: Duplex, event: string, listener: (...values: never[]) => void) {
    if (event !== 'data') return once.call(this, event, listener as () => void);
    stream.once = once;
    return once.call(this, event, (answer: Buffer) => {
      if (answer.length !== 1 || answer[0] !== NO_TLS) return listener(answer as never);
      onPlain();
      wire.attachListeners(stream);
      wire.emit('sslconnect');
    });
  } as typeof once;
}

/** Ends the connection before a proof is sent that the rules do not accept, and calls back with the reason. */
export function guardAuth(
  wire: PgWire,
  { channelBinding, methods }: AuthRules,
  refuse: (error: DatabaseError) => void,
): void {
  if (channelBinding !== 'require' && methods === null) return;
  let isProven = false;
  const stop = (what: string): void => {
    const error = new DatabaseError('ERR_DB_AUTH', what, {
      hint: 'change channel_binding or require_auth in the URL if you trust the network, or the method in pg_hba.conf',
    });
    refuse(error);
    wire.stream.destroy(error);
  };
  const judge = (method: string, isBound: boolean): void => {
    isProven = true;
    if (channelBinding === 'require' && !isBound) {
      stop(`channel_binding=require, but the server offers ${method} without channel binding`);
    } else if (methods !== null && !methods.includes(method)) {
      stop(`the server asks for ${method}, and require_auth accepts only ${methods.join(', ')}`);
    }
  };
  wire.on('authenticationCleartextPassword', () => judge('password', false));
  wire.on('authenticationMD5Password', () => judge('md5', false));
  wire.on('authenticationSASL', ({ mechanisms }) =>
    judge('scram-sha-256', mechanisms.includes('SCRAM-SHA-256-PLUS')),
  );
  wire.on('authenticationOk', () => {
    if (!isProven) judge('none', false);
  });
}
