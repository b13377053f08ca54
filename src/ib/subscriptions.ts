import { onAbort } from '../base/abort.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import type { SubscriptionFigures } from '../snapshot/broker.js';
import type { CodeClass } from './code-types.js';
import type { CodeTable } from './codes.js';
import { type Contract, contractKey, describeContract, type Tick } from './contracts.js';
import { IbError, requestError } from './errors.js';
import type { Pacer } from './pacing.js';
import type { Requests } from './requests.js';
import type { Supervisor } from './supervisor.js';

/** Kinds of market data, as IB numbers them from 1. `delayed` is free of subscriptions. */
export const MARKET_DATA_TYPES = ['live', 'frozen', 'delayed', 'delayed-frozen'] as const;
export type MarketDataType = (typeof MARKET_DATA_TYPES)[number];

/**
 * A message of the gateway about a stream that goes on: 10167, delayed data follows; 10197, another session takes the
 * data.
 */
export interface StreamMessage {
  readonly ibCode: number;
  readonly text: string;
  readonly class: CodeClass;
  readonly hint: string | null;
}

export interface MarketDataOptions {
  /** IB's generic tick list: `233,236`. Default none. */
  readonly genericTicks?: string;
  /**
   * The gateway refused it: it is asked again after the next reconnect. A code that nobody knows is reported here too;
   * its stream stays open, and ticks may follow.
   */
  readonly onError?: (error: IbError) => void;
  /** The gateway has something to say, and the stream goes on. */
  readonly onMessage?: (message: StreamMessage) => void;
  /** The kind of data of the ticks that follow. */
  readonly onType?: (type: MarketDataType) => void;
}

/** One listener's part in a subscription. */
export interface Subscription extends Disposable {
  /** Ends it. The last listener of the same data cancels the stream at the gateway. */
  close(): void;
}

interface Listener {
  readonly tick: (tick: Tick) => void;
  readonly error: (error: IbError) => void;
  readonly message: (message: StreamMessage) => void;
  readonly type: (type: MarketDataType) => void;
}

/** How far the gateway knows of a stream. */
type StreamState =
  | { readonly kind: 'unasked' }
  | { readonly kind: 'queued'; readonly id: number; readonly abort: AbortController }
  | { readonly kind: 'live'; readonly id: number }
  | { readonly kind: 'refused'; readonly error: IbError };

interface Stream {
  readonly key: string;
  readonly contract: Contract;
  readonly genericTicks: string;
  readonly listeners: Set<Listener>;
  state: StreamState;
  wasLive: boolean;
  /** On the clock; null while there was none. */
  lastTickAt: number | null;
}

interface SubscriptionsOptions {
  readonly pacer: Pacer;
  readonly clock: Clock;
  readonly codes: CodeTable;
  readonly trust1102: boolean;
  /** null: the gateway's own, which is live. */
  readonly marketDataType: MarketDataType | null;
  /** null: none. */
  readonly watchdogMs: number | null;
}

/** The state of the farms of market data: broken, OK, inactive, connecting. */
const FARM_BROKEN = 2103;
const MARKET_DATA_FARM = new Set([FARM_BROKEN, 2104, 2108, 2119]);
/** The rest after a 100 that carries the id of a stream. */
const RATE_REST_MS = 1000;

/** The streams of market data of one connection: they outlive its sessions, and each is asked for once in each. */
export class Subscriptions {
  readonly #supervisor: Supervisor;
  readonly #requests: Requests;
  readonly #options: SubscriptionsOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #byId = new Map<number, Stream>();
  #type: MarketDataType | null;
  #resubscribed = 0;
  #listenerErrors = 0;
  #watchdog: Timer | null = null;
  #farmChangedAt = 0;

  constructor(supervisor: Supervisor, requests: Requests, options: SubscriptionsOptions) {
    this.#supervisor = supervisor;
    this.#requests = requests;
    this.#options = options;
    this.#type = options.marketDataType;
  }

