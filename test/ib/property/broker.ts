/** An order as it is at the broker: what every ledger is measured by. */
export interface Truth {
  readonly id: number;
  readonly ref: string;
  readonly permId: number;
  readonly total: number;
  price: number;
  filled: number;
  state: 'live' | 'filled' | 'cancelled' | 'rejected';
  readonly executions: { readonly execId: string; readonly shares: number }[];
}

type Say = (event: string, ...args: unknown[]) => void;

/** How the broker takes an order. */
export const MANNERS = ['takes', 'advises', 'puzzles', 'refuses', 'rejects', 'fills'] as const;
export type Manner = (typeof MANNERS)[number];

const CONTRACT = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const MOST = Number.MAX_VALUE;

/**
 * A reference model of a gateway and the broker behind it, for one client id. It writes its messages into a queue, from
 * which a test delivers them: some twice, and none of those that are there when the connection breaks.
 */
export class Broker {
  /** Each order that it ever took. */
  readonly orders: Truth[] = [];
  /** Ids that were refused: they do not exist, and are used. */
  readonly refused = new Map<number, string>();
  readonly problems: string[] = [];
  queue: { readonly event: string; readonly args: readonly unknown[]; readonly repeats: boolean }[] = [];
  #nextPermId = 900;
  #executions = 0;
  #highest = 0;

  get nextId(): number {
    return Math.max(1, this.#highest + 1);
  }

  find(id: number): Truth | undefined {
    return this.orders.find((order) => order.id === id);
  }

  /** Reads a message of the client. */
  read([method, ...args]: readonly [string, ...unknown[]], manner: Manner): void {
    switch (method) {
      case 'placeOrder':
        this.#place(Number(args[0]), args[2] as Record<string, unknown>, manner);
        return;
      case 'cancelOrder':
        this.#cancel(Number(args[0]));
        return;
      case 'reqAllOpenOrders':
        for (const order of this.orders) if (order.state === 'live') this.#show(order);
        this.#say('openOrderEnd', [], false);
        return;
      case 'reqExecutions':
        for (const order of this.orders) {
          for (const execution of order.executions) this.#tellExecution(order, execution, Number(args[0]));
        }
        this.#say('execDetailsEnd', [args[0]], false);
        return;
      case 'reqCompletedOrders':
        for (const { permId, ref, filled, state } of this.orders) {
          if (state === 'live') continue;
          const word = state === 'filled' ? 'Filled' : state === 'cancelled' ? 'Cancelled' : 'Inactive';
          const order = { permId, orderRef: ref, filledQuantity: filled, totalQuantity: 0 };
          this.#say('completedOrder', [CONTRACT, order, { status: word }], true);
        }
        this.#say('completedOrdersEnd', [], false);
        return;
    }
  }

  /** Executes so many shares of a live order; its own state words follow. `quiet`: without a status. */
  fill(order: Truth, shares: number, quiet: boolean): void {
    if (order.state !== 'live') return;
    const execution = {
      execId: `0001.${++this.#executions}.01.01`,
      shares: Math.min(shares, order.total - order.filled),
    };
    order.filled += execution.shares;
    order.executions.push(execution);
    if (order.filled === order.total) order.state = 'filled';
    this.#tellExecution(order, execution, -1);
    if (!quiet) this.#show(order);
  }

  cancel(order: Truth): void {
    if (order.state !== 'live') return;
    order.state = 'cancelled';
    this.#status(order, 'Cancelled');
    this.#error(order.id, 202, 'Order Canceled - reason:');
  }

  reject(order: Truth): void {
    // A rejection of what was filled in part is told as a cancellation.
    if (order.state !== 'live' || order.filled > 0) return;
    order.state = 'rejected';
    this.#error(order.id, 201, 'Order rejected - reason:');
    this.#open(order, 'Inactive');
    this.#status(order, 'Inactive');
  }

  /** Delivers the first message; `twice`: again, if it is of those that come more than once. */
  deliver(say: Say, twice: boolean): void {
    const message = this.queue.shift();
    if (message === undefined) return;
    say(message.event, ...message.args);
    if (twice && message.repeats) say(message.event, ...message.args);
  }

  #place(id: number, fields: Record<string, unknown>, manner: Manner): void {
    const ref = String(fields.orderRef);
    const known = this.find(id);
    this.#highest = Math.max(this.#highest, id);
    if (known !== undefined) {
      if (known.ref !== ref) this.problems.push(`id ${id} of ${known.ref} was used again, for ${ref}`);
      else if (known.state !== 'live') this.#error(id, 104, 'Cannot modify a filled order.');
      else if (manner === 'refuses') this.#error(id, 110, 'The price does not conform');
      else {
        known.price = Number(fields.lmtPrice);
        this.#show(known);
      }
      return;
    }
    if (this.refused.has(id)) this.problems.push(`id ${id} was used again after a refusal`);
    if (this.orders.some((order) => order.ref === ref)) this.problems.push(`${ref} was placed twice`);
    if (manner === 'refuses') {
      this.refused.set(id, ref);
      this.#error(id, 110, 'The price does not conform');
      return;
    }
    const order: Truth = {
      ...{ id, ref, permId: this.#nextPermId++, total: Number(fields.totalQuantity) },
      ...{ price: Number(fields.lmtPrice), filled: 0, state: 'live', executions: [] },
    };
    this.orders.push(order);
    if (manner === 'advises') this.#error(id, 10_349, 'Order TIF was set to DAY based on order preset.');
    if (manner === 'puzzles') this.#error(id, 98_765, 'A code of next year');
    if (manner === 'fills') {
      this.fill(order, order.total, true);
      return;
    }
    this.#show(order);
    if (manner === 'rejects') this.reject(order);
  }

  #cancel(id: number): void {
    const order = this.find(id);
    if (order === undefined)
      this.#error(id, 10_147, `OrderId ${id} that needs to be cancelled is not found.`);
    else if (order.state === 'live') this.cancel(order);
    else this.#error(id, 10_148, `OrderId ${id} that needs to be cancelled cannot be cancelled, state: x`);
  }

