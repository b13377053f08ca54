import type { Hear, Line, Link, Target } from '../../../ib/link.js';

/** How a link of a script behaves where a real one may be slow, or fail. */
export interface LinkManners {
  /** Loads what is needed. */
  onPrepare: () => Promise<void>;
  /** Until nothing is left of a line. */
  onEnd: () => Promise<void>;
  /** The result of `call`: nothing for a message that is sent at once. May throw. */
  onCall: (method: string) => void | Promise<void>;
  /** When what has arrived was heard. */
  onArrived: (callback: () => void) => void;
}

/** One connection attempt, whose gateway is the script. */
export interface ScriptedLink {
  readonly target: Target;
  readonly calls: readonly (readonly [method: string, args: readonly unknown[]])[];
  readonly isClosed: boolean;
  say(event: string, ...args: unknown[]): void;
}

/** A line whose far end is a script. `note` hears all that is done to it. */
export class ScriptedLine implements Line {
  readonly links: ScriptedLink[] = [];
  readonly manners: LinkManners;
  readonly #note: (text: string) => void;

  constructor(note: (text: string) => void, manners: LinkManners) {
    this.#note = note;
    this.manners = manners;
  }

  prepare(): Promise<void> {
    return this.manners.onPrepare();
  }

  open(target: Target, hear: Hear): Link {
    let isClosed = false;
    const calls: (readonly [string, readonly unknown[]])[] = [];
    this.#note(`dials ${target.host}:${target.port} as client ${target.clientId}`);
    this.links.push({
      target,
      calls,
      get isClosed() {
        return isClosed;
      },
      say: (event, ...args) => {
        if (!isClosed) hear(event, args);
      },
    });
    return {
      call: (method, args) => {
        calls.push([method, args]);
        this.#note(`> ${method} ${JSON.stringify(args)}`);
        return this.manners.onCall(method);
      },
      afterArrived: (callback) => this.manners.onArrived(callback),
      close: () => {
        if (!isClosed) this.#note('hangs up');
        isClosed = true;
      },
    };
  }

  async end(): Promise<void> {
    await this.manners.onEnd();
    this.#note('ends');
  }
}
