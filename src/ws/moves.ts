import type { Timer } from '../base/clock.js';
import type { FeedConnection } from './connection.js';
import type { FeedEvents, MoveCause } from './events.js';
import { Merge } from './merge.js';
import type { FeedSettings } from './options.js';
import { Seat, type SeatConnection, type Subscription } from './subscription.js';
import type { Position } from './venue.js';

/** The interface of moves to their pool. */
export interface MoveHost {
  readonly settings: FeedSettings;
  connections(): readonly FeedConnection[];
  /** A new connection, which is not counted in maxConnections until the one that it replaces is gone. */
  add(lane: string): FeedConnection;
  /** It is empty and closed. */
  remove(connection: FeedConnection): void;
  /** Gives a tick to the subscribers, after its number was checked. */
  deliver(
    subscription: Subscription,
    connection: SeatConnection,
    data: unknown,
    at: Position | undefined,
    now: number,
  ): void;
  duplicate(): void;
  /** The new connection does not take it, and the old one is gone. */
  refused(subscription: Subscription, reason: string): void;
  /** It has left a connection and is wanted by nobody. */
  freed(seat: Seat): void;
  moved(report: FeedEvents['moved']): void;
}

interface Move {
  readonly from: FeedConnection;
  readonly why: MoveCause;
  readonly to: Set<SeatConnection>;
  /** Not handed over yet. */
  readonly left: Map<Subscription, Merge>;
  readonly refused: Map<Subscription, string>;
  readonly total: number;
  gapless: boolean;
  timer: Timer | null;
}

/** How long the new connection may stay without a tick of a topic that it has, before the old one's is given up. */
const HANDOVER_MS = 2000;
const RETRY_MS = 60_000;
const BREAK_MS = 30_000;
/** Compaction leaves room, so that it does not open a connection again a moment later. */
const COMPACT_FILL = 0.7;

/**
 * Moves topics from one connection to another without a gap: they are subscribed on the new one first. A topic is handed
 * over at the first tick that shows that the new connection has caught up with the old one; ticks that both deliver are
 * given on once, by their numbers. One connection of a lane at a time.
 */
export class Moves {
  readonly #host: MoveHost;
  readonly #active = new Map<string, Move | 'breaking'>();
  readonly #waiting: { readonly connection: FeedConnection; readonly why: MoveCause }[] = [];
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(host: MoveHost) {
    this.#host = host;
    const { compactAfterMs } = host.settings;
    if (compactAfterMs !== null) this.#compactEvery(compactAfterMs);
  }

