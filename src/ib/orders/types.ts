import type { CodeClass } from '../code-types.js';
import type { Contract, Order, OrderStatus } from '../contracts.js';
import { IbError, type IbErrorCode } from '../errors.js';

/**
 * The state of an order.
 * - `new`: not sent yet. `sent`: written to the gateway, which has not answered.
 * - `held`: sent with `transmit: false`. TWS keeps it and says nothing until it is transmitted.
 * - `working`, `partly-filled`: live. `inactive`: the gateway has it, and it does not work.
 * - `unknown`: it may be live. `OrderOutcome.settledBy` says what will settle it.
 * - the others: over.
 */
export type OrderState =
  | 'new'
  | 'sent'
  | 'held'
  | 'working'
  | 'partly-filled'
  | 'inactive'
  | 'unknown'
  | 'filled'
  | 'cancelled'
  | 'rejected'
  | 'not-sent';

/** The outcome of a message that places, changes or cancels an order. */
export type OrderOutcome =
  /** It never left, or the gateway has no trace of it: it is safe to place the order anew. */
  | { readonly kind: 'not-sent'; readonly reason: IbError }
  /** It may have had its effect. */
  | { readonly kind: 'unknown'; readonly reason: IbError; readonly settledBy: string }
  | { readonly kind: 'accepted'; readonly status: OrderStatus }
  | { readonly kind: 'rejected'; readonly reason: IbError };

/** Why a message about an order failed, and whether it may have had its effect all the same. */
export class OrderError extends IbError {
  readonly outcome: 'not-sent' | 'unknown' | 'rejected';
  /** Names the event that settles an unknown outcome; null for the others. */
  readonly settledBy: string | null;

  constructor(
    outcome: OrderError['outcome'],
    code: IbErrorCode,
    message: string,
    options: {
      readonly ibCode?: number | null;
      readonly hint?: string | null;
      readonly cause?: unknown;
      readonly settledBy?: string;
    } = {},
  ) {
    const { ibCode, hint, cause, settledBy = null } = options;
    super(code, message, {
      ...(ibCode === undefined || ibCode === null ? {} : { ibCode }),
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
    this.name = 'OrderError';
    this.outcome = outcome;
    this.settledBy = settledBy;
  }
}

/** The costs of one fill. Amounts are null while the gateway has not told them. */
export interface Commission {
  readonly execId: string;
  readonly amount: number | null;
  readonly currency: string | null;
  readonly realizedPnl: number | null;
}

/** One execution. */
export interface Fill {
  readonly execId: string;
  readonly orderId: number | null;
  readonly permId: number | null;
  readonly clientId: number | null;
  readonly orderRef: string;
  readonly contract: Contract;
  readonly account: string;
  /** As the gateway writes it. */
  readonly time: string;
  readonly exchange: string;
  /** BOT or SLD. */
  readonly side: string;
  readonly quantity: number;
  readonly price: number;
  /** The sum of the order, this fill included. */
  readonly cumulativeQuantity: number | null;
  readonly averagePrice: number | null;
  readonly commission: Commission | null;
}

/** A message of the gateway about an order, beside its state. */
export interface OrderMessage {
  /** null: the ledger itself says so. */
  readonly ibCode: number | null;
  readonly text: string;
  readonly class: CodeClass;
  readonly hint: string | null;
  /** The kind of message that it refused; null if it refused none. */
  readonly refused: 'place' | 'modify' | 'cancel' | null;
  /** IB's advanced reject, as the gateway sent it; null where there was none. */
  readonly advancedReject: unknown;
}

/** A step in the life of an order. */
export type OrderEvent =
  | { readonly kind: 'state'; readonly state: OrderState; readonly before: OrderState }
  | { readonly kind: 'status'; readonly status: OrderStatus }
  /** A correction replaces the fill of the same execution. */
  | { readonly kind: 'fill'; readonly fill: Fill; readonly isCorrection: boolean }
  | { readonly kind: 'commission'; readonly commission: Commission }
  | { readonly kind: 'message'; readonly message: OrderMessage };

/** How an order ended. */
export interface OrderResult {
  readonly state: 'filled' | 'cancelled' | 'rejected' | 'not-sent';
  /** As the gateway said last; null where it said nothing. */
  readonly filled: number | null;
  readonly remaining: number | null;
  readonly averageFillPrice: number | null;
  readonly fills: readonly Fill[];
  /** The sum over the fills; null while that of one of them is missing, or there is none. */
  readonly commission: number | null;
  /** Why it was rejected, or not sent; null otherwise. */
  readonly reason: IbError | null;
}

/** An order that the gateway lists as open: of any client. */
export interface OpenOrder {
  /** 0 for a manual order that is not bound. */
  readonly orderId: number;
  readonly clientId: number | null;
  readonly permId: number | null;
  readonly orderRef: string;
  readonly contract: Contract;
  readonly order: Order;
  readonly status: string;
  readonly filled: number | null;
  readonly remaining: number | null;
  readonly averageFillPrice: number | null;
}

/** An order of today that is over, as the gateway lists it: without its id, and its client. */
export interface CompletedOrder {
  readonly permId: number | null;
  readonly orderRef: string;
  readonly contract: Contract;
  readonly order: Order;
  readonly status: string;
  /** Free text, such as `Filled Size: 100`. */
  readonly completedStatus: string | null;
  readonly completedTime: string | null;
  readonly filled: number | null;
}

/** The effect of an order on an account. Amounts are in the currency of the account; null if not reported. */
export interface WhatIf {
  readonly status: string;
  readonly initialMargin: MarginChange;
  readonly maintenanceMargin: MarginChange;
  readonly equityWithLoan: MarginChange;
  readonly commission: number | null;
  readonly minCommission: number | null;
  readonly maxCommission: number | null;
  readonly commissionCurrency: string | null;
  readonly warning: string | null;
}

export interface MarginChange {
  readonly before: number | null;
  readonly change: number | null;
  readonly after: number | null;
}
