import { SlidingLog } from '../base/sliding-log.js';
import type { Budget, VenueLimits } from './venue.js';

interface Kept {
  readonly budget: Budget;
  readonly log: SlidingLog;
}

/** The budgets of a venue that outlive sockets: those of the pool and of each lane. */
export class SharedBudgets {
  readonly #budgets: readonly Budget[];
  readonly #pool: readonly Kept[];
  readonly #lanes = new Map<string, readonly Kept[]>();

  constructor({ budgets }: Pick<VenueLimits, 'budgets'>) {
    this.#budgets = budgets.filter(({ what }) => what !== 'dials');
    this.#pool = this.#ofScope('pool');
  }

  /** The budgets of one socket of a lane: its own, which are new, and those that it shares. */
  forSocket(lane: string): SocketBudgets {
    let ofLane = this.#lanes.get(lane);
    if (ofLane === undefined) {
      ofLane = this.#ofScope('lane');
      this.#lanes.set(lane, ofLane);
    }
    return new SocketBudgets([...this.#pool, ...ofLane, ...this.#ofScope('connection')]);
  }

  #ofScope(scope: Budget['scope']): readonly Kept[] {
    return this.#budgets
      .filter((budget) => budget.scope === scope)
      .map((budget) => ({ budget, log: new SlidingLog(budget.most, budget.windowMs) }));
  }
}

/**
 * How much one socket may send. The windows are strict: a token bucket of "5 a second" lets 9 through in one second, and
 * venues that count strictly cut the connection (nautilus_trader issue 5012).
 */
export class SocketBudgets {
  readonly #kept: readonly Kept[];

  constructor(kept: readonly Kept[]) {
    this.#kept = kept;
  }

  /** When one request of so many frames may go: `now`, or later. */
  roomAt(now: number, frames: number): number {
    let at = now;
    for (const { budget, log } of this.#kept) {
      const weight = budget.what === 'frames' ? frames : 1;
      at = Math.max(at, log.roomAt(now, weight, mostOf(budget)));
    }
    return at;
  }

  /** Frames that a request may have at most; with more it would exceed a budget by itself. */
  get mostFrames(): number {
    const most = this.#kept.map(({ budget }) => (budget.what === 'frames' ? mostOf(budget) : Infinity));
    return Math.min(Number.POSITIVE_INFINITY, ...most);
  }

  /** A request goes now; its frames are noted one by one. */
  noteRequest(now: number): void {
    for (const { budget, log } of this.#kept) if (budget.what === 'requests') log.note(now);
  }

  noteFrame(now: number): void {
    for (const { budget, log } of this.#kept) if (budget.what === 'frames') log.note(now);
  }

  /** A ping or pong frame goes now. */
  noteControl(frame: 'ping' | 'pong', now: number): void {
    for (const { budget, log } of this.#kept) if (budget.counts?.includes(frame)) log.note(now);
  }
}

/** The library answers the server's pings without asking: a frame is kept free for that. */
function mostOf({ counts, most }: Budget): number {
  return counts?.includes('pong') ? Math.max(1, most - 1) : most;
}
