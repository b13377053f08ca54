import { CodedError, type CodedErrorOptions } from '../../base/coded-error.js';

export type WireErrorCode =
  /** The server sent bytes that are no answer to what it was asked. The connection is closed. */
  | 'ERR_WIRE_PROTOCOL'
  /** The wire engine cannot run this script. */
  | 'ERR_WIRE_SCRIPT'
  /** A pooler is in between that does not keep prepared statements. */
  | 'ERR_WIRE_POOLER'
  /** Another iteration of its batch failed, and the server rolled back all of them. */
  | 'ERR_WIRE_BATCH';

/** An error of the wire engine. What the server says keeps its SQLSTATE. */
export class WireError extends CodedError<WireErrorCode> {
  constructor(code: WireErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, options);
    this.name = 'WireError';
  }
}