  /** The socket of a connection ends soon. */
  rotate(connection: FeedConnection, why: MoveCause): void {
    if (this.#isOver || connection.retiring) return;
    if (this.#active.has(connection.lane)) {
      if (!this.#waiting.some((each) => each.connection === connection))
        this.#waiting.push({ connection, why });
      return;
    }
    if (!connection.isOpen) return;
    if (connection.used === 0) {
      connection.rest();
      return;
    }
    if (this.#hasRoom(connection.lane)) this.#start(connection, why, null);
    else this.#break(connection, why);
  }

  /** A tick of a topic that is being moved, on its new connection. */
  tick(subscription: Subscription, data: unknown, at: Position | undefined, now: number): void {
    const successor = subscription.successor as Seat;
    const move = this.#moveOf(subscription);
    if (move === null) return;
    const step = move.left.get(subscription)?.next({ data, at, now }, subscription.lastSeq) ?? 'drop';
    if (step === 'hold') return;
    const { lastSeq } = subscription;
    this.#handOver(move, subscription);
    if (step === 'drop') {
      // The new connection is behind: what it repeats is dropped until it has caught up.
      subscription.floor = lastSeq;
      this.#host.duplicate();
    } else this.#host.deliver(subscription, successor.connection, data, at, now);
  }

  /** The old connection has delivered a tick of a topic that is being moved. */
  delivered(subscription: Subscription, data: unknown): void {
    const move = this.#moveOf(subscription);
    if (move?.left.get(subscription)?.delivered(data, subscription.lastSeq))
      this.#handOver(move, subscription);
  }

  /** Topics have become live on a connection. */
  becameLive(connection: SeatConnection): void {
    const move = this.#moveTo(connection);
    if (move === null || move.timer !== null) return;
    for (const { successor } of move.left.keys()) if (successor?.upstream !== 'live') return;
    move.timer = this.#later(() => {
      for (const merge of move.left.values()) merge.forgetStale(this.#host.settings.clock.now());
      this.#finish(move);
    }, HANDOVER_MS);
  }

  /** False if the topic is not one that is being moved to this connection. */
  refused(seat: Seat, reason: string): boolean {
    const { subscription } = seat;
    const move = this.#moveOf(subscription);
    if (move === null || subscription.successor !== seat) return false;
    subscription.successor = null;
    move.left.delete(subscription);
    move.refused.set(subscription, reason);
    if (move.left.size === 0) this.#finish(move);
    else this.becameLive(seat.connection);
    return true;
  }

  /** Nobody wants the topic any more. */
  forget(subscription: Subscription): void {
    const move = this.#moveOf(subscription);
    move?.left.delete(subscription);
    if (move !== null && move.left.size === 0) this.#finish(move);
  }

  /** A connection is lost: what was moving from it goes on on the other. */
  losing(connection: FeedConnection): void {
    const move = this.#active.get(connection.lane);
    if (move === undefined || move === 'breaking' || move.from !== connection) return;
    for (const { successor } of move.left.keys()) if (successor?.upstream !== 'live') move.gapless = false;
    this.#finish(move);
  }

  /** A connection is refused for good: what was moving to it stays where it is. */
  failed(connection: FeedConnection): void {
    const move = this.#moveTo(connection);
    if (move === null) return;
    for (const subscription of move.left.keys()) {
      const { successor } = subscription;
      subscription.successor = null;
      if (successor !== null) successor.connection.release(successor);
    }
    this.#end(move);
    move.from.retiring = false;
    if (connection.used === 0) this.#host.remove(connection);
    this.#later(() => this.rotate(move.from, move.why), RETRY_MS);
  }

  close(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
  }

  #hasRoom(lane: string): boolean {
    const { connectionQuota, venue } = this.#host.settings;
    const isPerLane = venue.limits.connectionsPer === 'lane';
    const used = this.#host
      .connections()
      .filter((each) => each.hasSocket && (!isPerLane || each.lane === lane)).length;
    return used < connectionQuota;
  }

  /** `room` places topics on connections that are there; null opens one for all of them. */
  #start(from: FeedConnection, why: MoveCause, room: readonly FeedConnection[] | null): void {
    const seats = [...from.seats].filter(
      ({ wanted, subscription }) => wanted && subscription.seat.connection === from,
    );
    from.retiring = true;
    const targets = room ?? [this.#host.add(from.lane)];
    if (room === null) for (const target of targets) target.replaces();
    const move: Move = {
      ...{ from, why, to: new Set<SeatConnection>(), left: new Map<Subscription, Merge>() },
      ...{ refused: new Map<Subscription, string>(), total: seats.length, gapless: true, timer: null },
    };
    this.#active.set(from.lane, move);
    let at = 0;
    for (const { subscription } of seats) {
      while ((targets[at]?.used ?? 0) >= (targets[at]?.capacity ?? 0) && at < targets.length - 1) at++;
      const target = targets[at] as FeedConnection;
      const seat = new Seat(subscription, target);
      subscription.successor = seat;
      move.left.set(subscription, new Merge());
      move.to.add(target);
      target.add(seat);
    }
    if (seats.length === 0) this.#finish(move);
  }

  #break(connection: FeedConnection, why: MoveCause): void {
    const { lane, id, used } = connection;
    this.#active.set(lane, 'breaking');
    connection.recycle();
    this.#host.moved({ why, from: id, to: [id], symbols: used, gapless: false });
    this.#later(() => this.#next(lane), BREAK_MS);
  }

