import { onAbort } from '../base/abort.js';
import { asError } from '../base/promises.js';
import type { SubscriptionFigures } from '../snapshot/broker.js';
import { type Contract, contractKey, describeContract, type Tick } from './contracts.js';
import { type IbError, isNotice, requestError } from './errors.js';
import type { Pacer } from './pacing.js';
import type { Requests } from './requests.js';
import type { Supervisor } from './supervisor.js';

export interface MarketDataOptions {
  /** IB's generic tick list: `233,236`. Default none. */
  readonly genericTicks?: string;
  /** The gateway refused it: it is asked again after the next reconnect. */
  readonly onError?: (error: IbError) => void;
}

/** One listener's part in a subscription. */
export interface Subscription extends Disposable {
  /** Ends it; the gateway is told when the last listener of the same data has gone. */
  close(): void;
}

interface Listener {
  readonly tick: (tick: Tick) => void;
  readonly error: (error: IbError) => void;
}

/** How far the gateway knows of a stream. */
type StreamState =
  | { readonly kind: 'unasked' }
  | { readonly kind: 'queued'; readonly id: number; readonly abort: AbortController }
  | { readonly kind: 'live'; readonly id: number }
  | { readonly kind: 'refused' };

interface Stream {
  readonly key: string;
  readonly contract: Contract;
  readonly genericTicks: string;
  readonly listeners: Set<Listener>;
  state: StreamState;
  wasLive: boolean;
}

/** The streams of market data of one connection: they outlive its sessions, and each is asked for once in each. */
export class Subscriptions {
  readonly #supervisor: Supervisor;
  readonly #requests: Requests;
  readonly #pacer: Pacer;
  readonly #trust1102: boolean;
  readonly #streams = new Map<string, Stream>();
  readonly #byId = new Map<number, Stream>();
  #resubscribed = 0;
  #listenerErrors = 0;

  constructor(
    supervisor: Supervisor,
    requests: Requests,
    { pacer, trust1102 }: { readonly pacer: Pacer; readonly trust1102: boolean },
  ) {
    this.#supervisor = supervisor;
    this.#requests = requests;
    this.#pacer = pacer;
    this.#trust1102 = trust1102;
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
    { genericTicks = '', onError = () => {} }: MarketDataOptions = {},
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
      };
      this.#streams.set(key, stream);
    }
    const listener: Listener = { tick, error: onError };
    stream.listeners.add(listener);
    if (this.#supervisor.state.kind === 'ready') this.#ask(stream);
    const close = (): void => this.#leave(stream, listener);
    return { close, [Symbol.dispose]: close };
  }

  /** A new session, which knows of no stream. */
  began(): void {
    for (const stream of this.#streams.values()) {
      if (stream.state.kind === 'refused') stream.state = { kind: 'unasked' };
      this.#ask(stream);
    }
  }

  ended(): void {
    this.#byId.clear();
    for (const stream of this.#streams.values()) {
      if (stream.state.kind === 'queued') stream.state.abort.abort();
      if (stream.state.kind !== 'refused') stream.state = { kind: 'unasked' };
    }
  }

  /**
   * 1101 says that the gateway has lost all streams, 1102 that it has kept them; which not everybody trusts (IBC's
   * maintainer advises to ask anew after a 1102 as well). One that still waits to be sent is not asked twice.
   */
  restored(dataLost: boolean): void {
    if (!dataLost && this.#trust1102) return;
    for (const stream of this.#streams.values()) {
      if (stream.state.kind !== 'live') continue;
      const { id } = stream.state;
      this.#byId.delete(id);
      if (!dataLost) this.#requests.tell(['cancelMktData', [id]]);
      stream.state = { kind: 'unasked' };
      this.#ask(stream);
    }
  }

  /** Whether it was about a stream of ours. */
  hear(event: string, args: readonly unknown[]): boolean {
    if (event === 'error') {
      const [text, code, id] = args;
      const stream = this.#byId.get(Number(id));
      if (stream === undefined) return false;
      if (!isNotice(Number(code))) this.#refused(stream, Number(code), String(text));
      return true;
    }
    const tick = toTick(event, args);
    const stream = tick === null ? undefined : this.#byId.get(Number(args[0]));
    if (tick === null || stream === undefined) return false;
    for (const listener of stream.listeners) this.#call(() => listener.tick(tick));
    return true;
  }

  #ask(stream: Stream): void {
    if (stream.state.kind !== 'unasked') return;
    const id = this.#requests.nextId();
    const abort = new AbortController();
    const stopWatching = onAbort(this.#requests.sessionSignal, () => abort.abort());
    stream.state = { kind: 'queued', id, abort };
    const { contract, genericTicks } = stream;
    this.#pacer
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
        this.#byId.delete(id);
        stream.state = { kind: 'refused' };
        const failure = requestError(
          0,
          asError(error).message,
          `market data of ${describeContract(contract)}`,
        );
        for (const listener of stream.listeners) this.#call(() => listener.error(failure));
      })
      .finally(stopWatching);
  }

  #refused(stream: Stream, code: number, text: string): void {
    if (stream.state.kind === 'live') this.#byId.delete(stream.state.id);
    stream.state = { kind: 'refused' };
    const error = requestError(code, text, `market data of ${describeContract(stream.contract)}`);
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
        this.#byId.delete(state.id);
        this.#requests.tell(['cancelMktData', [state.id]]);
        return;
      case 'unasked':
      case 'refused':
        return;
    }
  }

  /** What a listener throws must not stop the others: the library would not even go on with its queue. */
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
