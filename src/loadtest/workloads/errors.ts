import { CodedError, type CodedErrorOptions } from '../../base/coded-error.js';

export type WorkloadErrorCode =
  /** A statement is wrong; found before the load began. */
  | 'ERR_STATEMENT'
  /** A script does not end its transaction. */
  | 'ERR_OPEN_TRANSACTION'
  /** A statement would write, and that was not allowed. */
  | 'ERR_WRITES'
  /** The target accepts connections, but is no database. */
  | 'ERR_NO_DATABASE'
  /** The server takes connections, and then says nothing. */
  | 'ERR_NO_ANSWER'
  /** The file of --module is no target. */
  | 'ERR_TARGET_MODULE'
  /** A script, or the file of its parameters, cannot be read. */
  | 'ERR_SCRIPT_FILE';

/** A workload cannot be opened. */
export class WorkloadError extends CodedError<WorkloadErrorCode> {
  constructor(code: WorkloadErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(code, message, options);
    this.name = 'WorkloadError';
  }
}

/** The transaction is rolled back before the connection is used again, so that nothing of what it did lasts: no success. */
export function openTransaction(): WorkloadError {
  return new WorkloadError(
    'ERR_OPEN_TRANSACTION',
    'the script leaves a transaction open, which is rolled back',
    { hint: 'end it with COMMIT or ROLLBACK' },
  );
}
