import type { Clock } from '../base/clock.js';
import type { GapReport, LossCause } from './events.js';
import type { Gap, Subscription } from './subscription.js';

/** The gaps of all connections. A symbol's gap is over once it is live again, on whatever connection that is. */
export class GapLog {
  readonly #clock: Clock;
  readonly #tell: (report: GapReport) => void;
  readonly #byConnection = new Map<number, Gap>();

  constructor(clock: Clock, tell: (report: GapReport) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** A connection is lost with these symbols. Those of an earlier gap of it that is not over stay in that gap. */
  open(
    connectionId: number,
    cause: LossCause,
    silentMs: number,
    subscriptions: Iterable<Subscription>,
  ): void {
    const before = this.#byConnection.get(connectionId);
    if (before !== undefined) this.#report(before);
    const fromMs = this.#clock.wallTime() - silentMs;
    const gap: Gap = before ?? { connectionId, cause, fromMs, open: new Set(), closed: [] };
    for (const subscription of subscriptions) {
      if (subscription.gap !== null && subscription.gap !== gap) continue;
      subscription.gap = gap;
      subscription.gapSeq = subscription.lastSeq;
      gap.open.add(subscription);
    }
    if (gap.open.size > 0) this.#byConnection.set(connectionId, gap);
    else this.#byConnection.delete(connectionId);
  }

  /** The symbol is live again, or nobody wants it any more. `assumed`: no tick has come, and none is due for certain. */
  end(subscription: Subscription, how: 'live' | 'assumed' | 'left'): void {
    const { gap } = subscription;
    if (gap === null) return;
    subscription.gap = null;
    gap.open.delete(subscription);
    if (how !== 'left') {
      const { symbol, gapSeq } = subscription;
      gap.closed.push({ symbol, lastSeq: gapSeq, ...(how === 'assumed' ? { assumed: true } : {}) });
    }
    if (gap.open.size > 0) return;
    this.#byConnection.delete(gap.connectionId);
    this.#report(gap);
  }

  #report({ connectionId, cause, fromMs, closed }: Gap): void {
    if (closed.length === 0) return;
    const toMs = this.#clock.wallTime();
    this.#tell({ connectionId, cause, fromMs, toMs, symbols: closed.splice(0) });
  }
}
