import { CodedError } from '../base/coded-error.js';

/** Why a process cannot be attached. Nothing has changed in it, unless the message says so. */
export type AttachErrorCode =
  /** There is no such process, or its facts cannot be read. */
  | 'ERR_ATTACH_PROCESS'
  /** It belongs to another user. */
  | 'ERR_ATTACH_USER'
  /** It does not run Node, or a version that is too old. */
  | 'ERR_ATTACH_NOT_NODE'
  /** It is in another container, or namespace. */
  | 'ERR_ATTACH_NAMESPACE'
  /** It does not open its inspector: by its options, its signals, or since it does not run. */
  | 'ERR_ATTACH_INSPECTOR'
  /** The port of its inspector is taken, or open to other machines. */
  | 'ERR_ATTACH_PORT'
  /** A debugger is connected, or holds it. */
  | 'ERR_ATTACH_DEBUGGED'
  /** poolctl watches it already. */
  | 'ERR_ATTACH_WATCHED'
  /** The watch could not be loaded into it. */
  | 'ERR_ATTACH_FAILED';

export class AttachError extends CodedError<AttachErrorCode> {
  constructor(
    code: AttachErrorCode,
    message: string,
    options: { readonly hint?: string | null; readonly cause?: unknown } = {},
  ) {
    super(code, message, options);
    this.name = 'AttachError';
  }
}
