import fc from 'fast-check';
import { expect } from 'vitest';
import type { IbConnection } from '../../../src/ib/connection.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { FakeLine } from '../fake-line.js';
import { Broker, MANNERS, type Truth } from './broker.js';
import type { Search } from './interleavings.js';

type Handle = ReturnType<IbConnection['placeOrder']>;

const AAPL = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('place' as const), ref: fc.nat(5), own: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('modify' as const), which: fc.nat(5), price: fc.nat(9) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(5) }) },
  {
    weight: 7,
    arbitrary: fc.record({ kind: fc.constant('read' as const), manner: fc.constantFrom(...MANNERS) }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      count: fc.integer({ min: 1, max: 4 }),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constant('fill' as const), which: fc.nat(5) },
      ...{ shares: fc.constantFrom(10, 40, 100), quiet: fc.boolean() },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(5), rejects: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('burst' as const), cancels: fc.boolean(), price: fc.nat(9) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), readsFirst: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('sync' as const), manner: fc.constantFrom(...MANNERS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('outage' as const), code: fc.constantFrom(1101, 1102) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 10, 999, 2500, 11_000),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/**
 * Plays seeded random interleavings of orders, answers, duplicates, drops and restarts against a reference model of the
 * broker. Returns the first sentence that does not hold, with its script; null if all hold.
 */
export async function findOrderCounterExample(
  Connection: typeof IbConnection,
  { runs, seed, shrink = true }: Search,
): Promise<string | null> {
  const property = fc.asyncProperty(
    fc.array(action, { minLength: 1, maxLength: 45, size: 'max' }),
    async (actions) => {
      const play = new Play(Connection);
      await play.begin();
      for (const each of actions) await play.act(each);
      await play.end();
    },
  );
  const result = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrink });
  if (!result.failed) return null;
  return `${result.errorInstance}\nseed ${seed}, path ${result.counterexamplePath}\n${JSON.stringify(result.counterexample)}`;
}

class Play {
  readonly #Connection: typeof IbConnection;
  readonly #clock = new VirtualClock();
  readonly #broker = new Broker();
  #line = new FakeLine();
  #connection!: IbConnection;
  #handles = new Map<string, Handle>();
  #read = 0;
  #links = 0;
  /** Messages about orders, and whether each has ended. */
  #calls: { settled: number; readonly kind: 'place' | 'change'; readonly handle: Handle }[] = [];

  constructor(Connection: typeof IbConnection) {
    this.#Connection = Connection;
  }

  async begin(): Promise<void> {
    this.#line = new FakeLine();
    this.#links = 0;
    this.#handles = new Map();
    this.#connection = new this.#Connection(
      { host: '127.0.0.1', port: 7497, clientId: 1 },
      {
        ...{ clock: this.#clock, line: this.#line, random: () => 0.5, heartbeatMs: 1e9 },
        orders: { orderRefPrefix: 't-' },
      },
    );
    this.#connection.ready().catch(() => {});
    await this.#turn();
    // Before the orders of the process before are known, nothing is placed.
    await this.#sync('takes');
  }