  get figures(): SubscriptionFigures {
    const streams = [...this.#streams.values()];
    return {
      wanted: streams.length,
      live: streams.filter(({ state }) => state.kind === 'live').length,
      listeners: streams.reduce((sum, { listeners }) => sum + listeners.size, 0),
      resubscribed: this.#resubscribed,
      listenerErrors: this.#listenerErrors,
    };
  }

  add(
    contract: Contract,
    tick: (tick: Tick) => void,
    { genericTicks = '', onError = ignore, onMessage = ignore, onType = ignore }: MarketDataOptions = {},
  ): Subscription {
    const key = `${contractKey(contract)} ${genericTicks}`;
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      stream = {
        key,
        contract,
        genericTicks,
        listeners: new Set(),
        state: { kind: 'unasked' },
        wasLive: false,
        lastTickAt: null,
      };
      this.#streams.set(key, stream);
    }
    const listener: Listener = { tick, error: onError, message: onMessage, type: onType };
    stream.listeners.add(listener);
    if (this.#supervisor.state.kind === 'ready') this.#ask(stream);
    const { state, listeners } = stream;
    if (state.kind === 'refused') {
      // In a later turn: the caller does not have its subscription as yet.
      queueMicrotask(() => {
        if (listeners.has(listener)) this.#call(() => listener.error(state.error));
      });
    }
    const close = (): void => this.#leave(stream, listener);
    return { close, [Symbol.dispose]: close };
  }

  /** Sets the kind of data for all streams of the connection, also in later sessions. */
  setType(type: MarketDataType): void {
    this.#type = type;
    if (this.#supervisor.state.kind !== 'ready') return;
    this.#tellType();
    for (const stream of this.#streams.values()) {
      if (stream.state.kind === 'refused') stream.state = { kind: 'unasked' };
      else if (stream.state.kind === 'live') this.#forget(stream, true);
      this.#ask(stream);
    }
  }

  /** A new session, which knows of no stream. */
  began(): void {
    if (this.#type !== null) this.#tellType();
    for (const stream of this.#streams.values()) {
      if (stream.state.kind === 'refused') stream.state = { kind: 'unasked' };
      this.#ask(stream);
    }
  }

  ended(): void {
    this.#watchdog?.cancel();
    this.#byId.clear();
    for (const stream of this.#streams.values()) {
      if (stream.state.kind === 'queued') stream.state.abort.abort();
      if (stream.state.kind !== 'refused') stream.state = { kind: 'unasked' };
    }
  }

  /** Cancels the lines of all streams, as far as the pacing has room right now: the rest ends with the connection. */
  close(): void {
    const abort = new AbortController();
    for (const { state } of this.#streams.values()) {
      if (state.kind !== 'live') continue;
      const cancel = (): void | Promise<void> => this.#supervisor.call('cancelMktData', [state.id]);
      this.#options.pacer.send({ kind: 'urgent' }, cancel, abort.signal).catch(ignore);
    }
    abort.abort();
  }

  /**
   * 1101 says that the gateway has lost all streams, 1102 that it has kept them; which not everybody trusts (IBC's
   * maintainer advises to ask anew after a 1102 as well). One that still waits to be sent is not asked twice.
   */
  restored(dataLost: boolean): void {
    if (!dataLost && this.#options.trust1102) return;
    for (const stream of this.#streams.values()) {
      if (stream.state.kind !== 'live') continue;
      this.#forget(stream, !dataLost);
      this.#ask(stream);
    }
  }

  /** Hears of the links of the gateway. After a change some streams stay silent for good, which no message reports. */
  hearInfo(code: number): void {
    const { watchdogMs, clock } = this.#options;
    if (watchdogMs === null || !MARKET_DATA_FARM.has(code)) return;
    this.#watchdog?.cancel();
    this.#farmChangedAt = clock.now();
    // While the farm is broken there is nothing to ask for.
    if (code !== FARM_BROKEN) this.#watchdog = clock.setTimer(() => this.#wakeSilent(), watchdogMs);
  }

  #wakeSilent(): void {
    for (const stream of this.#streams.values()) {
      const { state, lastTickAt } = stream;
      if (state.kind !== 'live' || lastTickAt === null || lastTickAt > this.#farmChangedAt) continue;
      this.#forget(stream, true);
      this.#ask(stream);
    }
  }

  /** Whether it was about a stream of ours. */
  hear(event: string, args: readonly unknown[]): boolean {
    if (event === 'error') {
      const [text, code, id] = args;
      const stream = this.#byId.get(Number(id));
      if (stream === undefined) return false;
      this.#hearError(stream, Number(code), String(text));
      return true;
    }
    if (event === 'marketDataType') {
      const type = MARKET_DATA_TYPES[Number(args[1]) - 1];
      const stream = this.#byId.get(Number(args[0]));
      if (stream === undefined || type === undefined) return false;
      for (const listener of stream.listeners) this.#call(() => listener.type(type));
      return true;
    }
    const tick = toTick(event, args);
    const stream = tick === null ? undefined : this.#byId.get(Number(args[0]));
    if (tick === null || stream === undefined) return false;
    stream.lastTickAt = this.#options.clock.now();
    for (const listener of stream.listeners) this.#call(() => listener.tick(tick));
    return true;
  }

  #hearError(stream: Stream, ibCode: number, text: string): void {
    const verdict = this.#options.codes.classify(ibCode, text, ['market data']);
    const error = (): IbError =>
      requestError(ibCode, text, `market data of ${describeContract(stream.contract)}`, verdict);
    switch (verdict.class) {
      case 'notice':
      case 'advisory':
      case 'connection': {
        const message: StreamMessage = { ibCode, text, class: verdict.class, hint: verdict.hint };
        for (const listener of stream.listeners) this.#call(() => listener.message(message));
        return;
      }
      case 'pacing':
        this.#options.pacer.backOff?.('all', RATE_REST_MS);
        this.#forget(stream, true);
        this.#ask(stream);
        return;
      case 'unknown': {
        const unknown = error();
        for (const listener of stream.listeners) this.#call(() => listener.error(unknown));
        return;
      }
      case 'refusal':
      case 'ended':
      case 'fatal':
        this.#refused(stream, error());
        return;
    }
  }

  #tellType(): void {
    const number = MARKET_DATA_TYPES.indexOf(this.#type ?? 'live') + 1;
    this.#requests.tell(['reqMarketDataType', [number]]);
  }

  /** The gateway's part of a stream is over; `cancel`: it must be told. */
  #forget(stream: Stream, cancel: boolean): void {
    if (stream.state.kind !== 'live') return;
    const { id } = stream.state;
    this.#byId.delete(id);
    if (cancel) this.#requests.tell(['cancelMktData', [id]]);
    stream.state = { kind: 'unasked' };
  }

  #ask(stream: Stream): void {
    if (stream.state.kind !== 'unasked') return;
    const id = this.#requests.nextId();
    const abort = new AbortController();
    const stopWatching = onAbort(this.#requests.sessionSignal, () => abort.abort());
    stream.state = { kind: 'queued', id, abort };
    const { contract, genericTicks } = stream;
    this.#options.pacer
      .send(
        { kind: 'request' },
        () => {
          stream.state = { kind: 'live', id };
          this.#byId.set(id, stream);
          if (stream.wasLive) this.#resubscribed++;
          stream.wasLive = true;
          return this.#supervisor.call('reqMktData', [id, contract, genericTicks, false, false]);
        },
        abort.signal,
      )
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        const text = `market data of ${describeContract(contract)}: ${asError(error).message}`;
        this.#refused(stream, new IbError('ERR_IB_REQUEST', text));
      })
      .finally(stopWatching);
  }

