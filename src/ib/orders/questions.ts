import { type Contract, describeContract, type Order } from '../contracts.js';
import { read } from '../questions.js';
import type { Question } from '../requests.js';
import { endOf } from './record.js';
import type { Commission, CompletedOrder, Fill, OpenOrder, WhatIf } from './types.js';
import {
  executionKey,
  toCommission,
  toCompletedOrder,
  toFill,
  toOpenOrder,
  toStatus,
  toWhatIf,
} from './wire.js';

/** Selects executions; default: all of today that the gateway knows. */
export interface ExecutionFilter {
  /** 0: of any client. */
  readonly clientId?: number;
  readonly account?: string;
  /** From then on: `20260105-09:30:00`, in the gateway's time zone unless UTC is asked by a trailing zone. */
  readonly since?: string;
  readonly symbol?: string;
  readonly secType?: string;
  readonly exchange?: string;
  readonly side?: 'BUY' | 'SELL';
}

/** `all`: of every client, manual ones too; else of this client. */
export function openOrders(all: boolean): Question<OpenOrder[]> {
  return {
    ...read(all ? 'the open orders of all clients' : 'the open orders', 'orders'),
    anonymous: true,
    send: () => [all ? 'reqAllOpenOrders' : 'reqOpenOrders', []],
    answer() {
      const open = new Map<string, OpenOrder>();
      const keyOf = (permId: number | null, clientId: number | null, orderId: number): string =>
        permId === null ? `${clientId} ${orderId}` : `${permId}`;
      return {
        events: {
          openOrder(args) {
            const order = toOpenOrder(args);
            const key = keyOf(order.permId, order.clientId, order.orderId);
            // One that ends while the list is on its way.
            if (endOf(order.status) !== null) open.delete(key);
            else if (order.order.whatIf !== true) open.set(key, { ...open.get(key), ...order });
            return null;
          },
          orderStatus(args) {
            const { permId, clientId, orderId, status, filled, remaining, averageFillPrice } = toStatus(args);
            const key = keyOf(permId, clientId, orderId);
            const order = open.get(key);
            if (order === undefined) return null;
            if (endOf(status) !== null) open.delete(key);
            else open.set(key, { ...order, status, filled, remaining, averageFillPrice });
            return null;
          },
          openOrderEnd: () => ({ value: [...open.values()] }),
        },
      };
    },
  };
}

export function executions(filter: ExecutionFilter): Question<Fill[]> {
  const { clientId, account, since, symbol, secType, exchange, side } = filter;
  return {
    ...read('executions', 'orders'),
    send: (id) => [
      'reqExecutions',
      [id, { clientId, acctCode: account, time: since, symbol, secType, exchange, side }],
    ],
    answer() {
      const fills = new Map<string, Fill>();
      const commissions = new Map<string, Commission>();
      return {
        events: {
          execDetails(args) {
            const fill = toFill(args);
            const key = executionKey(fill.execId);
            const known = fills.get(key);
            if (known === undefined || known.execId <= fill.execId) fills.set(key, fill);
            return null;
          },
          commissionReport(args) {
            const commission = toCommission(args);
            commissions.set(commission.execId, commission);
            return null;
          },
          execDetailsEnd: () => ({
            value: [...fills.values()].map((fill) => ({
              ...fill,
              commission: commissions.get(fill.execId) ?? null,
            })),
          }),
        },
      };
    },
  };
}

export function completedOrders(apiOnly: boolean): Question<CompletedOrder[]> {
  return {
    ...read('the completed orders', 'orders'),
    anonymous: true,
    send: () => ['reqCompletedOrders', [apiOnly]],
    answer() {
      const all: CompletedOrder[] = [];
      return {
        events: {
          completedOrder(args) {
            all.push(toCompletedOrder(args));
            return null;
          },
          completedOrdersEnd: () => ({ value: all }),
        },
      };
    },
  };
}

/** An order that is tried out. It uses up an id, and is never sent twice: a gateway may place it all the same. */
export function whatIf(orderId: number, contract: Contract, order: Order): Question<WhatIf> {
  return {
    ...read(`what order ${orderId} for ${describeContract(contract)} would do`, 'what-if'),
    paced: { kind: 'urgent' },
    repeats: false,
    id: orderId,
    send: (id) => ['placeOrder', [id, contract, { ...order, whatIf: true, transmit: true }]],
    answer: () => ({
      events: {
        openOrder([, , , state]) {
          const value = toWhatIf(state);
          return value === null ? null : { value };
        },
      },
    }),
  };
}