  /** All that is written is read, and all answers are delivered. */
  async #sync(manner: (typeof MANNERS)[number]): Promise<void> {
    for (let round = 0; round < 4; round++) {
      while (this.#readOne(manner));
      while (this.#isUp && this.#broker.queue.length > 0) this.#deliver(round === 1);
      await this.#turn();
    }
  }

  async act(each: Action): Promise<void> {
    switch (each.kind) {
      case 'burst': {
        const handle = this.#place('');
        this.#watch(
          'change',
          handle,
          each.cancels ? handle.cancel() : handle.modify({ lmtPrice: each.price }),
        );
        break;
      }
      case 'place': {
        const ref = each.own ? `t-${each.ref}` : '';
        this.#place(ref);
        break;
      }
      case 'modify': {
        const handle = [...this.#handles.values()][each.which];
        if (handle !== undefined) this.#watch('change', handle, handle.modify({ lmtPrice: each.price }));
        break;
      }
      case 'cancel': {
        const handle = [...this.#handles.values()][each.which];
        if (handle !== undefined) this.#watch('change', handle, handle.cancel());
        break;
      }
      case 'read':
        this.#readOne(each.manner);
        break;
      case 'deliver':
        for (let at = 0; at < each.count && this.#isUp; at++) this.#deliver(each.twice);
        break;
      case 'fill': {
        const order = this.#broker.orders[each.which];
        if (order !== undefined) this.#broker.fill(order, each.shares, each.quiet);
        break;
      }
      case 'end': {
        const order = this.#broker.orders[each.which];
        if (order === undefined) break;
        if (each.rejects) this.#broker.reject(order);
        else this.#broker.cancel(order);
        break;
      }
      case 'sync':
        await this.#sync(each.manner);
        break;
      case 'drop':
        if (!this.#isUp) break;
        // What was written may have arrived, or not.
        if (each.readsFirst) while (this.#readOne('takes'));
        this.#broker.queue = [];
        this.#line.last.say('disconnected');
        break;
      case 'restart':
        this.#broker.queue = [];
        await this.#connection.close();
        await this.#clock.settle();
        this.#checkSettled();
        await this.#checkTimers();
        await this.begin();
        break;
      case 'outage':
        if (!this.#isUp) break;
        this.#line.last.say('info', 'lost', 1100);
        this.#line.last.say('info', 'restored', each.code);
        break;
      case 'wait':
        for (let left = each.ms; left > 0; left -= 500) {
          await this.#clock.advance(Math.min(500, left));
          await this.#turn();
        }
        break;
    }
    await this.#turn();
    this.#check();
  }

  /** All is read, answered and delivered from now on: the ledger must come to what is true. */
  async end(): Promise<void> {
    for (let round = 0; round < 100; round++) {
      await this.#clock.advance(500);
      await this.#turn();
      while (this.#readOne('takes'));
      while (this.#isUp && this.#broker.queue.length > 0) this.#deliver(false);
      await this.#clock.settle();
      this.#check();
    }
    for (const [ref, handle] of this.#handles) {
      const truth = this.#truthOf(ref);
      expect(stateOf(handle), `what has become of ${ref}`).toBe(truth?.state ?? 'nothing');
      if (truth === undefined) continue;
      expect(handle.status.filled ?? 0, `filled of ${ref}`).toBe(truth.filled);
      expect(handle.permId, `permId of ${ref}`).toBe(truth.permId);
      expect(handle.fills.map(({ execId }) => execId).sort(), `executions of ${ref}`).toEqual(
        truth.executions.map(({ execId }) => execId).sort(),
      );
      expect(handle.commissions.length, `commissions of ${ref}`).toBe(truth.executions.length);
    }
    this.#checkSettled();
    await this.#connection.close();
    await this.#checkTimers();
  }

  /** But for that of the pacing, whose window is a second. */
  async #checkTimers(): Promise<void> {
    await this.#clock.advance(0);
    const { background } = this.#clock.timers;
    expect(background, 'timers after the close').toBe(0);
    await this.#clock.advance(1100);
    expect(this.#clock.timers, 'timers after the close').toEqual({ foreground: 0, background: 0 });
  }

  #place(orderRef: string): Handle {
    const order = { action: 'BUY', orderType: 'LMT', totalQuantity: 100, lmtPrice: 10, orderRef };
    const handle = this.#connection.placeOrder(AAPL, order);
    this.#handles.set(handle.orderRef, handle);
    this.#watch('place', handle, handle.accepted);
    return handle;
  }

  get #isUp(): boolean {
    return this.#links > 0 && this.#links === this.#line.links.length && !this.#line.last.closed;
  }

  /** Lets a session begin where one is dialed. */
  async #turn(): Promise<void> {
    await this.#clock.settle();
    if (this.#line.links.length === this.#links || this.#line.last.closed) return;
    this.#links = this.#line.links.length;
    this.#read = 0;
    this.#line.last.beReady({ nextOrderId: this.#broker.nextId });
    await this.#clock.settle();
  }

  #readOne(manner: (typeof MANNERS)[number]): boolean {
    const call = this.#isUp ? this.#line.last.calls[this.#read] : undefined;
    if (call === undefined) return false;
    this.#read++;
    this.#broker.read(call, manner);
    return true;
  }

  #deliver(twice: boolean): void {
    this.#broker.deliver((event, ...args) => this.#line.last.say(event, ...args), twice);
  }

  #watch(kind: 'place' | 'change', handle: Handle, call: Promise<unknown>): void {
    const one = { settled: 0, kind, handle };
    this.#calls.push(one);
    call.then(
      () => one.settled++,
      () => one.settled++,
    );
  }

  #truthOf(ref: string): Truth | undefined {
    return this.#broker.orders.find((order) => order.ref === ref);
  }

  /** Never does the ledger claim an end that is not true. */
  #check(): void {
    expect(this.#broker.problems, 'what the broker found wrong').toEqual([]);
    for (const { settled, kind, handle } of this.#calls) {
      const state = stateOf(handle);
      // Whoever placed it hears of it with the first message that shows it; all others, when it is over.
      if (state === 'open' || (state === 'live' && kind === 'change')) continue;
      expect(settled, `the ends of a message about an order that is ${state}`).toBe(1);
    }
    for (const [ref, handle] of this.#handles) {
      const truth = this.#truthOf(ref);
      const state = stateOf(handle);
      if (state === 'filled' || state === 'cancelled') expect(truth?.state, `the end of ${ref}`).toBe(state);
      if (state === 'rejected') expect([undefined, 'rejected'], `the end of ${ref}`).toContain(truth?.state);
      expect(handle.status.filled ?? 0, `filled of ${ref}`).toBeLessThanOrEqual(truth?.filled ?? 0);
      const told = handle.fills.reduce((sum, { quantity }) => sum + quantity, 0);
      expect(told, `executions of ${ref}`).toBeLessThanOrEqual(truth?.filled ?? 0);
    }
  }

  #checkSettled(): void {
    expect(this.#calls.filter(({ settled }) => settled !== 1).length, 'messages without one end').toBe(0);
    this.#calls = [];
  }
}

function stateOf({ state, outcome }: Handle): Truth['state'] | 'nothing' | 'open' {
  switch (state) {
    case 'working':
    case 'partly-filled':
    case 'inactive':
      return 'live';
    case 'filled':
    case 'cancelled':
      return state;
    case 'rejected':
      // A refusal at once is no order.
      return outcome?.kind === 'rejected' && outcome.reason.ibCode === 110 ? 'nothing' : 'rejected';
    case 'not-sent':
      return 'nothing';
    case 'new':
    case 'sent':
    case 'held':
    case 'unknown':
      return 'open';
  }
}
