import { CodedError, type CodedErrorOptions } from '../base/coded-error.js';
import { maskUrl } from '../base/secrets.js';

/** The stable codes of what can go wrong with a source of readings. */
export type SourceErrorCode =
  /** The address is wrong; nothing was opened. */
  | 'ERR_SOURCE_ADDRESS'
  /** Nobody is there, or it has gone. */
  | 'ERR_SOURCE_UNREACHABLE'
  /** The peer speaks another protocol, or sends too much. */
  | 'ERR_SOURCE_ANSWER'
  /** An application asks for a token that is missing or wrong. */
  | 'ERR_SOURCE_TOKEN'
  /** No answer in time. */
  | 'ERR_SOURCE_TIMEOUT';

export class SourceError extends CodedError<SourceErrorCode> {
  constructor(code: SourceErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, options);
    this.name = 'SourceError';
  }
}

/** Says what is wrong with an address, without its password. */
export function addressError(address: string, what: string, hint: string): SourceError {
  return new SourceError('ERR_SOURCE_ADDRESS', `'${maskUrl(address)}' is not a source: ${what}`, { hint });
}
