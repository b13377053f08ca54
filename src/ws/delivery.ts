import type { Emitter } from '../base/emitter.js';
import type { FeedConnection } from './connection.js';
import type { FeedEvents } from './events.js';
import { Mending, type Numbers } from './mending.js';
import { keyOf } from './merge.js';
import type { Moves } from './moves.js';
import type { FeedSettings } from './options.js';
import type { PoolCounts } from './pool-counts.js';
import { judgeSequence } from './sequence.js';
import { Snapshots } from './snapshots.js';
import { type Seat, type SeatConnection, type Subscription, topicKey } from './subscription.js';
import type { Position, Seq, SequenceRule } from './venue.js';

export interface DeliveryContext {
  readonly settings: FeedSettings;
  readonly events: Emitter<FeedEvents>;
  readonly counts: PoolCounts;
  /** By key. */
  readonly subscriptions: ReadonlyMap<string, Subscription>;
}

/** The way of a tick from its connection to its subscribers: whose it is, whether its number follows, and who wants it. */
export class Delivery {
  readonly #context: DeliveryContext;
  readonly #rule: SequenceRule['rule'] | null;
  readonly #isSeparate: boolean;
  readonly #confirmsByData: boolean;
  readonly #mending: Mending;
  readonly #snapshots: Snapshots;
  #messagesHeld = -1;

  constructor(context: DeliveryContext) {
    const { settings, events } = context;
    const { sequence, modeChange, confirmation } = settings.venue;
    this.#context = context;
    this.#rule = sequence?.scope === 'topic' ? sequence.rule : null;
    this.#isSeparate = modeChange === 'separate';
    this.#confirmsByData = confirmation === 'data';
    this.#snapshots = new Snapshots({
      settings,
      deliver: (subscription, data, at, now) =>
        this.accept(subscription, subscription.seat.connection, data, at, now),
      hole: (connection, symbols, detail) => this.#tellHole(connection, symbols, detail),
    });
    this.#mending = new Mending(settings, this.#snapshots, (report) => events.emit('hole', report));
  }

  /** A tick of a connection, for one of its symbols or for none of them. */
  tick(
    moves: Moves,
    connection: FeedConnection,
    symbol: string,
    data: unknown,
    at: Position | undefined,
    now: number,
  ): void {
    const key = this.#isSeparate ? topicKey(symbol, at?.mode ?? '') : symbol;
    const subscription = this.#context.subscriptions.get(key);
    if (subscription === undefined) {
      this.#context.counts.strays++;
      return;
    }
    const { seat, successor } = subscription;
    if (seat.connection === connection) {
      if (this.#confirmsByData && seat.upstream === 'subscribing') connection.ticked(seat);
      this.accept(subscription, connection, data, at, now);
      if (successor !== null) moves.delivered(subscription, data);
    } else if (successor?.connection === connection) {
      if (this.#confirmsByData && successor.upstream === 'subscribing') connection.ticked(successor);
      moves.tick(subscription, data, at, now);
    } else this.#context.counts.strays++;
  }

  /** Checks the number of a tick and gives it to the subscribers, or holds it until a snapshot has come. */
  accept(
    subscription: Subscription,
    connection: SeatConnection,
    data: unknown,
    at: Position | undefined,
    now: number,
  ): void {
    if (subscription.hold !== null) {
      const { messages, messageBytes } = connection as FeedConnection;
      this.#snapshots.hold(
        subscription,
        connection as FeedConnection,
        { data, at, now },
        messages === this.#messagesHeld ? 0 : messageBytes,
      );
      this.#messagesHeld = messages;
      return;
    }
    if (subscription.repeats !== null && isRepeat(subscription, data)) {
      this.#context.counts.duplicates++;
      return;
    }
    if (at !== undefined && !this.#follows(subscription, connection as FeedConnection, data, at, now)) return;
    const seq = at?.seq ?? null;
    subscription.lastSeq = seq;
    if (subscription.subscribers.size === 0) return;
    const told = {
      symbol: subscription.symbol,
      seq,
      data,
      receivedAt: now,
      connectionId: connection.id,
      epoch: connection.epoch,
      mode: at?.mode ?? subscription.seat.mode,
      snapshot: at?.snapshot ?? false,
    };
    subscription.subscribers.tell(told);
  }

  /** These are live, after a loss or for the first time. */
  becameLive(connection: FeedConnection, seats: readonly Seat[]): void {
    if (this.#context.settings.venue.snapshot === undefined) return;
    const own = seats
      .map(({ subscription }) => subscription)
      .filter(({ seat }) => seat.connection === connection);
    this.#snapshots.request(connection, own, 'subscribed');
  }

  /** null: everything on the connection. */
  hole(
    connection: FeedConnection,
    symbols: readonly string[] | null,
    numbers: Numbers | null,
    detail: string | null,
  ): void {
    const known = symbols?.flatMap((symbol) => this.#context.subscriptions.get(symbol) ?? []) ?? null;
    this.#mending.hole(connection, known, numbers, detail);
  }

  /** The connection is lost: what waited for snapshots there waits no more. */
  lost(subscriptions: Iterable<Subscription>): void {
    for (const each of subscriptions) this.#snapshots.forget(each);
  }

  forget(subscription: Subscription): void {
    this.#mending.forget(subscription);
    this.#snapshots.forget(subscription);
  }

  close(): void {
    this.#mending.close();
    this.#snapshots.close();
  }

  #follows(
    subscription: Subscription,
    connection: FeedConnection,
    data: unknown,
    at: Position,
    now: number,
  ): boolean {
    const { seq } = at;
    if (seq === undefined || seq === null) return true;
    const { floor } = subscription;
    if (floor !== null) {
      if (seq <= floor && !at.snapshot) {
        this.#context.counts.duplicates++;
        return false;
      }
      subscription.floor = null;
    }
    if (this.#rule === null) return true;
    const judged = judgeSequence(this.#rule, subscription.guard, at);
    if (judged.kind === 'duplicate') {
      this.#context.counts.duplicates++;
      return false;
    }
    subscription.guard = seq;
    if (judged.kind === 'next') return true;
    this.#mending.hole(connection, [subscription], judged, null);
    if (subscription.hold === null) return true;
    // A snapshot was asked for: this tick waits for it.
    this.#snapshots.hold(subscription, connection, { data, at, now }, 0);
    return false;
  }

  #tellHole(connection: FeedConnection, symbols: readonly string[], detail: string): void {
    const none: Seq | null = null;
    this.#context.events.emit('hole', {
      ...{ connectionId: connection.id, lane: connection.lane, symbols, detail },
      ...{ expected: none, got: none },
    });
  }
}

/** After a move without numbers: what the old connection has delivered comes again, in the same order. */
function isRepeat(subscription: Subscription, data: unknown): boolean {
  const { repeats } = subscription;
  const at = repeats?.indexOf(keyOf(data) ?? '') ?? -1;
  if (repeats === null || at < 0) {
    subscription.repeats = null;
    return false;
  }
  repeats.splice(0, at + 1);
  if (repeats.length === 0) subscription.repeats = null;
  return true;
}
