import { HttpError } from './errors.js';

/** The server says, or it is plain, that nothing was done with a request (RFC 9113, 8.7): it can be sent again. */
export class NotProcessedError extends Error {
  /** It is only this connection that takes no more: the server is well. */
  readonly elsewhere: boolean;

  constructor(message: string, elsewhere: boolean) {
    super(message);
    this.elsewhere = elsewhere;
  }
}

/** Turns an error of undici, node:http2 or the kernel for a request in progress into ours. */
export function failureOf(
  origin: string,
  cause: Error & { readonly code?: string },
  hasHeaders: boolean,
): HttpError {
  if (cause instanceof HttpError) return cause;
  const { code = '' } = cause;
  const when = hasHeaders ? 'in the middle of its answer' : 'before it answered';
  switch (code) {
    case 'UND_ERR_HEADERS_OVERFLOW':
      return new HttpError('ERR_HTTP_TOO_LARGE', `the headers of ${origin} are larger than allowed`, {
        cause,
        hint: 'raise maxHeaderBytes if the server does send such headers',
      });
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
      return new HttpError('ERR_HTTP_TOO_LARGE', `the response of ${origin} is larger than allowed`, {
        cause,
        hint: 'raise maxResponseBytes if the server does send such responses',
      });
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
      return new HttpError('ERR_HTTP_OPTION', `the request cannot be sent: ${cause.message}`, { cause });
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      return new HttpError('ERR_HTTP_LOST', `the answer of ${origin} ended before it was complete`, {
        cause,
      });
    default:
  }
  if (cause.name === 'HTTPParserError') {
    if (code === 'HPE_INVALID_EOF_STATE' || /EOF/.test(cause.message))
      return new HttpError('ERR_HTTP_LOST', `the answer of ${origin} ended before it was complete`, {
        cause,
      });
    return new HttpError(
      'ERR_HTTP_PROTOCOL',
      hasHeaders
        ? `the answer of ${origin} breaks the rules of HTTP`
        : `what answers at ${origin} does not speak HTTP`,
      { cause, hint: hasHeaders ? null : 'check the port, and whether it is https' },
    );
  }
  if (code === 'UND_ERR_SOCKET' && cause.message.startsWith('bad '))
    return new HttpError('ERR_HTTP_PROTOCOL', `${origin} broke the rules of HTTP: ${cause.message}`, {
      cause,
    });
  // Errors of Node about a body or a header of the caller's.
  if (cause instanceof TypeError)
    return new HttpError('ERR_HTTP_OPTION', `the request cannot be sent: ${cause.message}`, { cause });
  if (cause instanceof NotProcessedError)
    return new HttpError('ERR_HTTP_LOST', `${origin} has not taken the request`, { cause });
  return new HttpError('ERR_HTTP_LOST', `${origin} broke the connection off ${when}`, { cause });
}
