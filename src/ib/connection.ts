import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { ignore } from '../base/promises.js';
import type { Random } from '../base/random.js';
import type { ConnectionFigures } from '../snapshot/broker.js';
import { Coalescer } from './coalescer.js';
import type { CodeRule } from './code-types.js';
import { CodeTable, defaultCodes } from './codes.js';
import type {
  AccountValue,
  Bar,
  Contract,
  ContractDetails,
  HistoryQuery,
  Order,
  OrderStatus,
  Position,
  Tick,
} from './contracts.js';
import { IbError } from './errors.js';
import type { Session } from './handshake.js';
import { type Line, localLine, type Target } from './link.js';
import { type Bracket, type BracketOrders, placeBracket, placeOca } from './orders/groups.js';
import type { OrderHandle } from './orders/handle.js';
import { type LedgerOptions, OrderLedger } from './orders/ledger.js';
import { completedOrders, type ExecutionFilter, executions, openOrders, whatIf } from './orders/questions.js';
import type { CompletedOrder, Fill, OpenOrder, OrderEvent, WhatIf } from './orders/types.js';
import { createPacer, type Pacer } from './pacing.js';
import {
  accountValues,
  contractDetails,
  currentTime,
  history,
  historyFacts,
  positions,
} from './questions.js';
import { RawClient } from './raw-client.js';
import { type Question, type RequestOptions, Requests } from './requests.js';
import {
  type MarketDataOptions,
  type MarketDataType,
  type Subscription,
  Subscriptions,
} from './subscriptions.js';
import { type ConnectionState, Supervisor, type SupervisorOptions } from './supervisor.js';

export interface ConnectionOptions extends SupervisorOptions {
  /** Whether a 1102 is believed that streams were kept. Default true; false asks for them anew. */
  readonly trust1102?: boolean;
  /** Shared by all that talk to this gateway from this process. Default: one of its own. */
  readonly pacer?: Pacer;
  /** Shared by connections whose identical requests for history become one. Default: this connection only. */
  readonly histories?: Coalescer;
  readonly line?: Line;
  /** Told of every step in its life. */
  readonly onState?: (state: ConnectionState, target: Target) => void;
  /** Told of notices that belong to no request: code and text. */
  readonly onNotice?: (code: number, text: string) => void;
  /** Rules for codes of the gateway, which come before the built-in table. Default none. */
  readonly codes?: readonly CodeRule[];
  /** How orders are kept account of. Default: LedgerOptions' defaults. */
  readonly orders?: LedgerOptions;
  /** The kind of market data that is asked for. Default: the gateway's own, which is live. */
  readonly marketDataType?: MarketDataType;
  /**
   * After a change of a market data farm, a stream that stays silent for so long is asked for anew, in milliseconds.
   * Default null: never.
   */
  readonly streamWatchdogMs?: number | null;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A connection to a gateway that is kept up, and what can be asked over it. All errors are IbErrors. */
export class IbConnection implements AsyncDisposable {
  readonly clientId: number;
  readonly #supervisor: Supervisor;
  readonly #requests: Requests;
  readonly #subscriptions: Subscriptions;
  readonly #ledger: OrderLedger;
  readonly #histories: Coalescer;
  readonly #shared = new Coalescer();
  /** The client library itself, for what has no method here. */
  readonly raw: RawClient;
  /** Account values come one account at a time: the gateway forgets the one when it is asked for the other. */
  #accounts: Promise<unknown> = Promise.resolve();
  /** Lists of open orders do not say for whom they are: one at a time. */
  #lists: Promise<unknown> = Promise.resolve();

  constructor(target: Target, options: ConnectionOptions = {}) {
    const {
      trust1102 = true,
      clock = systemClock,
      random = Math.random,
      pacer = createPacer({ clock }),
      histories = new Coalescer(),
      line = localLine(clock),
      onState = ignore,
      onNotice = ignore,
      codes: rules = [],
      orders = {},
      marketDataType = null,
      streamWatchdogMs = null,
      ...supervision
    } = options;
    const { clientId } = target;
    const codes = rules.length === 0 ? defaultCodes : new CodeTable(rules);
    this.clientId = clientId;
    this.#histories = histories;
    const supervisor = new Supervisor(target, {
      ...supervision,
      line,
      clock,
      random,
      listener: {
        state: (state) => onState(state, supervisor.target),
        ready: (session) => {
          this.#requests.began();
          this.#subscriptions.began();
          this.#ledger.began(session);
        },
        lost: (cause) => {
          this.#subscriptions.ended();
          this.#requests.ended(cause);
          this.#ledger.ended(cause);
        },
        event: (event, args) => this.#hear(event, args, onNotice),
        restored: (dataLost) => {
          this.#subscriptions.restored(dataLost);
          this.#requests.restored();
          this.#ledger.restored();
        },
        admit: (open) => void pacer.send({ kind: 'upkeep' }, open).catch(ignore),
        heartbeat: (sent) => {
          const ask = (): void | Promise<void> => {
            sent();
            return supervisor.call('reqCurrentTime', []);
          };
          pacer.send({ kind: 'upkeep' }, ask, this.#requests.sessionSignal).catch(ignore);
        },
      },
    });
    this.#supervisor = supervisor;
    const requests = new Requests(supervisor, { pacer, clock, random, codes });
    this.#requests = requests;
    const streams = { pacer, clock, codes, trust1102, marketDataType, watchdogMs: streamWatchdogMs };
    this.#subscriptions = new Subscriptions(supervisor, requests, streams);
    this.#ledger = new OrderLedger({ supervisor, requests, pacer, clock, random, codes, clientId }, orders);
    this.raw = new RawClient({ supervisor, requests, pacer });
  }

  #hear(event: string, args: readonly unknown[], onNotice: (code: number, text: string) => void): void {
    this.raw.hear(event, args);
    if (event === 'info') {
      const [text, code] = [String(args[0]), Number(args[1])];
      this.#subscriptions.hearInfo(code);
      this.#ledger.hearInfo(code, text);
      this.#requests.hearInfo(code, text);
      try {
        onNotice(code, text);
      } catch {
        // A listener that throws must not break the connection: the library would handle no further event.
      }
    } else if (!this.#ledger.hear(event, args) && !this.#subscriptions.hear(event, args)) {
      this.#requests.hear(event, args);
    }
  }