  #show(order: Truth): void {
    const word = order.state === 'filled' ? 'Filled' : 'Submitted';
    this.#open(order, word);
    this.#status(order, word);
  }

  #open({ id, ref, permId, total, price }: Truth, word: string): void {
    const order = {
      ...{ orderId: id, clientId: 1, permId, orderRef: ref, action: 'BUY', orderType: 'LMT' },
      ...{ totalQuantity: total, lmtPrice: price },
    };
    this.#say('openOrder', [id, CONTRACT, order, { status: word, initMarginChange: undefined }], true);
  }

  #status({ id, permId, filled, total }: Truth, word: string): void {
    this.#say('orderStatus', [id, word, filled, total - filled, 10, permId, 0, 10, 1, '', 0], true);
  }

  #tellExecution(order: Truth, { execId, shares }: Truth['executions'][number], reqId: number): void {
    const { id, permId, ref } = order;
    const execution = {
      orderId: id,
      clientId: 1,
      permId,
      orderRef: ref,
      execId,
      shares,
      price: 10,
      side: 'BOT',
    };
    const commission = [{ execId, commission: 1, currency: 'USD', realizedPNL: MOST }];
    // It was never seen to come first, and nobody promises that it does not.
    if (shares === 40) this.#say('commissionReport', commission, true);
    this.#say('execDetails', [reqId, CONTRACT, execution], true);
    if (shares !== 40) this.#say('commissionReport', commission, true);
  }

  #error(id: number, code: number, text: string): void {
    this.#say('error', [text, code, id], false);
  }

  #say(event: string, args: readonly unknown[], repeats: boolean): void {
    this.queue.push({ event, args, repeats });
  }
}
