import type { Asked, LeaseBook } from '../lease-book.js';
import type { PoolAddress } from './kind.js';

/**
 * Pools that hand over by resolving a record of the request: the record is told apart by what it carries, and its own
 * `resolve` tells when it is served. Promises are left alone: to listen to one is to handle its rejection, which would
 * then no longer be reported as unhandled.
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

/** Those of these requests that were seen coming, as they asked. */
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

/** The book is told as well where a request is rejected: it has waited too long, or nothing could be made for it. */
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

/** What a pool whose user gives it no name is called by its configuration, or by one of its connections. */
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

function textOr(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
