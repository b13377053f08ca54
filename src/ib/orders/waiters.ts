import { asError } from '../../base/promises.js';
import { type Contract, describeContract, type Order, type OrderStatus } from '../contracts.js';
import { IbError } from '../errors.js';
import type { OrderRecord } from './record.js';
import { OrderError } from './types.js';

export type MessageKind = 'place' | 'modify' | 'cancel';

/** A message about an order, and the one who waits for what becomes of it. */
export interface Waiter {
  readonly kind: MessageKind;
  readonly record: OrderRecord;
  /** The values that a modification asks for. */
  readonly wants: Order | null;
  /** false while it waits for its turn. */
  readonly wasSent: boolean;
  /** The gateway has listed the order since with other values than it wants. */
  isContradicted: boolean;
  /** The reason of a refusal, if the gateway lists the order as it was before: a code that is in no table. */
  suspicion: OrderError | null;
  resolve(status: OrderStatus): void;
  reject(error: Error): void;
}

/** `order 5 for AAPL STK SMART`. */
export function nameOf(kind: MessageKind, orderId: number, contract: Contract): string {
  const order = `order ${orderId} for ${describeContract(contract)}`;
  if (kind === 'place') return order;
  return kind === 'modify' ? `changing ${order}` : `canceling order ${orderId}`;
}

/**
 * The messages about one order that have no answer as yet. The gateway's answers do not say which message they answer:
 * they are taken for the oldest that they fit.
 */
export class Waiters {
  readonly #waiters: Waiter[] = [];

  /** Messages that are under way to the gateway, or being answered. */
  get size(): number {
    return this.#sent.length;
  }

  has(kind: MessageKind): boolean {
    return this.#sent.some((waiter) => waiter.kind === kind);
  }

  get #sent(): Waiter[] {
    return this.#waiters.filter(({ wasSent }) => wasSent);
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  /** Whether it has no answer yet. */
  includes(waiter: Waiter): boolean {
    return this.#waiters.includes(waiter);
  }

  remove(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at >= 0) this.#waiters.splice(at, 1);
  }

  /** The gateway has shown the order: it is placed, and live or over. */
  heard(record: OrderRecord, said: 'status' | 'open' | 'fill'): void {
    const { status, state } = record;
    for (const waiter of [...this.#waiters]) {
      if (waiter.kind === 'place') {
        if (waiter.wasSent) waiter.resolve(status);
      } else if (record.isOver) this.#settleOver(waiter, record);
    }
    if (record.isOver || state === 'unknown') return;
    const changes = this.#sent.filter(({ kind }) => kind === 'modify');
    if (said === 'open') {
      const at = changes.findLastIndex(({ wants }) => wants !== null && matches(wants, record.order));
      // It replaced the earlier ones before the gateway answered.
      for (const waiter of changes.slice(0, at + 1)) waiter.resolve(status);
      for (const waiter of changes.slice(at + 1)) waiter.isContradicted = true;
      // PendingCancel is on its way to be canceled.
      const isGoingOn = status.status !== 'PendingCancel';
      for (const waiter of this.#sent) {
        if (waiter.suspicion !== null && isGoingOn) waiter.reject(waiter.suspicion);
      }
    } else if (said === 'status') {
      // Some gateways answer by a status alone. Where the order was listed with other values, this is no answer.
      if (changes[0]?.isContradicted === false) changes[0].resolve(status);
    }
  }

  /** The oldest message that a refusal of this kind may be about; null if there is none. */
  refused(kinds: readonly MessageKind[]): Waiter | null {
    return this.#sent.find(({ kind }) => kinds.includes(kind)) ?? null;
  }

  rejectAll(
    error: (waiter: Waiter) => Error,
    kinds: readonly MessageKind[] = ['place', 'modify', 'cancel'],
  ): void {
    for (const waiter of this.#sent.filter(({ kind }) => kinds.includes(kind))) waiter.reject(error(waiter));
  }

  #settleOver(waiter: Waiter, record: OrderRecord): void {
    if (waiter.kind === 'cancel' && record.state === 'cancelled') {
      waiter.resolve(record.status);
      return;
    }
    waiter.reject(overError(waiter.kind, record));
  }
}

/** Nothing can be changed of an order that is over. */
export function overError(kind: MessageKind, { orderId, contract, state, reason }: OrderRecord): OrderError {
  const text = `${nameOf(kind, orderId, contract)}: the order is ${state === 'not-sent' ? 'not sent' : state}`;
  return new OrderError('rejected', 'ERR_IB_ORDER_REJECTED', text, {
    ...(reason === null ? {} : { ibCode: reason.ibCode, cause: reason }),
  });
}

/** Not sent, with why. A reason of the caller's own signal stays as it is. */
export function notSentError(name: string, cause: unknown): Error {
  if (cause instanceof OrderError || !(cause instanceof IbError)) return asError(cause);
  const text = cause.message.startsWith(name) ? cause.message : `${name}: not sent, ${cause.message}`;
  return new OrderError('not-sent', cause.code, text, { cause, ibCode: cause.ibCode, hint: cause.hint });
}

function matches(wants: Order, has: Order): boolean {
  return Object.entries(wants).every(([name, value]) => {
    const other = has[name];
    // A field that the gateway does not list says nothing against it.
    return value === undefined || other === undefined || String(other) === String(value);
  });
}
