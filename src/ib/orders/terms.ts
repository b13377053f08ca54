import { type Contract, describeContract, type Order } from '../contracts.js';
import type { OrderRecord } from './record.js';

/** Fields that the gateway adds to an order. They are not sent back. */
const TOLD = [
  'orderId',
  'clientId',
  'permId',
  'filledQuantity',
  'parentPermId',
  'completedTime',
  'completedStatus',
];

/** The fields that must agree for two orders with the same reference to be the same. */
const TERMS = ['action', 'totalQuantity', 'orderType'] as const;

/** `BUY 100 AAPL STK SMART LMT`. */
export function describeTerms({ contract, order }: OrderRecord): string {
  return [order.action, order.totalQuantity, describeContract(contract), order.orderType]
    .filter((part) => part !== undefined)
    .join(' ');
}

/** A caller that retries passes what it passed before. What either side leaves out says nothing against it. */
export function sameTerms(record: OrderRecord, contract: Contract, order: Order): boolean {
  const isSame = (a: unknown, b: unknown): boolean =>
    a === undefined || b === undefined || String(a) === String(b);
  const known = record.contract;
  const sameContract =
    known.conId !== undefined && contract.conId !== undefined
      ? known.conId === contract.conId
      : isSame(known.symbol, contract.symbol) && isSame(known.secType, contract.secType);
  // Completed orders are listed with a quantity of 0.
  const isTold = (name: string): boolean => name !== 'totalQuantity' || Number(record.order[name]) !== 0;
  return sameContract && TERMS.every((name) => !isTold(name) || isSame(record.order[name], order[name]));
}

/** The whole order with its changes: IB takes what is missing for changed, too. */
export function modification(record: OrderRecord, changes: Order): Order {
  const base = record.sent ?? listed(record.order);
  return { ...base, ...changes, orderRef: record.orderRef };
}

function listed(order: Order): Order {
  return Object.fromEntries(
    Object.entries(order).filter(([name, value]) => {
      if (TOLD.includes(name) || value === undefined || value === '?' || value === 'None') return false;
      // TWS fills it in, and refuses it for all other types of orders.
      return name !== 'volatility' || order.orderType === 'VOL';
    }),
  );
}
