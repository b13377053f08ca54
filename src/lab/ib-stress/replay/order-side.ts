import { AAPL, LIMIT } from './contracts.js';
import type { Stage } from './stage.js';

/** The messages of a gateway about orders, in few words. */
export interface OrderSide {
  status(id: number, word: string, filled?: number, remaining?: number, more?: Partial<Told>): void;
  open(id: number, word: string, order?: object, state?: object): void;
  fill(id: number, execId: string, shares: number, more?: object, reqId?: number): void;
  commission(execId: string, amount: number): void;
  /** Answers the lists that were asked for in this session and have no answer; gives how many there were. */
  lists(answer?: Lists): Promise<number>;
}

interface Told {
  readonly permId: number;
  readonly average: number;
  readonly client: number;
  readonly whyHeld: string;
}

export interface Lists {
  readonly open?: readonly {
    readonly id: number;
    readonly word?: string;
    readonly filled?: number;
    readonly order?: object;
  }[];
  readonly executions?: readonly object[];
  readonly completed?: readonly { readonly order: object; readonly state?: object }[];
}

export function orderSide(s: Stage, clientId = 1): OrderSide {
  const answered = new WeakMap<object, number>();
  const side: OrderSide = {
    status(
      id,
      word,
      filled = 0,
      remaining = 100,
      { permId = 0, average = 0, client = clientId, whyHeld = '' } = {},
    ) {
      s.say('orderStatus', id, word, filled, remaining, average, permId, 0, average, client, whyHeld, 0);
    },
    open(id, word, order = {}, state = {}) {
      s.say(
        'openOrder',
        id,
        AAPL,
        { ...LIMIT, orderId: id, clientId, permId: 0, ...order },
        { status: word, ...state },
      );
    },
    fill(id, execId, shares, more = {}, reqId = -1) {
      s.say('execDetails', reqId, AAPL, {
        orderId: id,
        clientId,
        execId,
        shares,
        price: 10,
        permId: 0,
        side: 'BOT',
        ...more,
      });
    },
    commission(execId, amount) {
      s.say('commissionReport', { execId, commission: amount, currency: 'USD' });
    },
    async lists({ open = [], executions = [], completed = [] } = {}) {
      let count = 0;
      for (const { link } = s; ; ) {
        const at = answered.get(link) ?? 0;
        const [method, args] = link.calls[at] ?? [];
        if (method === undefined) return count;
        answered.set(link, at + 1);
        if (method === 'reqAllOpenOrders' || method === 'reqOpenOrders') {
          for (const { id, word = 'Submitted', filled = 0, order = {} } of open) {
            side.open(id, word, order);
            const { permId = 0, clientId: client = clientId } = order as {
              permId?: number;
              clientId?: number;
            };
            side.status(id, word, filled, 100 - filled, { permId, client });
          }
          link.say('openOrderEnd');
        } else if (method === 'reqExecutions') {
          for (const one of executions)
            s.say('execDetails', args?.[0], AAPL, { clientId, price: 10, side: 'BOT', ...one });
          link.say('execDetailsEnd', args?.[0]);
        } else if (method === 'reqCompletedOrders') {
          for (const { order, state = { status: 'Cancelled' } } of completed)
            link.say('completedOrder', AAPL, { ...LIMIT, ...order }, state);
          link.say('completedOrdersEnd');
        } else continue;
        count++;
        await s.pass();
      }
    },
  };
  return side;
}
