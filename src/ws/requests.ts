import { Alarm } from '../base/alarm.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError } from '../base/promises.js';
import { asked, type Batch, type FittedBatch, fitBatch, halves, SeatQueues } from './request-batches.js';
import type { Seat } from './subscription.js';
import type { Confirmation, FeedSession, Outgoing, Refusal, RequestFrames, VenueLimits } from './venue.js';

/** The interface of a socket's requests to its connection. */
export interface RequestOwner {
  readonly clock: Clock;
  readonly limits: VenueLimits;
  readonly confirmation: Confirmation;
  readonly modeChange: 'message' | 'resubscribe' | 'separate';
  readonly requestTimeoutMs: number;
  /** Messages received so far: shows whether the server has said anything since. */
  readonly messages: number;
  /** Topics in one request; less than the venue's limit once the venue has called one too long. */
  readonly topicsPerRequest: number;
  readonly isOpen: boolean;
  nextRequestId(): number;
  /** Frames of one request. */
  readonly mostFrames: number;
  /** When a request of so many frames may go. */
  roomAt(now: number, frames: number): number;
  send(frames: readonly Outgoing[]): void;
  seatOf(symbol: string): Seat | undefined;
  /** Topics that the server has confirmed. */
  liveSeats(): Iterable<Seat>;
  setUpstream(seat: Seat, upstream: Seat['upstream']): void;
  /** It is live, and wanted. `assumed`: nothing has said so. */
  live(seat: Seat, assumed: boolean): void;
  /** These have become live by one message. */
  becameLive(seats: readonly Seat[]): void;
  /** It is unsubscribed, and not wanted. */
  free(seat: Seat): void;
  refuse(seat: Seat, reason: string): void;
  /** The connection is full: the topic goes to another. */
  elsewhere(seat: Seat, reason: string): void;
  unresponsive(): void;
  serverError(message: string): void;
}

interface InFlight {
  readonly id: number;
  readonly batch: Batch;
  /** Topics that have not been settled one by one. */
  readonly pending: Set<Seat>;
  readonly timer: Timer;
  readonly messagesBefore: number;
  /** Replies with the whole state that are due: one for each frame. */
  statesDue: number;
  /** Some of it was refused by name, and the message that did so has not been read to its end. */
  refusedInPart: boolean;
}

/** So many requests in a row without a reply, and without any other message, are the connection's fault. */
const UNANSWERED_IN_A_ROW = 3;
/** A topic that has no reply when asked for alone so many times is taken for refused. */
const UNANSWERED_ALONE = 2;
/** A topic that the server puts off so many times is taken for refused. */
const NOT_LISTED = 'the server does not list it among what is subscribed';
const PUT_OFF_MOST = 5;
const PUT_OFF_MS = 500;
const ASSUME_MS = 2000;

/**
 * The requests of one socket: it moves topics to where the pool wants them, as fast as the budgets allow, and reads
 * from the replies where they are. It ends with its socket; what is wanted lives in the connection.
 *
 * A seat is in one queue, in one request, or at rest. `consider` decides which.
 */
export class Requests {
  readonly #owner: RequestOwner;
  readonly #session: FeedSession;
  readonly #queues = new SeatQueues();
  readonly #again: Batch[] = [];
  readonly #inFlight = new Map<number, InFlight>();
  readonly #timers = new Set<Timer>();
  readonly #wake: Alarm;
  #unansweredInARow = 0;
  /** The server has asked not to be sent anything until then. */
  #busyUntil = Number.NEGATIVE_INFINITY;
  #pumpPending = false;
  #isOver = false;
  #repeated = 0;

  constructor(owner: RequestOwner, session: FeedSession) {
    this.#owner = owner;
    this.#session = session;
    this.#wake = new Alarm(owner.clock, () => this.pump(), { background: false });
  }

  /** Requests sent again. */
  get repeated(): number {
    return this.#repeated;
  }

  // The requested changes

