import { type Channel, channel } from 'node:diagnostics_channel';
import { ignore, isPromise } from './promises.js';

/** Takes one payload of an event. */
export type Listener<P> = (payload: P) => void;

export interface ListenOptions {
  /** Call it before the listeners that are there already. Default false. */
  readonly first?: boolean;
}

/** One kind of event: its listeners and, where it has one, its diagnostics channel. */
export class Signal<P> {
  readonly #failed: (error: unknown) => void;
  readonly #channel: Channel | null;
  readonly #sender: object;
  /** Replaced, never modified, so that an emit in progress continues with the listeners it began with. null if none. */
  #listeners: readonly Listener<P>[] | null = null;

  /** `failed` receives what a listener throws. What is published on the channel also has the fields of `sender`. */
  constructor(
    failed: (error: unknown) => void,
    published?: { readonly channel: string; readonly sender: object },
  ) {
    this.#failed = failed;
    this.#channel = published === undefined ? null : channel(published.channel);
    this.#sender = published?.sender ?? {};
  }

  /** Whether anybody listens. Ask first, so that an event nobody wants costs no payload. */
  get active(): boolean {
    return this.#listeners !== null || this.#channel?.hasSubscribers === true;
  }

  /** Adds a listener; returns a function that removes it. A listener that is added twice is called twice. */
  add(listener: Listener<P>, options: ListenOptions = {}): () => void {
    const before = this.#listeners ?? [];
    this.#listeners = options.first ? [listener, ...before] : [...before, listener];
    let isAdded = true;
    return () => {
      if (!isAdded) return;
      isAdded = false;
      const listeners = this.#listeners ?? [];
      const at = options.first ? listeners.indexOf(listener) : listeners.lastIndexOf(listener);
      this.#listeners = listeners.length > 1 ? listeners.toSpliced(at, 1) : null;
    };
  }

  /** Calls all listeners. They watch and cannot interfere: one that fails does not stop the emitting operation. */
  emit(payload: P): void {
    for (const listener of this.#listeners ?? []) {
      try {
        // An async function is assignable to a listener; its rejection would end the process.
        const result: unknown = listener(payload);
        if (isPromise(result)) result.then(undefined, this.#failed);
      } catch (error) {
        this.#failed(error);
      }
    }
    if (this.#channel?.hasSubscribers) this.#channel.publish({ ...this.#sender, ...payload });
  }

  copyTo(other: Signal<P>): void {
    for (const listener of this.#listeners ?? []) other.add(listener);
  }
}

/** The events that every emitter has, beside its own. */
export interface EmitterEvents {
  /** A listener of `event` failed. What a listener of this event throws is dropped. */
  listenerFailed: { event: string; error: unknown };
}

export interface EmitterOptions {
  /** Publishes each event on `node:diagnostics_channel` as `prefix:event`. Default: not published. */
  readonly channels?: {
    readonly prefix: string;
    /** Added to each payload, to tell emitters that share a channel apart. */
    readonly sender: object;
  };
}

/** Typed events of one object. A listener that fails never stops the object, nor the other listeners. */
export class Emitter<E extends EmitterEvents> {
  readonly #signals = new Map<keyof E & string, Signal<never>>();
  readonly #options: EmitterOptions;

  constructor(options: EmitterOptions = {}) {
    this.#options = options;
  }

  /** One event by itself, for a hot path that asks for `active` or emits often. */
  signal<N extends keyof E & string>(event: N): Signal<E[N]> {
    let signal = this.#signals.get(event);
    if (signal === undefined) {
      signal = this.#newSignal(event);
      this.#signals.set(event, signal);
    }
    return signal as unknown as Signal<E[N]>;
  }

  on<N extends keyof E & string>(event: N, listener: Listener<E[N]>, options?: ListenOptions): () => void {
    return this.signal(event).add(listener, options);
  }

  emit<N extends keyof E & string>(event: N, payload: E[N]): void {
    this.signal(event).emit(payload);
  }

  #newSignal(event: keyof E & string): Signal<never> {
    const { channels } = this.#options;
    return new Signal<never>(
      event === 'listenerFailed' ? ignore : (error) => this.emit('listenerFailed', { event, error }),
      channels && { channel: `${channels.prefix}:${event}`, sender: channels.sender },
    );
  }
}
