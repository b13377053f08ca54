import { Signal } from '../base/emitter.js';
import { ignore } from '../base/promises.js';
import type { Pacer } from './pacing.js';
import type { Requests } from './requests.js';
import type { Supervisor } from './supervisor.js';

/** An event of the client library, by its name there, with its arguments; of an error the text instead of the Error. */
export interface RawEvent {
  readonly event: string;
  readonly args: readonly unknown[];
}

/**
 * The client library underneath: for messages that have no method of their own. What is sent here is paced as all else,
 * and is sent once, to the session that is on. Nobody waits for its answer but a listener.
 */
export class RawClient {
  readonly #parts: { readonly supervisor: Supervisor; readonly requests: Requests; readonly pacer: Pacer };
  readonly #events = new Signal<RawEvent>(ignore);

  constructor(parts: {
    readonly supervisor: Supervisor;
    readonly requests: Requests;
    readonly pacer: Pacer;
  }) {
    this.#parts = parts;
  }

  /** An id for a request that no other has. */
  nextId(): number {
    return this.#parts.requests.nextId();
  }

  /**
   * Calls a method of the library's IBApi, as `send('reqPnL', [id, 'DU1', null])`. Resolves when the message was sent;
   * rejects with ERR_IB_CONNECTION_LOST if the session ends before. Place orders by `placeOrder`, which knows what
   * became of them.
   */
  async send(method: string, args: readonly unknown[] = []): Promise<void> {
    const { supervisor, requests, pacer } = this.#parts;
    await requests.session(method);
    await pacer.send({ kind: 'request' }, () => supervisor.call(method, args), requests.sessionSignal);
  }

  /** Tells of everything that the gateway says. Returns the way to stop. */
  on(listener: (event: RawEvent) => void): () => void {
    return this.#events.add(listener);
  }

  hear(event: string, args: readonly unknown[]): void {
    if (this.#events.active) this.#events.emit({ event, args });
  }
}
