import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { HttpHeaders } from './connection.js';
import { HttpError } from './errors.js';

/** Whether a body can be sent a second time: a stream or an iterator is gone once it has been read. */
export function isReplayable(body: unknown): boolean {
  if (body === null || body === undefined || typeof body === 'string') return true;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  return body instanceof Blob || body instanceof FormData;
}

/** What a form or a blob is sent as; made anew for each sending. null: the body is neither. */
export function encoded(body: unknown): { readonly stream: Readable; readonly type: string | null } | null {
  if (!(body instanceof FormData || body instanceof Blob)) return null;
  // The platform's own: undici knows only forms of its own making.
  const response = new Response(body);
  return {
    stream: Readable.fromWeb(response.body as ReadableStream),
    type: response.headers.get('content-type'),
  };
}

/** An iterable whose failures are told as its own, and not as the connection's. */
export async function* told(body: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<unknown> {
  try {
    yield* body;
  } catch (cause) {
    throw sourceError(cause);
  }
}

export function sourceError(cause: unknown): HttpError {
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