  /** Puts a seat where it belongs, after what is wanted or what is known of it has changed. */
  consider(seat: Seat): void {
    if (this.#isOver || seat.request !== null) return;
    const next = this.#nextOf(seat);
    if (next === seat.queued) return;
    this.#queues.move(seat, next);
    if (next !== null) this.pumpSoon();
  }

  #nextOf(seat: Seat): Seat['queued'] {
    if (seat.upstream === 'none') return seat.wanted ? 'subscribe' : null;
    if (!seat.wanted || seat.renewing) return 'unsubscribe';
    if (this.#owner.modeChange === 'separate' || seat.mode === seat.subscription.mode) return null;
    return this.#owner.modeChange === 'message' ? 'mode' : 'unsubscribe';
  }

  /** Subscribes one again without keeping a book of it: whatever the reply is, it changes nothing. */
  probe({ subscription: { symbol }, mode }: Seat): void {
    this.#owner.send(this.#session.subscribe([{ symbol, mode }], this.#owner.nextRequestId()) ?? []);
  }

  /** Takes a seat out of the queues. */
  leave(seat: Seat): void {
    this.#queues.move(seat, null);
    seat.request = null;
    for (const { pending } of this.#inFlight.values()) pending.delete(seat);
  }

  /** The socket is gone. */
  end(): void {
    this.#isOver = true;
    this.#wake.turnOff();
    for (const { timer } of this.#inFlight.values()) timer.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#inFlight.clear();
  }

  // Sending

  /** Calls that come in one turn of the event loop share their messages. */
  pumpSoon(): void {
    if (this.#pumpPending || !this.#owner.isOpen) return;
    this.#pumpPending = true;
    this.#owner.clock.defer(() => {
      this.#pumpPending = false;
      this.pump();
    });
  }

  /** Sends what there is to send, as fast as is allowed. */
  pump(): void {
    const { clock, limits } = this.#owner;
    const most = this.#waitsForReply ? (limits.requestsInFlight ?? Number.POSITIVE_INFINITY) : Infinity;
    while (this.#owner.isOpen && !this.#isOver && this.#inFlight.size < most) {
      if (this.#again.length + this.#queues.size === 0) return;
      const now = clock.now();
      const at = Math.max(this.#owner.roomAt(now, 1), this.#busyUntil);
      if (at > now) {
        this.#wakeAt(at, now);
        return;
      }
      if (!this.#send(this.#again.shift() ?? this.#queues.next(this.#owner.topicsPerRequest), now)) return;
    }
  }

  #wakeAt(at: number, now: number): void {
    // At least a millisecond: a rounding that is short of the moment must not ring over and over.
    this.#wake.set(Math.max(at, now + 1), now);
  }

  get #waitsForReply(): boolean {
    const { confirmation } = this.#owner;
    return confirmation !== 'data' && confirmation !== 'none';
  }

  /** False if there is no room for all frames of it now: it goes first, later. */
  #send(waiting: Batch, now: number): boolean {
    // Some may have left the connection since the batch was made.
    const batch = { ...waiting, seats: waiting.seats.filter(({ request }) => request === waiting) };
    if (batch.seats.length === 0) return true;
    const id = this.#owner.nextRequestId();
    let fitted: FittedBatch;
    try {
      const { limits, mostFrames } = this.#owner;
      const { requestBytes = Number.POSITIVE_INFINITY } = limits;
      fitted = fitBatch(this.#session, batch, id, { requestBytes, mostFrames });
    } catch (error) {
      this.#cannotSay(batch, asError(error));
      return true;
    }
    const { fitting, frames, rest } = fitted;
    if (rest !== null) this.#again.unshift(asked(rest));
    const at = this.#owner.roomAt(now, frames?.length ?? 0);
    if (at > now) {
      this.#again.unshift(asked(fitting));
      this.#wakeAt(at, now);
      return false;
    }
    this.#sent(fitting, id, frames);
    return true;
  }

  /** The adapter has no words for one of these. */
  #cannotSay(batch: Batch, error: Error): void {
    const [first] = batch.seats;
    if (batch.seats.length > 1) this.#sendAgain(...halves(batch));
    else if (first !== undefined && batch.kind === 'subscribe') {
      first.request = null;
      this.#owner.refuse(first, error.message);
    } else if (first !== undefined) {
      first.request = null;
      this.#owner.serverError(`'${first.subscription.symbol}': ${error.message}`);
    }
  }

  #sent(batch: Batch, id: number, frames: RequestFrames): void {
    const { clock, confirmation, requestTimeoutMs, limits } = this.#owner;
    for (const seat of batch.seats) {
      seat.request = batch;
      if (batch.kind === 'unsubscribe') this.#owner.setUpstream(seat, 'unsubscribing');
      else {
        if (batch.kind === 'subscribe') this.#owner.setUpstream(seat, 'subscribing');
        seat.mode = batch.mode;
      }
    }
    this.#owner.send(frames ?? []);
    const isData = confirmation === 'data' && batch.kind === 'subscribe';
    if (frames?.length === 0 || confirmation === 'none' || (confirmation === 'data' && !isData)) {
      this.#settle(batch.seats, batch.kind, false);
      return;
    }
    const timer = isData
      ? clock.setTimer(() => this.#assume(id), limits.assumeMs ?? ASSUME_MS)
      : clock.setTimer(() => this.#timedOut(id), requestTimeoutMs);
    this.#inFlight.set(id, {
      ...{ id, batch, timer, messagesBefore: this.#owner.messages, pending: new Set(batch.seats) },
      statesDue: frames?.length ?? 1,
      refusedInPart: false,
    });
  }

  // Replies

  /** A message has been read to its end. */
  messageRead(): void {
    for (const found of this.#inFlight.values()) {
      if (!found.refusedInPart) continue;
      found.refusedInPart = false;
      // Nothing said that the rest was carried out. Where a repeat does harm, a reply is waited for.
      if (this.#owner.confirmation !== 'reply' || this.#owner.limits.repeatable === false) continue;
      this.#take(found.id);
      this.#sendAgain({ ...found.batch, seats: [...found.pending], unanswered: 0 });
    }
  }

  done(id: number): void {
    const found = this.#take(id);
    if (found === null) return;
    this.#unansweredInARow = 0;
    this.#settle([...found.pending], found.batch.kind, false);
  }

  confirmed(symbols: readonly string[], subscribed: boolean): void {
    const settled: Seat[] = [];
    for (const symbol of symbols) {
      const seat = this.#owner.seatOf(symbol);
      if (seat === undefined) continue;
      const kind = this.#kindOf(seat);
      if (kind !== null && (kind === 'unsubscribe') !== subscribed) settled.push(seat);
      else if (!subscribed && seat.upstream === 'live' && kind === null) {
        // The server has let it go by itself.
        this.#owner.setUpstream(seat, 'none');
        this.consider(seat);
      }
    }
    this.#settleOneByOne(settled);
  }

  /** A topic that is missing after the last reply to its request is requested once more, and then refused. */
  state(symbols: readonly string[]): void {
    const all = new Set(symbols);
    for (const seat of this.#owner.liveSeats()) {
      if (seat.request !== null || all.has(seat.subscription.symbol)) continue;
      // The server has let it go by itself.
      this.#owner.setUpstream(seat, 'none');
      this.consider(seat);
    }
    const [oldest] = this.#inFlight.values();
    if (oldest === undefined) return;
    const { batch, pending, id } = oldest;
    const wantsThere = batch.kind !== 'unsubscribe';
    this.#settleOneByOne(
      [...pending].filter(({ subscription: { symbol } }) => all.has(symbol) === wantsThere),
    );
    if (--oldest.statesDue > 0 || this.#take(id) === null) return;
    this.#unansweredInARow = 0;
    // This state may have been on its way when the request was sent.
    const again: Seat[] = [];
    for (const seat of pending) {
      if (++seat.unanswered < UNANSWERED_ALONE) again.push(seat);
      else this.#refusedAlone({ ...batch, seats: [seat] }, seat, NOT_LISTED, 'unknown');
    }
    this.#sendAgain({ ...batch, seats: again });
  }

  refused({ requestId, symbols, reason, kind }: Refusal): void {
    const found =
      requestId !== null
        ? this.#inFlight.get(requestId)
        : symbols !== null
          ? this.#holding(symbols)
          : this.#owner.limits.requestsInFlight === 1 && this.#waitsForReply
            ? this.#inFlight.values().next().value
            : undefined;
    if (found === undefined) {
      if (symbols === null) this.#owner.serverError(reason);
      else for (const symbol of symbols) this.#refusedLate(symbol, reason, kind);
      return;
    }
    this.#unansweredInARow = 0;
    if (symbols === null) {
      this.#take(found.id);
      this.#refusedWhole({ ...found.batch, seats: [...found.pending] }, reason, kind);
      this.pumpSoon();
      return;
    }
    for (const symbol of symbols) {
      const seat = [...found.pending].find(({ subscription }) => subscription.symbol === symbol);
      if (seat === undefined) continue;
      found.pending.delete(seat);
      this.#refusedAlone({ ...found.batch, seats: [seat] }, seat, reason, kind);
    }
    if (found.pending.size === 0) this.#take(found.id);
    else found.refusedInPart = true;
    this.pumpSoon();
  }

  slower(retryAfterMs: number, requestId: number | null, now: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, now + retryAfterMs);
    const found =
      requestId !== null
        ? this.#take(requestId)
        : this.#owner.limits.requestsInFlight === 1
          ? this.#takeOldest()
          : null;
    if (found !== null) {
      this.#repeated++;
      this.#again.push(asked({ ...found.batch, seats: [...found.pending] }));
    }
    this.pump();
  }

  /** A tick has come for a topic that waits for its first. */
  ticked(seat: Seat): void {
    if (seat.request !== null && seat.upstream === 'subscribing') this.#settleOneByOne([seat]);
  }

  #kindOf({ upstream, request }: Seat): Batch['kind'] | null {
    if (request === null) return null;
    return upstream === 'unsubscribing' ? 'unsubscribe' : upstream === 'subscribing' ? 'subscribe' : 'mode';
  }

  #holding(symbols: readonly string[]): InFlight | undefined {
    for (const found of this.#inFlight.values()) {
      for (const { subscription } of found.pending) if (symbols.includes(subscription.symbol)) return found;
    }
    return undefined;
  }

