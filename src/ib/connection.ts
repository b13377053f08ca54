import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { ignore } from '../base/promises.js';
import type { Random } from '../base/random.js';
import type { ConnectionFigures } from '../snapshot/broker.js';
import { Coalescer } from './coalescer.js';
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
import { type Line, localLine, type Target } from './link.js';
import { createPacer, type Pacer } from './pacing.js';
import {
  accountValues,
  cancelOrder,
  contractDetails,
  currentTime,
  history,
  historyFacts,
  placeOrder,
  positions,
} from './questions.js';
import { type RequestOptions, Requests } from './requests.js';
import { type MarketDataOptions, type Subscription, Subscriptions } from './subscriptions.js';
import { type ConnectionState, type Session, Supervisor, type SupervisorOptions } from './supervisor.js';

export interface ConnectionOptions extends SupervisorOptions {
  /** Whether a 1102 is believed that streams were kept. Default true; false asks for them anew. */
  readonly trust1102?: boolean;
  /** Shared by all that talk to this gateway from this process. Default: one of its own. */
  readonly pacer?: Pacer;
  /** Where identical requests for history meet. Default: within this connection. */
  readonly histories?: Coalescer;
  readonly line?: Line;
  /** Told of every step in its life. */
  readonly onState?: (state: ConnectionState, target: Target) => void;
  /** Told of notices that belong to no request: code and text. */
  readonly onNotice?: (code: number, text: string) => void;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A connection to a gateway that is kept up, and what can be asked over it. All errors are IbErrors. */
export class IbConnection implements AsyncDisposable {
  readonly clientId: number;
  readonly #supervisor: Supervisor;
  readonly #requests: Requests;
  readonly #subscriptions: Subscriptions;
  readonly #histories: Coalescer;
  readonly #shared = new Coalescer();
  /** Account values come one account at a time: the gateway forgets the one when it is asked for the other. */
  #accounts: Promise<unknown> = Promise.resolve();

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
      ...supervision
    } = options;
    this.clientId = target.clientId;
    this.#histories = histories;
    this.#supervisor = new Supervisor(target, {
      ...supervision,
      line,
      clock,
      random,
      listener: {
        state: (state) => onState(state, this.#supervisor.target),
        ready: (session) => {
          this.#requests.began(session);
          this.#subscriptions.began();
        },
        lost: (cause) => {
          this.#subscriptions.ended();
          this.#requests.ended(cause);
        },
        event: (event, args) => {
          if (event === 'info') onNotice(Number(args[1]), String(args[0]));
          else if (!this.#subscriptions.hear(event, args)) this.#requests.hear(event, args);
        },
        restored: (dataLost) => this.#subscriptions.restored(dataLost),
        admit: (open) => void pacer.send({ kind: 'upkeep' }, open).catch(ignore),
        heartbeat: (sent) => {
          pacer
            .send(
              { kind: 'upkeep' },
              () => {
                sent();
                return this.#supervisor.call('reqCurrentTime', []);
              },
              this.#requests.sessionSignal,
            )
            .catch(ignore);
        },
      },
    });
    this.#requests = new Requests(this.#supervisor, { pacer, clock });
    this.#subscriptions = new Subscriptions(this.#supervisor, this.#requests, { pacer, trust1102 });
  }

  get state(): ConnectionState {
    return this.#supervisor.state;
  }

  /** Resolves when it is ready, dialling if it never was. Rejects where the first connect fails, and after close(). */
  ready(): Promise<Session> {
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

  /** Bars, oldest first. Whoever asks the same while an answer is under way gets that one. */
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
    return this.#requests.nextOrderId();
  }

  /** Resolves with the first status. Never sent twice: ERR_IB_CONNECTION_LOST leaves open whether it got through. */
  async placeOrder(
    orderId: number,
    contract: Contract,
    order: Order,
    options?: RequestOptions,
  ): Promise<OrderStatus> {
    return this.#requests.ask(placeOrder(orderId, contract, order), options);
  }

  cancelOrder(orderId: number, options?: RequestOptions): Promise<OrderStatus> {
    return this.#requests.ask(cancelOrder(orderId), options);
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
      inFlight: this.#requests.inFlight,
      supervisor: counters,
      requests: this.#requests.counters,
      subscriptions: this.#subscriptions.figures,
    };
  }

  /** Ends it. Whatever is under way is rejected with ERR_IB_CLOSED; nothing is left when this resolves. */
  close(): Promise<void> {
    return this.#supervisor.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
