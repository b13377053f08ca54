import { type Seat, topicKey } from './subscription.js';
import type { FeedVenue } from './venue.js';

/** The places of one connection, and how far each of them is. */
export class Seats {
  readonly #venue: Pick<FeedVenue, 'modes' | 'modeChange'>;
  /** By key of the topic. */
  readonly #seats = new Map<string, Seat>();
  #live = 0;
  #peak = 0;

  constructor(venue: Pick<FeedVenue, 'modes' | 'modeChange'>) {
    this.#venue = venue;
  }

  get size(): number {
    return this.#seats.size;
  }

  /** The most there ever were. */
  get peak(): number {
    return this.#peak;
  }

  get liveCount(): number {
    return this.#live;
  }

  get all(): Seat[] {
    return [...this.#seats.values()];
  }

  /** Topics that the server has confirmed. */
  get live(): Seat[] {
    return this.all.filter(({ upstream }) => upstream === 'live');
  }

  /** The symbols that are wanted, at any time: a view, which adapters may keep. */
  get wantedSymbols(): ReadonlySet<string> {
    const wanted = (): Set<string> =>
      new Set(this.all.flatMap((seat) => (seat.wanted ? [seat.subscription.symbol] : [])));
    return liveSet(wanted);
  }

  /** If modes are separate topics: the topic of the symbol that a request waits for. */
  of(symbol: string): Seat | undefined {
    const { modes = [], modeChange } = this.#venue;
    if (modeChange !== 'separate') return this.#seats.get(symbol);
    const seats = modes.flatMap((mode) => this.#seats.get(topicKey(symbol, mode)) ?? []);
    return seats.find(({ request }) => request !== null) ?? seats[0];
  }

  add(seat: Seat): void {
    this.#seats.set(seat.subscription.key, seat);
    this.#peak = Math.max(this.#peak, this.#seats.size);
  }

  delete(seat: Seat): void {
    this.setUpstream(seat, 'none');
    this.#seats.delete(seat.subscription.key);
  }

  setUpstream(seat: Seat, upstream: Seat['upstream']): void {
    if (seat.upstream === 'live') this.#live--;
    if (upstream === 'live') this.#live++;
    seat.upstream = upstream;
  }

  /** The socket is gone: the server knows nothing of it. */
  forgetUpstream(seat: Seat): void {
    this.setUpstream(seat, 'none');
    seat.queued = null;
    seat.request = null;
    seat.renewing = false;
  }
}

/** A set that is read anew each time it is asked. */
function liveSet(read: () => Set<string>): ReadonlySet<string> {
  return new Proxy(new Set<string>(), {
    get(_target, name) {
      const set = read();
      const value: unknown = Reflect.get(set, name, set);
      return typeof value === 'function' ? value.bind(set) : value;
    },
  });
}