  /** A topic that was taken for subscribed. */
  #refusedLate(symbol: string, reason: string, kind: Refusal['kind']): void {
    const seat = this.#owner.seatOf(symbol);
    if (seat === undefined) return;
    if (kind === 'limit') this.#owner.elsewhere(seat, reason);
    else if (kind === 'unknown') this.#owner.refuse(seat, reason);
    else this.#owner.serverError(`'${symbol}': ${reason}`);
  }

  /** The request with the bad topic in it is found by halves. */
  #refusedWhole(batch: Batch, reason: string, kind: Refusal['kind']): void {
    const [first] = batch.seats;
    if (batch.seats.length > 1) this.#sendAgain(...halves(batch));
    else if (first !== undefined) this.#refusedAlone(batch, first, reason, kind);
  }

  #refusedAlone(batch: Batch, seat: Seat, reason: string, kind: Refusal['kind']): void {
    if (batch.kind === 'unsubscribe') {
      // A topic that the server refuses to release is not subscribed there.
      this.#settle([seat], 'unsubscribe', false);
      return;
    }
    if (batch.kind === 'mode') {
      seat.mode = batch.from;
      seat.request = null;
      this.#owner.serverError(`'${seat.subscription.symbol}' stays in its mode: ${reason}`);
      return;
    }
    if (kind === 'limit') {
      seat.request = null;
      this.#owner.elsewhere(seat, reason);
    } else if (kind === 'unknown' || ++seat.unanswered > PUT_OFF_MOST) {
      seat.request = null;
      this.#owner.refuse(seat, reason);
    } else this.#putOff({ ...batch, seats: [seat] }, PUT_OFF_MS * 2 ** (seat.unanswered - 1));
  }

  #putOff(batch: Batch, ms: number): void {
    asked(batch);
    const timer = this.#owner.clock.setTimer(() => {
      this.#timers.delete(timer);
      this.#sendAgain(batch);
    }, ms);
    this.#timers.add(timer);
  }

  #take(id: number): InFlight | null {
    const found = this.#inFlight.get(id);
    if (found === undefined) return null;
    found.timer.cancel();
    this.#inFlight.delete(id);
    return found;
  }

  #takeOldest(): InFlight | null {
    const [oldest] = this.#inFlight.keys();
    return oldest === undefined ? null : this.#take(oldest);
  }

  #settleOneByOne(seats: readonly Seat[]): void {
    if (seats.length === 0) return;
    for (const kind of ['unsubscribe', 'mode', 'subscribe'] as const) {
      const ofKind = seats.filter((seat) => this.#kindOf(seat) === kind);
      if (ofKind.length > 0) this.#settle(ofKind, kind, false);
    }
    for (const found of this.#inFlight.values()) {
      if (found.pending.size > 0) for (const seat of seats) found.pending.delete(seat);
      if (found.pending.size > 0) continue;
      this.#take(found.id);
      this.#unansweredInARow = 0;
    }
    this.pumpSoon();
  }

  /** These were carried out. */
  #settle(seats: readonly Seat[], kind: Batch['kind'], assumed: boolean): void {
    const live: Seat[] = [];
    for (const seat of seats) {
      seat.request = null;
      seat.unanswered = 0;
      if (kind === 'unsubscribe') {
        seat.renewing = false;
        this.#owner.setUpstream(seat, 'none');
        if (seat.wanted) this.consider(seat);
        else this.#owner.free(seat);
        continue;
      }
      if (kind === 'subscribe') {
        this.#owner.setUpstream(seat, 'live');
        if (seat.wanted) {
          live.push(seat);
          this.#owner.live(seat, assumed);
        }
      }
      this.consider(seat);
    }
    if (live.length > 0) this.#owner.becameLive(live);
    this.pumpSoon();
  }

  /** Neither a tick nor a refusal has come: the market may be closed. */
  #assume(id: number): void {
    const found = this.#take(id);
    if (found !== null) this.#settle([...found.pending], found.batch.kind, true);
  }

  /**
   * A request without a reply is sent again, then in halves, until the topic is found that the server chokes on. But if
   * the server says nothing at all, or must not be asked twice, the connection is replaced.
   */
  #timedOut(id: number): void {
    const found = this.#take(id);
    if (found === null) return;
    const batch: Batch = { ...found.batch, seats: [...found.pending] };
    const isQuiet = this.#owner.messages <= found.messagesBefore;
    this.#unansweredInARow = isQuiet ? this.#unansweredInARow + 1 : 1;
    const [first] = batch.seats;
    const single = batch.seats.length === 1 ? first : undefined;
    if (single !== undefined) single.unanswered++;
    const isHopeless = (single?.unanswered ?? 0) >= UNANSWERED_ALONE;
    if (isHopeless && single !== undefined && batch.kind === 'subscribe') {
      // The server may have it all the same, but nothing says so; a new socket would not know either.
      single.request = null;
      this.#owner.refuse(single, `no reply to ${UNANSWERED_ALONE} requests for it alone`);
      this.pumpSoon();
      return;
    }
    const mayRepeat = this.#owner.limits.repeatable ?? true;
    if (isHopeless || !mayRepeat || this.#unansweredInARow >= UNANSWERED_IN_A_ROW) {
      this.#owner.unresponsive();
      return;
    }
    batch.unanswered++;
    this.#repeated++;
    if (batch.unanswered < 2 || single !== undefined) this.#sendAgain(batch);
    else this.#sendAgain(...halves(batch));
  }

  #sendAgain(...batches: readonly Batch[]): void {
    for (const batch of batches) if (batch.seats.length > 0) this.#again.push(asked(batch));
    this.pump();
  }
}
