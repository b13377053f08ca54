import { type ConnectionOptions, IbConnection } from '../../src/ib/connection.js';
import { createPacer, type PacingOptions } from '../../src/ib/pacing.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { FakeLine } from './fake-line.js';

export const AAPL = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
export const MSFT = { ...AAPL, symbol: 'MSFT' };
export const LIMIT = { action: 'BUY', orderType: 'LMT', totalQuantity: 100, lmtPrice: 10, tif: 'DAY' };
export const UNSET = Number.MAX_VALUE;

export interface StartOptions extends ConnectionOptions {
  readonly pacing?: PacingOptions;
  readonly version?: number;
  readonly nextOrderId?: number;
  readonly clientId?: number;
}

/** A connection that is ready, whose gateway is the test. */
export async function connected(options: StartOptions = {}) {
  const { pacing, version = 193, nextOrderId = 5, clientId = 1, ...rest } = options;
  const clock = new VirtualClock();
  const line = new FakeLine();
  const pacer = createPacer({ ...pacing, clock });
  const connection = new IbConnection(
    { host: '127.0.0.1', port: 7497, clientId },
    { clock, line, random: () => 0.5, pacer, heartbeatMs: 1e9, ...rest },
  );
  const ready = connection.ready();
  await clock.settle();
  line.last.beReady({ nextOrderId, version });
  if (options.orders?.orderRefPrefix === undefined) await ready;
  await clock.settle();
  /** The messages of that name in the session that is on, without the name. */
  const sent = (method: string) =>
    line.last.calls.filter(([name]) => name === method).map(([, ...args]) => args);
  const lists = (answer: Lists = {}): void => answerLists(line, answer);
  return {
    ...{ clock, line, connection, ready, sent, lists },
    say: (event: string, ...args: unknown[]) => line.last.say(event, ...args),
    drop: () => line.last.say('disconnected'),
    /** After a drop: the next session. */
    async reconnect(answer: { nextOrderId?: number; version?: number } = {}): Promise<void> {
      await clock.advance(5000);
      line.last.beReady({ nextOrderId, version, ...answer });
      await clock.settle();
    },
    status(id: number, word: string, filled = 0, remaining = 100, more: Partial<Status> = {}): void {
      const { permId = 0, averagePrice = 0, ofClient = clientId, whyHeld = '' } = more;
      line.last.say(
        'orderStatus',
        id,
        word,
        filled,
        remaining,
        averagePrice,
        permId,
        0,
        0,
        ofClient,
        whyHeld,
        0,
      );
    },
    open(id: number, word: string, order: object = {}, state: object = {}): void {
      const fields = { ...LIMIT, orderId: id, clientId, permId: 0, ...order };
      line.last.say('openOrder', id, AAPL, fields, { status: word, ...state });
    },
    fill(id: number, execId: string, shares: number, more: object = {}, reqId = -1): void {
      const execution = { orderId: id, clientId, execId, shares, price: 10, permId: 0, side: 'BOT', ...more };
      line.last.say('execDetails', reqId, AAPL, execution);
    },
    commission(execId: string, amount: number, more: object = {}): void {
      line.last.say('commissionReport', { execId, commission: amount, currency: 'USD', ...more });
    },
    error(id: number, code: number, text = 'text', advanced?: unknown): void {
      line.last.say('error', text, code, id, advanced);
    },
    info(code: number, text = 'text'): void {
      line.last.say('info', text, code);
    },
  };
}

interface Status {
  readonly permId: number;
  readonly averagePrice: number;
  readonly ofClient: number;
  readonly whyHeld: string;
}

/** What the gateway lists when it is asked. */
export interface Lists {
  readonly open?: readonly { id: number; word?: string; filled?: number; order?: object }[];
  readonly executions?: readonly object[];
  readonly completed?: readonly { order: object; state?: object }[];
}

const answered = new WeakMap<object, number>();

/** Answers the lists that were asked for in this session, and not answered. */
function answerLists(line: FakeLine, { open = [], executions = [], completed = [] }: Lists): void {
  const link = line.last;
  for (let at = answered.get(link) ?? 0; at < link.calls.length; at++) {
    answered.set(link, at + 1);
    const [method, id] = link.calls[at] ?? [];
    if (method === 'reqAllOpenOrders' || method === 'reqOpenOrders') {
      for (const { id: orderId, word = 'Submitted', filled = 0, order = {} } of open) {
        const fields = { ...LIMIT, orderId, clientId: 1, permId: 0, ...order };
        link.say('openOrder', orderId, AAPL, fields, { status: word });
        link.say(
          'orderStatus',
          orderId,
          word,
          filled,
          100 - filled,
          0,
          fields.permId,
          0,
          0,
          fields.clientId,
          '',
          0,
        );
      }
      link.say('openOrderEnd');
    } else if (method === 'reqExecutions') {
      for (const execution of executions)
        link.say('execDetails', id, AAPL, { clientId: 1, price: 10, ...execution });
      link.say('execDetailsEnd', id);
    } else if (method === 'reqCompletedOrders') {
      for (const { order, state = { status: 'Cancelled' } } of completed) {
        link.say('completedOrder', AAPL, { ...LIMIT, ...order }, state);
      }
      link.say('completedOrdersEnd');
    }
  }
}