  #refused(stream: Stream, error: IbError): void {
    // A line may be taken all the same. Where none is, the gateway says so (300), which nobody minds.
    this.#forget(stream, true);
    stream.state = { kind: 'refused', error };
    for (const listener of stream.listeners) this.#call(() => listener.error(error));
  }

  #leave(stream: Stream, listener: Listener): void {
    if (!stream.listeners.delete(listener) || stream.listeners.size > 0) return;
    this.#streams.delete(stream.key);
    const { state } = stream;
    switch (state.kind) {
      case 'queued':
        state.abort.abort();
        return;
      case 'live':
        this.#forget(stream, true);
        return;
      case 'unasked':
      case 'refused':
        return;
    }
  }

  /** A listener that throws must not stop the others: the library would not even go on with its queue. */
  #call(tell: () => void): void {
    try {
      tell();
    } catch {
      this.#listenerErrors++;
    }
  }
}

function toTick(event: string, [, field, value]: readonly unknown[]): Tick | null {
  switch (event) {
    case 'tickPrice':
      return { kind: 'price', field: Number(field), price: Number(value) };
    case 'tickSize':
      return { kind: 'size', field: Number(field), size: Number(value) };
    case 'tickString':
      return { kind: 'text', field: Number(field), text: String(value) };
    case 'tickGeneric':
      return { kind: 'generic', field: Number(field), value: Number(value) };
    default:
      return null;
  }
}
