import type { Hear, Line, Link, Target } from '../../src/ib/link.js';

/** A connection attempt as the test sees it: it plays the gateway. */
export interface FakeLink {
  readonly target: Target;
  readonly calls: (readonly [method: string, ...args: unknown[]])[];
  readonly closed: boolean;
  say(event: string, ...args: unknown[]): void;
  /** All that makes a connection ready. */
  beReady(options?: { accounts?: string; nextOrderId?: number; version?: number }): void;
}

/** A line whose far end is the test. */
export class FakeLine implements Line {
  readonly links: FakeLink[] = [];
  ended = false;
  prepareError: Error | null = null;
  /** What is under way when a link is asked to look again at what has arrived. */
  onArrived: (callback: () => void) => void = (callback) => callback();

  get last(): FakeLink {
    const link = this.links.at(-1);
    if (link === undefined) throw new Error('nothing was dialled');
    return link;
  }

  async prepare(): Promise<void> {
    if (this.prepareError !== null) throw this.prepareError;
  }

  open(target: Target, hear: Hear): Link {
    let closed = false;
    const calls: (readonly [string, ...unknown[]])[] = [];
    const say = (event: string, ...args: unknown[]): void => {
      if (!closed) hear(event, args);
    };
    this.links.push({
      target,
      calls,
      say,
      get closed() {
        return closed;
      },
      beReady({ accounts = 'DU1', nextOrderId = 1, version = 193 } = {}) {
        say('tcp');
        say('connected');
        say('server', version, 'now');
        say('managedAccounts', accounts);
        say('nextValidId', nextOrderId);
      },
    });
    return {
      call: (method, args) => void calls.push([method, ...args]),
      afterArrived: (callback) => this.onArrived(callback),
      close: () => {
        closed = true;
      },
    };
  }

  async end(): Promise<void> {
    this.ended = true;
  }
}
