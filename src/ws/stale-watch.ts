import type { Clock, Timer } from '../base/clock.js';

export interface StaleOwner {
  readonly clock: Clock;
  readonly staleAfterMs: number;
  readonly openedAt: number;
  /** When the last tick came; null before the first. */
  readonly tickAt: number | null;
  /** Symbols that the server has confirmed. */
  readonly live: number;
  /**
   * Whether data is due: the market is known to be open or closed; or, where nobody knows, others have data and this
   * connection has not. null where nothing shows it.
   */
  isDataDue(): boolean | null;
  /** Asks the feed for data, and gives how long to wait for it. */
  probe(silentMs: number): number;
  /** Nothing came of the probe, and data is due. */
  replace(): void;
  silent(silentMs: number): void;
}

/** The wait for data doubles with each replacement that brought none, up to so many times. */
const STALE_DOUBLINGS = 5;

/**
 * Finds a connection that acknowledges and answers pings, but sends no data. Silence of the market is no silence of the
 * feed: it counts only while data is due, and only for as long as symbols have been live. Where nothing shows whether
 * data is due, the silence is reported and nothing else happens: feeds that were replaced for their silence alone went
 * through the night in a loop.
 */
export class StaleWatch {
  readonly #owner: StaleOwner;
  readonly #staleInARow: number;
  #timer: Timer | null = null;
  #dueSince: number;
  #liveSince: number;
  #told = 0;

  /** `staleInARow` counts the replacements before this one that brought no data. */
  constructor(owner: StaleOwner, staleInARow: number) {
    this.#owner = owner;
    this.#staleInARow = staleInARow;
    this.#dueSince = owner.clock.now();
    this.#liveSince = this.#dueSince;
    this.#lookLater();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #later(callback: () => void, ms: number): void {
    this.#timer = this.#owner.clock.setTimer(callback, ms, { background: true });
  }

  #lookLater(): void {
    this.#later(() => this.#look(), this.#owner.staleAfterMs / 4);
  }

  #look(): void {
    const { clock, staleAfterMs, openedAt, tickAt, live } = this.#owner;
    const now = clock.now();
    const isDue = this.#owner.isDataDue();
    if (live === 0) this.#liveSince = now;
    if (isDue !== true || live === 0) this.#dueSince = now;
    const lastAt = Math.max(tickAt ?? openedAt, this.#liveSince);
    if (now - lastAt < staleAfterMs) this.#told = 0;
    if (isDue === null) this.#report(now - lastAt);
    const silentMs = now - Math.max(this.#dueSince, tickAt ?? openedAt);
    const mostMs = staleAfterMs * 2 ** Math.min(this.#staleInARow, STALE_DOUBLINGS);
    if (silentMs >= mostMs) this.#probe(silentMs);
    else this.#lookLater();
  }

  #report(silentMs: number): void {
    if (silentMs < this.#owner.staleAfterMs * 2 ** this.#told) return;
    this.#told++;
    this.#owner.silent(silentMs);
  }

  /** Most venues answer a subscribe with the latest tick: if that does not come either, the feed is dead. */
  #probe(silentMs: number): void {
    const before = this.#owner.tickAt;
    const waitMs = this.#owner.probe(silentMs);
    this.#later(() => {
      if (this.#owner.tickAt === before) this.#owner.replace();
      else {
        this.#dueSince = this.#owner.clock.now();
        this.#lookLater();
      }
    }, waitMs);
  }
}
