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

export interface SourceErrorOptions extends CodedErrorOptions {
  /** Whether the process that was read is gone for good. Default false: it may answer again. */
  readonly hasEnded?: boolean;
}

export class SourceError extends CodedError<SourceErrorCode> {
  readonly hasEnded: boolean;

  constructor(
    code: SourceErrorCode,
    message: string,
    { hasEnded = false, ...options }: SourceErrorOptions = {},
  ) {
    super(code, message, options);
    this.name = 'SourceError';
    this.hasEnded = hasEnded;
  }
}

/** Says what is wrong with an address, without its password. */
export function addressError(address: string, what: string, hint: string): SourceError {
  return new SourceError('ERR_SOURCE_ADDRESS', `'${maskUrl(address)}' is not a source: ${what}`, { hint });
}
