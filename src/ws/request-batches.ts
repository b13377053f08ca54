import type { Seat } from './subscription.js';
import type { FeedSession, Outgoing, RequestFrames, Topic } from './venue.js';

/** Topics that are asked for, let go, or put into another mode by one request. */
export interface Batch {
  readonly kind: 'subscribe' | 'unsubscribe' | 'mode';
  readonly mode: string;
  readonly from: string;
  readonly seats: readonly Seat[];
  /** Times it was sent without a reply. */
  unanswered: number;
}

export interface FittedBatch {
  readonly fitting: Batch;
  readonly frames: RequestFrames;
  /** Topics beyond the limit of one request. */
  readonly rest: Batch | null;
}

/** The waiting seats, by their next request. */
export class SeatQueues {
  readonly #queues = {
    unsubscribe: new Set<Seat>(),
    mode: new Set<Seat>(),
    subscribe: new Set<Seat>(),
  };

  get size(): number {
    const { unsubscribe, mode, subscribe } = this.#queues;
    return unsubscribe.size + mode.size + subscribe.size;
  }

  move(seat: Seat, to: Seat['queued']): void {
    if (seat.queued !== null) this.#queues[seat.queued].delete(seat);
    seat.queued = to;
    if (to !== null) this.#queues[to].add(seat);
  }

  /** The next request, of at most so many topics of one mode. Unsubscribes first: they make room. */
  next(most: number): Batch {
    const { unsubscribe, mode } = this.#queues;
    const kind = unsubscribe.size > 0 ? 'unsubscribe' : mode.size > 0 ? 'mode' : 'subscribe';
    const queue = this.#queues[kind];
    const [first] = queue;
    const to = first === undefined ? '' : modeFor(kind, first);
    const from = first?.mode ?? '';
    const seats: Seat[] = [];
    for (const seat of queue) {
      if (seats.length >= most) break;
      if (modeFor(kind, seat) !== to || (kind === 'mode' && seat.mode !== from)) continue;
      queue.delete(seat);
      seat.queued = null;
      seats.push(seat);
    }
    return asked({ kind, mode: to, from, seats, unanswered: 0 });
  }
}

function modeFor(kind: Batch['kind'], seat: Seat): string {
  return kind === 'unsubscribe' ? seat.mode : seat.subscription.mode;
}

/** As many topics of a batch as a request of the venue may hold. Throws what the adapter throws. */
export function fitBatch(
  session: FeedSession,
  batch: Batch,
  id: number,
  { requestBytes = Number.POSITIVE_INFINITY, mostFrames = Number.POSITIVE_INFINITY } = {},
): FittedBatch {
  let { seats } = batch;
  for (;;) {
    const topics = seats.map(({ subscription: { symbol } }) => ({ symbol, mode: batch.mode }));
    const counted = session.requestBytes?.(topics);
    const isTooLong = counted !== undefined && counted > requestBytes && seats.length > 1;
    const frames = isTooLong ? [] : framesOf(session, batch, topics, id);
    const bytes = counted ?? Math.max(0, ...(frames ?? []).map(bytesOf));
    const count = frames?.length ?? 0;
    if ((bytes <= requestBytes && count <= mostFrames) || seats.length === 1) {
      const left = batch.seats.slice(seats.length);
      const rest = left.length === 0 ? null : { ...batch, seats: left };
      return { fitting: rest === null ? batch : { ...batch, seats }, frames, rest };
    }
    const byBytes = bytes <= requestBytes ? seats.length : (seats.length * requestBytes) / bytes - 1;
    const byFrames = count <= mostFrames ? seats.length : (seats.length * mostFrames) / count;
    seats = seats.slice(0, Math.max(1, Math.min(Math.floor(byBytes), Math.floor(byFrames))));
  }
}

function framesOf(
  session: FeedSession,
  { kind, from }: Batch,
  topics: readonly Topic[],
  id: number,
): RequestFrames {
  switch (kind) {
    case 'subscribe':
      return session.subscribe(topics, id);
    case 'unsubscribe':
      return session.unsubscribe(topics, id);
    case 'mode':
      return session.changeMode?.(topics, from, id) ?? [];
  }
}

/** Marks the topics of a batch as part of it. */
export function asked(batch: Batch): Batch {
  for (const seat of batch.seats) seat.request = batch;
  return batch;
}

export function halves(batch: Batch): Batch[] {
  const middle = Math.ceil(batch.seats.length / 2);
  return [batch.seats.slice(0, middle), batch.seats.slice(middle)].map((seats) => ({
    ...batch,
    seats,
    unanswered: 0,
  }));
}

function bytesOf(frame: Outgoing): number {
  return typeof frame === 'string' ? Buffer.byteLength(frame) : frame.byteLength;
}