  get state(): ConnectionState {
    return this.#supervisor.state;
  }

  /**
   * Resolves when it is ready, dialling if it never was, and with `orders.orderRefPrefix` when the orders of an earlier
   * process are known. Rejects where the first connect fails, and after close().
   */
  async ready(): Promise<Session> {
    const session = await this.#supervisor.ready();
    if (!this.#ledger.recovers) return session;
    await this.#ledger.recovered;
    return this.#supervisor.ready();
  }

  /** The gateway's clock, in milliseconds since the epoch, to the second. */
  currentTime(options?: RequestOptions): Promise<number> {
    return this.#requests.ask(currentTime(), options);
  }

  /** The accounts of the login, as of the last connect. */
  async managedAccounts(options?: RequestOptions): Promise<readonly string[]> {
    return (await this.#requests.session('the accounts', options)).accounts;
  }

  /** All contracts that fit. ERR_IB_NO_CONTRACT if none does. */
  contractDetails(contract: Contract, options?: RequestOptions): Promise<ContractDetails[]> {
    return this.#requests.ask(contractDetails(contract), options);
  }

  /** Bars, oldest first. Identical requests that are made while one is under way share its answer. */
  async historicalData(query: HistoryQuery, options: RequestOptions = {}): Promise<Bar[]> {
    const { identity } = historyFacts(query);
    const { signal, ...rest } = options;
    const joins = this.#histories.has(identity);
    try {
      return await this.#histories.share(
        identity,
        (unwanted) => this.#requests.ask(history(query), { ...rest, signal: unwanted }),
        signal,
      );
    } catch (error) {
      // The one it joined was asked by a connection that was closed: that is no reason for this one.
      const closed = error instanceof IbError && error.code === 'ERR_IB_CLOSED';
      if (!joins || !closed || this.state.kind === 'closed') throw error;
      return this.historicalData(query, options);
    }
  }

  positions({ signal, ...rest }: RequestOptions = {}): Promise<Position[]> {
    return this.#shared.share(
      'positions',
      (unwanted) => this.#requests.ask(positions(), { ...rest, signal: unwanted }),
      signal,
    );
  }

