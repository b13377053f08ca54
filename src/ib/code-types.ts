import type { IbErrorCode } from './errors.js';

/**
 * The meaning of a code of the gateway for the message that it is about.
 * - `notice`: nothing has changed.
 * - `advisory`: the request or order goes on, perhaps altered.
 * - `refusal`: the message had no effect. A refused modification or cancellation leaves the order as it was.
 * - `ended`: the broker has ended the order, whatever was asked before.
 * - `connection`: the state of a link, of the gateway to IB or to one of its data farms.
 * - `pacing`: too many messages. The message may be lost; a read can be repeated later.
 * - `fatal`: this connection is over.
 * - `unknown`: not in the table. An order is left as it is until the gateway reports its state.
 */
export type CodeClass =
  | 'notice'
  | 'advisory'
  | 'refusal'
  | 'ended'
  | 'connection'
  | 'pacing'
  | 'fatal'
  | 'unknown';

/** The kind of message that a code is about. */
export type CodeSubject =
  | 'order'
  | 'modify'
  | 'cancel'
  | 'what-if'
  | 'market data'
  | 'depth'
  | 'history'
  | 'scanner'
  | 'contract'
  | 'account'
  | 'orders'
  | 'connection';

/** One line of the table of codes. */
export interface CodeRule {
  /** One code, or several, or all from the first to the last. */
  readonly codes: number | readonly number[] | { readonly from: number; readonly to: number };
  readonly class: Exclude<CodeClass, 'unknown'>;
  /** The messages that the code may be about; default: any. For others the rule has no effect. */
  readonly appliesTo?: readonly CodeSubject[];
  /** The rule only holds for texts that match. */
  readonly text?: RegExp;
  /** In a few words. */
  readonly summary: string;
  /** The code of the error that a caller gets. Default ERR_IB_ORDER_REJECTED for orders, ERR_IB_REQUEST for the rest. */
  readonly error?: IbErrorCode;
  /** The action for the user. */
  readonly hint?: string;
}

/** The table's verdict on one message of the gateway. */
export interface CodeVerdict {
  readonly class: CodeClass;
  /** Empty: anything. */
  readonly appliesTo: readonly CodeSubject[];
  /** null for a code that is not in the table. */
  readonly summary: string | null;
  readonly error: IbErrorCode;
  readonly hint: string | null;
}
