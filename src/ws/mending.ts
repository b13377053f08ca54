import type { Timer } from '../base/clock.js';
import type { FeedConnection } from './connection.js';
import type { HoleReport } from './events.js';
import type { FeedSettings } from './options.js';
import type { Snapshots } from './snapshots.js';
import type { Subscription } from './subscription.js';
import type { Seq, SequenceRule } from './venue.js';

const FIRST_MS = 500;
const LONGEST_MS = 8000;
const TRIES = 5;
/** Holes further apart have nothing to do with each other. */
const APART_MS = 60_000;

export interface Numbers {
  readonly expected: Seq;
  readonly got: Seq;
}

/** Reports holes, and mends them as the venue's rule says. */
export class Mending {
  readonly #settings: FeedSettings;
  readonly #snapshots: Snapshots;
  readonly #tell: (report: HoleReport) => void;
  readonly #tries = new Map<Subscription, { count: number; at: number }>();
  readonly #timers = new Map<Subscription, Timer>();

  constructor(settings: FeedSettings, snapshots: Snapshots, tell: (report: HoleReport) => void) {
    this.#settings = settings;
    this.#snapshots = snapshots;
    this.#tell = tell;
  }

  /** null: everything on the connection. */
  hole(
    connection: FeedConnection,
    subscriptions: readonly Subscription[] | null,
    numbers: Numbers | null,
    detail: string | null,
  ): void {
    this.#tell({
      connectionId: connection.id,
      lane: connection.lane,
      symbols: subscriptions?.map(({ symbol }) => symbol) ?? null,
      expected: numbers?.expected ?? null,
      got: numbers?.got ?? null,
      detail,
    });
    switch (this.#mendOf(subscriptions === null)) {
      case 'report':
        return;
      case 'replace':
        connection.replace('hole', detail ?? 'messages of the connection are missing');
        return;
      case 'snapshot':
        this.#snapshots.request(connection, subscriptions ?? subscriptionsOf(connection), 'hole');
        return;
      case 'resubscribe':
        for (const each of subscriptions ?? subscriptionsOf(connection)) this.#resubscribe(each);
        return;
    }
  }

  forget(subscription: Subscription): void {
    this.#tries.delete(subscription);
    this.#timers.get(subscription)?.cancel();
    this.#timers.delete(subscription);
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #mendOf(isWhole: boolean): SequenceRule['mend'] {
    return this.#settings.venue.sequence?.mend ?? (isWhole ? 'replace' : 'resubscribe');
  }

  #resubscribe(subscription: Subscription): void {
    if (this.#timers.has(subscription)) return;
    const { clock } = this.#settings;
    const now = clock.now();
    const before = this.#tries.get(subscription);
    const count = before === undefined || now - before.at > APART_MS ? 0 : before.count;
    // A sixth try does not help after five: the holes are reported, and nothing else happens.
    if (count >= TRIES) return;
    this.#tries.set(subscription, { count: count + 1, at: now });
    const timer = clock.setTimer(
      () => {
        this.#timers.delete(subscription);
        const { seat } = subscription;
        subscription.guard = null;
        seat.connection.renew(seat);
      },
      Math.min(LONGEST_MS, FIRST_MS * 2 ** count),
      { background: true },
    );
    this.#timers.set(subscription, timer);
  }
}

function subscriptionsOf(connection: FeedConnection): Subscription[] {
  return [...connection.seats].flatMap(({ subscription, upstream }) =>
    upstream === 'live' && subscription.seat.connection === connection ? [subscription] : [],
  );
}
