import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../base/clock.js';
import { asError } from '../base/promises.js';
import { type Hear, type LibraryClass, loadLibrary, openApi, type Target } from './api-engine.js';
import type { Order, Report } from './api-thread.js';
import { IbError } from './errors.js';

export type { Hear, Target } from './api-engine.js';

/** One connection attempt, and the connection that comes of it. */
export interface Link {
  /** Sends a message; where that is done on another thread, the promise says when. */
  call(method: string, args: readonly unknown[]): void | Promise<void>;
  /** Calls back when all that has arrived by now was heard: later, if the thread that listens is blocked. */
  afterArrived(callback: () => void): void;
  /** Nothing is heard after that. */
  close(): void;
}

/** The place where connections are made, and live: this thread or another. */
export interface Line {
  /** Loads what is needed. Rejects with ERR_IB_PACKAGE where it is not installed. */
  prepare(): Promise<void>;
  /** One at a time: the one before it must be closed. */
  open(target: Target, hear: Hear): Link;
  /** Resolves when nothing of it is left. */
  end(): Promise<void>;
}

/** `127.0.0.1:7497`, `[::1]:7497`. */
export function placeOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Connections in this very thread. */
export function localLine(clock: Clock = systemClock): Line {
  let library: LibraryClass | null = null;
  const open = new Set<Promise<void>>();
  return {
    async prepare() {
      library ??= await loadLibrary().catch(packageMissing);
    },
    open(target, hear) {
      if (library === null) throw new TypeError('open() comes after prepare()');
      const api = openApi(library, target, hear);
      open.add(api.closed);
      void api.closed.then(() => open.delete(api.closed));
      return {
        call: api.call,
        // Two turns, so that the sockets have been looked at in between.
        afterArrived: (callback) => clock.defer(() => clock.defer(callback)),
        close: api.close,
      };
    },
    async end() {
      await Promise.all(open);
    },
  };
}

/**
 * Connections on a thread of their own, so that long messages are decoded beside everything else. Starting it takes
 * half a second, nearly all of it to load the library, so it is kept from one attempt to the next. A thread that crashed
 * is a connection that broke: the next attempt starts another.
 */
export function threadLine(): Line {
  return new ThreadLine();
}

interface OpenLink {
  readonly id: number;
  readonly hear: Hear;
  /** Calls that are not done. */
  readonly calls: Map<number, () => void>;
}

class ThreadLine implements Line {
  #worker: Worker | null = null;
  #isLoading = false;
  #loaded: Promise<void> | null = null;
  #exited: Promise<void> = Promise.resolve();
  #link: OpenLink | null = null;
  #lastId = 0;
  readonly #turns = new Map<number, () => void>();

  prepare(): Promise<void> {
    this.#loaded ??= this.#start();
    return this.#loaded;
  }

  open(target: Target, hear: Hear): Link {
    const link: OpenLink = { id: ++this.#lastId, hear, calls: new Map() };
    this.#link = link;
    this.#say({ kind: 'open', link: link.id, target });
    return {
      call: (method, args) =>
        new Promise((resolve) => {
          if (this.#worker === null || this.#link !== link) {
            resolve();
            return;
          }
          const id = ++this.#lastId;
          link.calls.set(id, resolve);
          this.#say({ kind: 'call', link: link.id, id, method, args });
        }),
      afterArrived: (callback) => {
        const id = ++this.#lastId;
        this.#turns.set(id, callback);
        this.#say({ kind: 'turn', id });
      },
      close: () => {
        if (this.#link !== link) return;
        this.#link = null;
        this.#say({ kind: 'close', link: link.id });
        for (const done of link.calls.values()) done();
      },
    };
  }

  async end(): Promise<void> {
    // A thread that still loads the library has nothing to close, and would look at a message only after that.
    if (this.#isLoading) await this.#worker?.terminate();
    else this.#say({ kind: 'end' });
    await this.#exited;
  }

  #say(order: Order): void {
    this.#worker?.postMessage(order);
  }

  #start(): Promise<void> {
    const worker = new Worker(new URL('./api-thread.js', import.meta.url), {
      // The parent's flags are not for it: `--input-type` even keeps a thread from starting.
      execArgv: [],
    });
    this.#worker = worker;
    this.#isLoading = true;
    let crash: Error | null = null;
    worker.on('error', (error) => {
      crash = asError(error);
    });
    return new Promise((resolve, reject) => {
      worker.on('message', (report: Report) => {
        this.#isLoading = false;
        if (report.kind === 'loaded') resolve();
        else if (report.kind === 'missing') reject(packageError(report.text));
        else this.#hear(report);
      });
      this.#exited = new Promise((exited) => {
        worker.on('exit', (code) => {
          const why = crash === null ? `exit code ${code}` : `'${crash.message}'`;
          const text = `the thread of the connection ended with ${why}`;
          reject(new IbError('ERR_IB_CONNECT', text, crash === null ? {} : { cause: crash }));
          this.#ended(text);
          exited();
        });
      });
    });
  }

  #hear(report: Report): void {
    switch (report.kind) {
      case 'events':
        for (const [event, args] of report.events) {
          // One of them may have closed it.
          if (this.#link?.id === report.link) this.#link.hear(event, args);
        }
        return;
      case 'done':
        if (this.#link?.id !== report.link) return;
        this.#link.calls.get(report.id)?.();
        this.#link.calls.delete(report.id);
        return;
      case 'turn': {
        const callback = this.#turns.get(report.id);
        this.#turns.delete(report.id);
        callback?.();
        return;
      }
      case 'loaded':
      case 'missing':
        return;
    }
  }

  #ended(text: string): void {
    const link = this.#link;
    this.#worker = null;
    this.#isLoading = false;
    this.#loaded = null;
    this.#link = null;
    this.#turns.clear();
    for (const done of link?.calls.values() ?? []) done();
    link?.hear('broken', [text, false]);
  }
}

function packageMissing(error: unknown): never {
  throw packageError(asError(error).message, error);
}

function packageError(text: string, cause?: unknown): IbError {
  return new IbError('ERR_IB_PACKAGE', text, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'npm install @stoqey/ib@1.6.10',
  });
}
