import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { HttpHeaders } from './connection.js';
import { HttpError } from './errors.js';

/** Whether a body can be sent a second time: a stream or an iterator is gone once it has been read. */
export function isReplayable(body: unknown): boolean {
  if (body === null || body === undefined || typeof body === 'string') return true;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  if (body instanceof RecordedBody) return body.isComplete;
  return body instanceof Blob || body instanceof FormData;
}

const MOST_RECORDED = 16_777_216;

/** Pieces that can be read once, kept while they are read, so that they can be read again: up to 16 MiB of them. */
export class RecordedBody implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #pulling: Promise<void> | null = null;
  #ended = false;
  #dropped = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Whether it can be read from its beginning. */
  get isComplete(): boolean {
    return !this.#dropped;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let at = 0; ; at++) {
      // Another reader, whose attempt has failed, may be waiting for the same piece.
      while (at >= this.#pieces.length && !this.#ended) {
        this.#pulling ??= this.#pull();
        await this.#pulling;
      }
      const piece = this.#pieces[at];
      if (piece === undefined) return;
      if (this.#bytes > MOST_RECORDED) {
        if (!this.#dropped) this.#pieces.fill(EMPTY, 0, at);
        this.#dropped = true;
        this.#pieces[at] = EMPTY;
      }
      yield piece;
    }
  }

  async #pull(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done) this.#ended = true;
      else {
        this.#pieces.push(value);
        this.#bytes += value.byteLength;
      }
    } finally {
      this.#pulling = null;
    }
  }
}

const EMPTY = new Uint8Array(0);

/** Iterables of which something has been read. */
const begun = new WeakSet<object>();

/** Whether all of a body is still there, though it was handed to a connection. */
export function isWhole(body: unknown): boolean {
  if (isReplayable(body)) return true;
  if (body instanceof Readable && (body.readableDidRead || body.destroyed)) return false;
  return !begun.has(body as object);
}

/** Why a body cannot be sent; null if it can. */
export function bodyFault(body: unknown): string | null {
  if (isReplayable(body) || body instanceof Readable || isIterable(body)) return null;
  const what = typeof body === 'object' ? (body?.constructor?.name ?? 'an object') : `a ${typeof body}`;
  return `the body is ${what}: it must be a string, bytes, a Blob, a form, a stream or an iterable`;
}

/** The body that a form or a blob is sent as; made anew for each sending. null: the body is neither. */
export function encoded(body: unknown): { readonly stream: Readable; readonly type: string | null } | null {
  if (!(body instanceof FormData || body instanceof Blob)) return null;
  // The platform's own: undici knows only forms of its own making.
  const response = new Response(body);
  return {
    stream: Readable.fromWeb(response.body as ReadableStream),
    type: response.headers.get('content-type'),
  };
}

const CLOSED_EARLY = 'the body was closed before its end';

/** An iterable whose failures are told as its own, and not as the connection's. */
export async function* told(body: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<unknown> {
  begun.add(body);
  try {
    // It would look like one that is over.
    if (body instanceof Readable && body.destroyed) throw closedBefore(body);
    for await (const piece of body) {
      if (typeof piece !== 'string' && !(piece instanceof Uint8Array))
        throw new TypeError(`a piece of the body is a ${typeof piece}: it must be a string or bytes`);
      yield piece;
    }
  } catch (cause) {
    throw sourceError(cause);
  }
}

/** The error of a stream that was closed before it was handed to us. */
export function closedBefore(body: Readable): Error {
  return breakOf(body) ?? new Error('the body was read before it was sent');
}

/** The reason why a stream was closed before its end; null if it has ended. */
export function breakOf(body: Readable): Error | null {
  return body.errored ?? (body.readableEnded ? null : new Error(CLOSED_EARLY));
}

export function sourceError(cause: unknown): HttpError {
  if (cause instanceof HttpError) return cause;
  return new HttpError('ERR_HTTP_SOURCE', 'the body of the request could not be read', { cause });
}

export function isIterable(body: unknown): body is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body)) return false;
  return Symbol.asyncIterator in body || Symbol.iterator in body;
}

/** The headers with one more, unless there is one of that name already. */
export function withHeader(headers: HttpHeaders, name: string, value: string): HttpHeaders {
  const flat: string[] = [];
  for (const [key, each] of pairsOf(headers)) {
    if (key.toLowerCase() === name) return headers;
    flat.push(key, each);
  }
  return [...flat, name, value];
}

export function* pairsOf(headers: HttpHeaders): Generator<readonly [string, string]> {
  if (headers === null) return;
  if (Array.isArray(headers)) {
    for (let at = 0; at + 1 < headers.length; at += 2) yield [String(headers[at]), String(headers[at + 1])];
  } else if (Symbol.iterator in headers) {
    yield* headers as Iterable<readonly [string, string]>;
  } else {
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined) continue;
      for (const each of Array.isArray(value) ? value : [value]) yield [name, String(each)];
    }
  }
}
