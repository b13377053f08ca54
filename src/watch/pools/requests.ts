import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolAddress } from './kind.js';

/**
 * Pools that serve a request by resolving its record. The record is recognized by its fields, and its own `resolve`
 * shows when it is served. Promises are not used: listening to one would handle its rejection, which Node would then
 * no longer report as unhandled.
 */
export interface Request {
  resolve(resource: object): unknown;
  reject?(error: unknown): unknown;
  [ASKED]?: Asked;
}

const ASKED = Symbol('poolctl.asked');

/** Since when a request waits; null if it is none of those that were seen coming. */
export function askedSince(request: unknown): number | null {
  return typeof request === 'object' && request !== null
    ? ((request as Request)[ASKED]?.since ?? null)
    : null;
}

/** The known ones among these requests, in their order of arrival. */
export function askedIn(requests: Iterable<unknown>): Asked[] {
  return [...requests].flatMap((request) =>
    typeof request === 'object' && request !== null ? ((request as Request)[ASKED] ?? []) : [],
  );
}

/** From now on the book learns what becomes of a request. */
export function follow(request: Request, asked: Asked, book: LeaseBook): void {
  const { resolve } = request;
  Object.defineProperty(request, ASKED, { value: asked });
  Object.defineProperty(request, 'resolve', {
    value(this: Request, resource: object) {
      // Also a string can be pooled; what cannot carry a note has no lease.
      if (typeof resource === 'object' && resource !== null) book.lend(resource, asked);
      return resolve.call(this, resource);
    },
  });
}

/** Records rejected requests too: they waited too long, or nothing could be created for them. */
export function followRejection(request: Request, book: LeaseBook): void {
  const { reject } = request;
  if (reject === undefined) return;
  Object.defineProperty(request, 'reject', {
    value(this: Request, error: unknown) {
      if (isTimeout(error)) book.timedOut();
      else book.createFailed(error);
      return reject.call(this, error);
    },
  });
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /time(d )?[ -]?out/i.test(`${error.name} ${error.message}`);
}

/** Default name of a pool, from its configuration or from one of its connections. */
export function placeOf(subject: unknown, otherwise: string): string {
  const { host, port, database } = addressOf(subject);
  const place = host === null ? '' : `${host}${port === null ? '' : `:${port}`}`;
  return place === '' && database === null ? otherwise : `${place}/${database ?? ''}`;
}

/** The server that a configuration, or a connection, leads to. What it does not tell is null. */
export function addressOf(subject: unknown): PoolAddress {
  const own = fieldsOf(subject);
  // A connection of mysql2, and one of tedious, has all of that in its configuration.
  const config = 'host' in own || 'server' in own ? own : fieldsOf(own.config);
  // A pool of pg that has never connected has only what its user gave it.
  if (config.host === undefined && typeof own.connectionString === 'string')
    return addressIn(own.connectionString);
  const { host, server, port, database, user } = config;
  const options = fieldsOf(config.options);
  const number = Number(port ?? options.port);
  return {
    host: textOr(host) ?? textOr(server),
    port: Number.isInteger(number) && number > 0 && number < 65_536 ? number : null,
    database: textOr(database) ?? textOr(options.database),
    user: textOr(user),
  };
}

/** The place that a URL names; never its password. */
function addressIn(url: string): PoolAddress {
  try {
    const { hostname, port, pathname, username } = new URL(url);
    const database = decodeURIComponent(pathname.slice(1));
    return {
      host: textOr(hostname.replace(/^\[|\]$/g, '')),
      port: port === '' ? null : Number(port),
      database: textOr(database),
      user: textOr(decodeURIComponent(username)),
    };
  } catch {
    return { host: null, port: null, database: null, user: null };
  }
}

function textOr(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
