import type { Timer } from '../base/clock.js';
import type { FeedSettings } from './options.js';
import { rotateAfterMs } from './rotation.js';
import { StaleWatch } from './stale-watch.js';

/** An open connection, as far as it is watched. */
export interface Watched {
  readonly settings: FeedSettings;
  readonly openedAt: number;
  /** When the last tick came; null before the first. */
  readonly tickAt: number | null;
  readonly live: number;
  isDataDue(): boolean | null;
  probe(silentMs: number): void;
  stale(): void;
  silent(silentMs: number): void;
  /** It has been open for so long that its failures are over. */
  stable(): void;
  /** It is near the age at which the venue ends it. */
  rotate(): void;
}

/** The watches of an open connection: whether it is stable, whether data comes, how old it is. */
export class Watches {
  readonly #watched: Watched;
  #stable: Timer | null = null;
  #age: Timer | null = null;
  #stale: StaleWatch | null = null;
  /** Replacements that brought no data. */
  #staleInARow = 0;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  start({ expiresInMs }: { readonly expiresInMs: number | null }): void {
    const watched = this.#watched;
    const { clock, stableAfterMs, maxAgeMs, random, staleAfterMs, requestTimeoutMs } = watched.settings;
    // Not at the opening: some venues tell only after the login that they have no room for us.
    this.#stable = clock.setTimer(() => watched.stable(), stableAfterMs, { background: true });
    const ageMs = Math.min(maxAgeMs ?? Number.POSITIVE_INFINITY, expiresInMs ?? Number.POSITIVE_INFINITY);
    if (Number.isFinite(ageMs)) {
      const afterMs = rotateAfterMs(ageMs, random);
      this.#age = clock.setTimer(() => watched.rotate(), afterMs, { background: true });
    }
    this.#stale = new StaleWatch(
      {
        clock,
        staleAfterMs,
        openedAt: watched.openedAt,
        get tickAt() {
          return watched.tickAt;
        },
        get live() {
          return watched.live;
        },
        isDataDue: () => watched.isDataDue(),
        probe: (silentMs) => {
          watched.probe(silentMs);
          return requestTimeoutMs;
        },
        replace: () => {
          this.#staleInARow++;
          watched.stale();
        },
        silent: (silentMs) => watched.silent(silentMs),
      },
      this.#staleInARow,
    );
  }

  ticked(): void {
    this.#staleInARow = 0;
  }

  stop(): void {
    this.#stale?.stop();
    this.#stable?.cancel();
    this.#age?.cancel();
  }
}