  #handOver(move: Move, subscription: Subscription): void {
    const { seat: old, successor } = subscription;
    if (successor === null) return;
    const { held = [], repeats = [] } = move.left.get(subscription) ?? {};
    move.left.delete(subscription);
    if (repeats.length > 0) subscription.repeats = repeats;
    subscription.seat = successor;
    subscription.successor = null;
    if (move.why === 'compaction') {
      old.kept = false;
      old.connection.reconsider(old);
    } else old.connection.release(old);
    for (const { data, at, now } of held) {
      const isOld = at?.seq != null && subscription.lastSeq !== null && at.seq <= subscription.lastSeq;
      if (isOld) this.#host.duplicate();
      else this.#host.deliver(subscription, successor.connection, data, at, now);
    }
    if (move.left.size === 0) this.#finish(move);
  }

  #finish(move: Move): void {
    if (this.#active.get(move.from.lane) !== move) return;
    const { from, why, to, total, gapless } = move;
    // First, since each hand-over would come back here.
    this.#end(move);
    for (const subscription of [...move.left.keys()]) this.#handOver(move, subscription);
    for (const [subscription, reason] of move.refused) this.#host.refused(subscription, reason);
    void this.#empty(move).finally(() => {
      this.#host.remove(from);
      this.#host.moved({ why, from: from.id, to: [...to].map(({ id }) => id), symbols: total, gapless });
      this.#next(from.lane);
    });
  }

  /** In a compaction the server still has what was unsubscribed: the socket is closed, and that is over too. */
  async #empty({ from }: Move): Promise<void> {
    for (const seat of [...from.seats]) {
      from.release(seat);
      this.#host.freed(seat);
    }
    await from.close();
  }

  #end(move: Move): void {
    move.timer?.cancel();
    this.#active.delete(move.from.lane);
  }

  #next(lane: string): void {
    if (this.#active.get(lane) === 'breaking') this.#active.delete(lane);
    const at = this.#waiting.findIndex(({ connection }) => connection.lane === lane);
    const [next] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (next !== undefined) this.rotate(next.connection, next.why);
  }

  #moveOf({ lane }: Subscription): Move | null {
    const move = this.#active.get(lane);
    return move === undefined || move === 'breaking' ? null : move;
  }

  #moveTo(connection: SeatConnection): Move | null {
    const move = this.#active.get(connection.lane);
    return move === undefined || move === 'breaking' || !move.to.has(connection) ? null : move;
  }

  // Compaction

  #compactEvery(ms: number): void {
    this.#later(() => {
      this.#compact();
      this.#compactEvery(ms);
    }, ms);
  }

  /** The emptiest connection of a lane is given up where the others have room for its topics, and some to spare. */
  #compact(): void {
    const lanes = new Set(this.#host.connections().map(({ lane }) => lane));
    for (const lane of lanes) {
      const used = this.#host.connections().filter((each) => each.lane === lane && each.used > 0);
      if (this.#active.has(lane) || used.length < 2 || used.some(({ isOpen }) => !isOpen)) continue;
      const [emptiest, ...others] = used.toSorted((a, b) => a.used - b.used || b.id - a.id);
      if (emptiest === undefined) continue;
      const room = others.reduce((sum, { capacity }) => sum + capacity, 0);
      const needed = used.reduce((sum, each) => sum + each.used, 0);
      if (needed > room * COMPACT_FILL) continue;
      this.#start(
        emptiest,
        'compaction',
        others.toSorted((a, b) => a.id - b.id),
      );
    }
  }

  #later(callback: () => void, ms: number): Timer {
    const { clock } = this.#host.settings;
    const timer = clock.setTimer(
      () => {
        this.#timers.delete(timer);
        callback();
      },
      ms,
      { background: true },
    );
    this.#timers.add(timer);
    return timer;
  }
}
