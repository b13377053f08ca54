import type { Heartbeat, VenueLimits } from '../venue.js';

/** The options of every adapter: venues change their limits, and tests have their own servers. */
export interface AdapterOptions {
  /** The address of the venue, or of a server that speaks like it. */
  readonly url?: string;
  /** Replaces some of the venue's limits. */
  readonly limits?: Partial<VenueLimits>;
  readonly heartbeat?: Heartbeat;
}

/** The limits of a venue with those that the user replaces. */
export function limitsOf(venue: VenueLimits, { limits = {} }: AdapterOptions): VenueLimits {
  return { ...venue, ...limits };
}

/** A URL with parameters, percent-encoded: a token with `+`, `/` or `=` would be another one otherwise. */
export function urlWith(url: string, parameters: Readonly<Record<string, string>>): string {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${url}${url.includes('?') ? '&' : '?'}${query.join('&')}`;
}

/** Reads a text frame. Throws where it is binary, or no object: the message counts as not understood. */
export function objectOf(data: string | Uint8Array, venue: string): Readonly<Record<string, unknown>> {
  if (typeof data !== 'string')
    throw new TypeError(
      `'${venue}' sent a binary frame of ${data.byteLength} bytes, and its messages are text`,
    );
  const value: unknown = JSON.parse(data);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`'${venue}' sent JSON that is no object`);
  return value as Readonly<Record<string, unknown>>;
}

export function numberOr<Other>(value: unknown, other: Other): number | Other {
  return typeof value === 'number' && Number.isFinite(value) ? value : other;
}

export function textOr(value: unknown, other: string): string {
  return typeof value === 'string' ? value : other;
}