  accountValues(account: string, { signal, ...rest }: RequestOptions = {}): Promise<AccountValue[]> {
    return this.#shared.share(
      `account ${account}`,
      (unwanted) => {
        const values = this.#accounts.then(() =>
          this.#requests.ask(accountValues(account), { ...rest, signal: unwanted }),
        );
        this.#accounts = values.catch(ignore);
        return values;
      },
      signal,
    );
  }

  /** Each is given once, also over reconnects. */
  async nextOrderId(options?: RequestOptions): Promise<number> {
    await this.#requests.session('an id for an order', options);
    return this.#ledger.nextOrderId();
  }

  /**
   * Places an order, and returns its handle at once; `await` on it gives the first status. It is never sent twice. An
   * orderRef is the order's identity: if an order with it was placed before, its handle is returned, and nothing is
   * sent. Without one the order is given a reference of its own.
   *
   * With an order id, as IB's own clients have it, an id that is known changes that order.
   */
  placeOrder(contract: Contract, order: Order, options?: RequestOptions): OrderHandle;
  placeOrder(orderId: number, contract: Contract, order: Order, options?: RequestOptions): OrderHandle;
  placeOrder(
    first: number | Contract,
    second: Contract | Order,
    third?: Order | RequestOptions,
    fourth?: RequestOptions,
  ): OrderHandle {
    if (typeof first === 'number') {
      return this.#ledger.place(first, second as Contract, (third ?? {}) as Order, fourth);
    }
    return this.#ledger.place(null, first, second as Order, third as RequestOptions | undefined);
  }

  /** An entry, and orders that wait for it to be filled: take profit, stop loss. The last one sends them off. */
  placeBracket(contract: Contract, bracket: Bracket, options?: RequestOptions): BracketOrders {
    return placeBracket(this.#ledger, contract, bracket, options);
  }

  /** Orders of which one cancels the others when it is filled. Their group is made up unless the first has one. */
  placeOca(orders: readonly { contract: Contract; order: Order }[], options?: RequestOptions): OrderHandle[] {
    return placeOca(this.#ledger, orders, options);
  }

  /** Previews the costs of an order and its effect on the margins. Nothing is placed. */
  async whatIf(contract: Contract, order: Order, options?: RequestOptions): Promise<WhatIf> {
    await this.#requests.session('what an order would do', options);
    return this.#requests.ask(whatIf(this.#ledger.nextOrderId(), contract, order), options);
  }

  /** Resolves when the order is canceled. Rejects with an OrderError where it is not: it may be filled. */
  cancelOrder(orderId: number, options?: RequestOptions): Promise<OrderStatus> {
    return this.#ledger.cancelById(orderId, options);
  }

  /** The orders that this connection knows of: placed by it, or told by the gateway for its client id. */
  orders(): OrderHandle[] {
    return this.#ledger.orders();
  }

  /** One of those, by its order id or its orderRef; null if it is not known. */
  order(key: number | string): OrderHandle | null {
    return this.#ledger.order(key);
  }

  /** Tells of every step of every order of this client id. Returns the way to stop. */
  onOrder(listener: (order: OrderHandle, event: OrderEvent) => void): () => void {
    return this.#ledger.onOrder(listener);
  }

  /** Tells of orders of other clients, which the gateway shows to its master client. Returns the way to stop. */
  onForeignOrder(listener: (order: OpenOrder) => void): () => void {
    return this.#ledger.onForeignOrder(listener);
  }

  /** The open orders of this client id; with `all` those of every client, and manual ones. */
  openOrders({
    all = false,
    ...options
  }: RequestOptions & { readonly all?: boolean } = {}): Promise<OpenOrder[]> {
    return this.#list(`open orders ${all}`, () => openOrders(all), options);
  }

  /** Executions of today, with their commissions as far as they are known. */
  executions(filter: ExecutionFilter = {}, options?: RequestOptions): Promise<Fill[]> {
    return this.#requests.ask(executions(filter), options);
  }

  /** Orders of today that are over: of all clients, or those of an API alone. ERR_IB_VERSION below version 150. */
  async completedOrders({
    apiOnly = false,
    ...options
  }: RequestOptions & { readonly apiOnly?: boolean } = {}): Promise<CompletedOrder[]> {
    const { serverVersion } = await this.#requests.session('the completed orders', options);
    if (serverVersion < 150) {
      const text = `the completed orders: the gateway lists them from version 150 on, and has ${serverVersion}`;
      throw new IbError('ERR_IB_VERSION', text, { hint: 'update TWS or IB Gateway' });
    }
    return this.#list(`completed orders ${apiOnly}`, () => completedOrders(apiOnly), options);
  }

  /** The kind of market data for all streams of this connection, from now on. They are asked for anew. */
  setMarketDataType(type: MarketDataType): void {
    this.#subscriptions.setType(type);
  }

  /** Ticks from now until it is closed, over reconnects. Those who want the same data share one stream. */
  subscribe(contract: Contract, listener: (tick: Tick) => void, options?: MarketDataOptions): Subscription {
    return this.#subscriptions.add(contract, listener, options);
  }

  figures(): ConnectionFigures {
    const { state, counters, target } = this.#supervisor;
    const session = state.kind === 'ready' ? state : null;
    return {
      clientId: this.clientId,
      host: target.host,
      port: target.port,
      state: state.kind,
      serverVersion: session?.session.serverVersion ?? null,
      upstream: session?.upstream ?? null,
      reconnects: Math.max(0, counters.ready - 1),
      inFlight: this.#requests.inFlight + this.#ledger.inFlight,
      supervisor: counters,
      requests: this.#requests.counters,
      subscriptions: this.#subscriptions.figures,
    };
  }

  /** Whether closing it now would end something: a stream, or the account of an order that is open. */
  get isWatching(): boolean {
    return this.#subscriptions.figures.wanted > 0 || this.#ledger.open > 0;
  }

  /**
   * Ends it: cancels its market data, and rejects whatever is under way with ERR_IB_CLOSED. Orders stay. Nothing is left
   * when this resolves.
   */
  close(): Promise<void> {
    if (this.state.kind === 'ready') this.#subscriptions.close();
    const closed = this.#supervisor.close();
    this.#ledger.close(new IbError('ERR_IB_CLOSED', 'the connection was closed'));
    return closed;
  }

  /** Requests one list at a time. Callers that ask for the same list meanwhile share it. */
  #list<T>(key: string, question: () => Question<T>, { signal, ...rest }: RequestOptions): Promise<T> {
    return this.#shared.share(
      key,
      (unwanted) => {
        const list = this.#lists.then(() => this.#requests.ask(question(), { ...rest, signal: unwanted }));
        this.#lists = list.catch(ignore);
        return list;
      },
      signal,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
