import { CodedError, type CodedErrorOptions } from '../base/coded-error.js';

/** The stable codes of what can go wrong with an IB connection. */
export type IbErrorCode =
  /** Nobody listens there, or the connection broke before it was ready. */
  | 'ERR_IB_CONNECT'
  /** The port was open, and the gateway was not ready in time. */
  | 'ERR_IB_HANDSHAKE'
  /** Something else listens on that port. */
  | 'ERR_IB_NOT_A_GATEWAY'
  /** The gateway speaks only what the client library does not. */
  | 'ERR_IB_VERSION'
  /** 326: another connection has that client id. */
  | 'ERR_IB_CLIENT_ID_IN_USE'
  /** All client ids of the gateway are taken. */
  | 'ERR_IB_POOL_EXHAUSTED'
  /** The connection broke while this was under way. */
  | 'ERR_IB_CONNECTION_LOST'
  | 'ERR_IB_TIMEOUT'
  /** 100: more than 50 messages a second. */
  | 'ERR_IB_PACING'
  /** 162, and it says pacing violation. */
  | 'ERR_IB_HISTORY_PACING'
  /** 162, and it says otherwise: no data, say. */
  | 'ERR_IB_HISTORY'
  /** 200: no such contract, or more than one. */
  | 'ERR_IB_NO_CONTRACT'
  /** 354, 10168, 10186: the account may not see this data; as an advisory 10089 to 10091, 10167, 10197. */
  | 'ERR_IB_NOT_SUBSCRIBED'
  /** 101: no market data lines left. */
  | 'ERR_IB_TOO_MANY_LINES'
  /** 102, 103, 322: the id of a request or order is taken. */
  | 'ERR_IB_DUPLICATE_ID'
  /** 201, 202 and other refusals of an order. */
  | 'ERR_IB_ORDER_REJECTED'
  /** 321 and it says read-only, 10005, 10015: this gateway takes no orders over its API. */
  | 'ERR_IB_READ_ONLY'
  /** The account is not one of the login, or the gateway answered for another. */
  | 'ERR_IB_ACCOUNT'
  /** Any other error that the gateway says of a request; `ibCode` tells which. */
  | 'ERR_IB_REQUEST'
  | 'ERR_IB_CLOSED'
  | 'ERR_IB_OPTION'
  /** The optional package @stoqey/ib is not installed. */
  | 'ERR_IB_PACKAGE';

/** An error of an IB connection, or one that the gateway says of a request. */
export class IbError extends CodedError<IbErrorCode> {
  /** IB's own number; null where the error is not IB's. */
  readonly ibCode: number | null;

  constructor(code: IbErrorCode, message: string, options: IbErrorOptions = {}) {
    super(code, message, { kind: code === 'ERR_IB_OPTION' ? 'usage' : 'unavailable', ...options });
    this.name = 'IbError';
    this.ibCode = options.ibCode ?? null;
  }
}

export function optionError(message: string): IbError {
  return new IbError('ERR_IB_OPTION', message);
}

export interface IbErrorOptions extends CodedErrorOptions {
  readonly ibCode?: number;
}

/** No client id is left: thrown before anything is dialled, since the gateway would only close the connection. */
export class PoolExhaustedError extends IbError {
  constructor(message: string, hint: string) {
    super('ERR_IB_POOL_EXHAUSTED', message, { hint });
    this.name = 'PoolExhaustedError';
  }
}

/** Makes a typed error of the gateway's message about a request. */
export function requestError(
  ibCode: number,
  text: string,
  request: string,
  { error, hint }: { readonly error: IbErrorCode; readonly hint: string | null },
): IbError {
  return new IbError(error, `${request}: ${text} (IB ${ibCode})`, { ibCode, hint });
}
