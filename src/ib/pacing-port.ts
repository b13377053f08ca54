import type { MessagePort } from 'node:worker_threads';
import { onAbort } from '../base/abort.js';
import { type Clock, systemClock } from '../base/clock.js';
import { asError, ignore, invoke } from '../base/promises.js';
import type { PacingSnapshot } from '../snapshot/broker.js';
import { IbError } from './errors.js';
import type { Paced, Pacer, Sent } from './pacing.js';

/** The messages of a thread to the owner of the pacing. */
type Ask =
  | { readonly kind: 'send'; readonly id: number; readonly message: Paced }
  /** Gave up before its turn. */
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'sent'; readonly id: number }
  | { readonly kind: 'over'; readonly id: number }
  | { readonly kind: 'rest'; readonly what: 'all' | 'history'; readonly forMs: number };

/** It is the turn of that message. */
interface Turn {
  readonly id: number;
  readonly figures: PacingSnapshot | null;
}

interface Shared {
  readonly abort: AbortController;
  /** From its turn on. */
  sent?: () => void;
  /** From when it was sent. */
  over?: () => void;
  isOver?: true;
}

/**
 * Lets a thread at the other end of the port share this pacing, until the port closes; what it had waiting is then
 * forgotten, what it was about to send counts as sent. Does not keep the process alive. Returns the way to stop.
 */
export function sharePacing(pacer: Pacer, port: MessagePort): () => void {
  const messages = new Map<number, Shared>();
  const add = (id: number, message: Paced): void => {
    const abort = new AbortController();
    const one: Shared = { abort };
    messages.set(id, one);
    const transmit = (): Promise<void> =>
      new Promise((resolve) => {
        one.sent = resolve;
        const turn: Turn = { id, figures: pacer.snapshot() };
        port.postMessage(turn);
      });
    pacer.send(message, transmit, abort.signal).then(
      (sent) => {
        one.over = sent.over;
        if (message.kind !== 'history' || one.isOver) {
          sent.over();
          messages.delete(id);
        }
      },
      () => void messages.delete(id),
    );
  };
  const close = (): void => {
    port.off('message', hear).off('close', close);
    for (const one of messages.values()) {
      one.isOver = true;
      one.sent?.();
      one.over?.();
      one.abort.abort();
    }
    messages.clear();
  };
  const hear = (ask: Ask): void => {
    if (ask.kind === 'rest') {
      pacer.backOff?.(ask.what, ask.forMs);
      return;
    }
    const one = messages.get(ask.id);
    switch (ask.kind) {
      case 'send':
        add(ask.id, ask.message);
        return;
      case 'abort':
        one?.abort.abort();
        return;
      case 'sent':
        one?.sent?.();
        return;
      case 'over':
        if (one === undefined) return;
        one.isOver = true;
        one.over?.();
        if (one.over !== undefined) messages.delete(ask.id);
        return;
    }
  };
  port.on('message', hear).on('close', close);
  port.unref();
  return () => {
    close();
    port.close();
  };
}

/**
 * The pacing that another thread owns. Where the port closes, whatever waits is rejected with ERR_IB_CLOSED: without
 * its owner nobody knows what may be sent.
 */
export function remotePacer(port: MessagePort, clock: Clock = systemClock): Pacer & Disposable {
  const waiting = new Map<number, () => void>();
  const rejects = new Map<number, (error: Error) => void>();
  let lastId = 0;
  let figures: PacingSnapshot | null = null;
  let isClosed = false;
  const say = (ask: Ask): void => {
    if (!isClosed) port.postMessage(ask);
  };
  const hear = (turn: Turn): void => {
    figures = turn.figures;
    const take = waiting.get(turn.id);
    waiting.delete(turn.id);
    rejects.delete(turn.id);
    if (take === undefined) {
      // Its abort and its turn have crossed.
      say({ kind: 'sent', id: turn.id });
      say({ kind: 'over', id: turn.id });
    } else take();
    if (waiting.size === 0) port.unref();
  };
  const close = (): void => {
    isClosed = true;
    waiting.clear();
    const error = new IbError('ERR_IB_CLOSED', 'the thread that owns the pacing of this gateway has gone');
    for (const reject of rejects.values()) reject(error);
    rejects.clear();
  };
  port.on('message', hear).on('close', close);
  port.unref();
  return {
    send(message, transmit, signal) {
      const watched = typeof signal === 'function' ? signal() : signal;
      if (watched?.aborted) return Promise.reject(asError(watched.reason));
      if (isClosed) {
        return Promise.reject(new IbError('ERR_IB_CLOSED', 'the pacing of this gateway is closed'));
      }
      return new Promise<Sent>((resolve, reject) => {
        const id = ++lastId;
        const since = clock.now();
        const stopWatching =
          watched === undefined
            ? ignore
            : onAbort(watched, () => {
                waiting.delete(id);
                rejects.delete(id);
                say({ kind: 'abort', id });
                reject(asError(watched.reason));
              });
        waiting.set(id, () => {
          stopWatching();
          const waitedMs = clock.now() - since;
          const over = (): void => say({ kind: 'over', id });
          invoke(async () => transmit()).then(
            () => {
              say({ kind: 'sent', id });
              resolve({ waitedMs, over });
            },
            (error: unknown) => {
              say({ kind: 'sent', id });
              over();
              reject(asError(error));
            },
          );
        });
        rejects.set(id, (error) => {
          stopWatching();
          reject(error);
        });
        // As a timer would: somebody waits for this.
        port.ref();
        say({ kind: 'send', id, message });
      });
    },
    backOff: (what, forMs) => say({ kind: 'rest', what, forMs }),
    snapshot: () => figures,
    [Symbol.dispose]: () => port.close(),
  };
}
