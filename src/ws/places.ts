import type { FeedConnection } from './connection.js';
import type { FeedSettings } from './options.js';
import { type Placement, placeSymbols } from './placement.js';
import type { PoolCounts } from './pool-counts.js';
import { type AskedTopic, roomForMode } from './topics.js';

/** The places for new topics; nothing has been opened yet. */
export interface PlacePlan {
  readonly lanes: readonly (Placement & { readonly lane: string; readonly topics: readonly AskedTopic[] })[];
  /** Topics without room. */
  readonly without: readonly AskedTopic[];
  /** Connections that have to be opened. */
  readonly opens: number;
}

/** A venue that had no room for a further connection is not asked for one for so long. */
const QUOTA_MS = 15 * 60_000;

/** The connections of a pool, and which topic goes to which of them. */
export class Places {
  readonly connections: FeedConnection[] = [];
  readonly #settings: FeedSettings;
  readonly #counts: PoolCounts;
  readonly #make: (id: number, lane: string) => FeedConnection;
  #made = 0;
  #quota = { most: Number.POSITIVE_INFINITY, until: 0 };

  constructor(
    settings: FeedSettings,
    counts: PoolCounts,
    make: (id: number, lane: string) => FeedConnection,
  ) {
    this.#settings = settings;
    this.#counts = counts;
    this.#make = make;
  }

  plan(topics: readonly AskedTopic[], except: FeedConnection | null = null): PlacePlan {
    const names = [...new Set(topics.map(({ lane }) => lane))];
    let opens = 0;
    const lanes = names.map((lane) => {
      const ofLane = topics.filter((topic) => topic.lane === lane);
      const plan = this.#planLane(ofLane, lane, except, opens);
      opens += plan.opened;
      return { ...plan, lane, topics: ofLane };
    });
    const without = lanes.flatMap((plan) => plan.topics.filter((_, at) => plan.targets[at] === null));
    return { lanes, without, opens };
  }

  /** Opens what a plan needs; gives the connection of each topic, by key. */
  carryOut({ lanes }: PlacePlan): ReadonlyMap<string, FeedConnection> {
    const places = new Map<string, FeedConnection>();
    for (const { lane, opened, targets, topics } of lanes) {
      const fresh = Array.from({ length: opened }, () => this.open(lane));
      const byId = new Map(this.connections.map((each) => [each.id, each]));
      topics.forEach(({ key }, at) => {
        const target = targets[at] ?? null;
        const connection = target === null ? undefined : target < 0 ? fresh[-target - 1] : byId.get(target);
        if (connection !== undefined) places.set(key, connection);
      });
    }
    return places;
  }

  /** Another connection with room for a topic; null if there is none. */
  elsewhere(topic: AskedTopic, except: FeedConnection): FeedConnection | null {
    return this.carryOut(this.plan([topic], except)).get(topic.key) ?? null;
  }

  open(lane: string): FeedConnection {
    const connection = this.#make(++this.#made, lane);
    this.connections.push(connection);
    return connection;
  }

  /** It is closed, and its counts are kept. */
  remove(connection: FeedConnection): void {
    const at = this.connections.indexOf(connection);
    if (at < 0) return;
    this.connections.splice(at, 1);
    const { retired } = this.#counts;
    for (const name of Object.keys(retired) as (keyof typeof retired)[]) retired[name] += connection[name];
  }

  /** The venue has no room for this connection. False if it is the only one: then it has to wait. */
  quotaReached(connection: FeedConnection): boolean {
    const others = this.connections.filter((each) => each !== connection && each.isOpen).length;
    if (others === 0) return false;
    this.#quota = { most: others, until: this.#settings.clock.now() + QUOTA_MS };
    return true;
  }

  forgetQuota(): void {
    this.#quota = { most: Number.POSITIVE_INFINITY, until: 0 };
  }

  #planLane(
    topics: readonly AskedTopic[],
    lane: string,
    except: FeedConnection | null,
    opensElsewhere: number,
  ): Placement {
    const { placement, venue, clock, maxConnections } = this.#settings;
    const isPerLane = venue.limits.connectionsPer === 'lane';
    if (!isPerLane) this.#dropIdle(lane);
    const usable = this.connections.filter(
      (each) => each.takesSymbols && each.lane === lane && each !== except,
    );
    const counted = this.connections.filter((each) => !isPerLane || each.lane === lane);
    const most = this.#quota.until > clock.now() ? this.#quota.most : Number.POSITIVE_INFINITY;
    const mode = topics[0]?.mode ?? '';
    const capacity = this.#capacityFor(mode);
    return placeSymbols(topics.length, {
      strategy: placement,
      capacity,
      maxConnections: Math.min(maxConnections, most),
      connections: usable.map((each) => ({ id: each.id, used: capacity - this.#roomOn(each, mode) })),
      unusable: counted.length - usable.length + (isPerLane ? 0 : opensElsewhere),
    });
  }

  #capacityFor(mode: string): number {
    const { maxSymbolsPerConnection, venue } = this.#settings;
    return venue.limits.topicsPerMode?.[mode]?.alone ?? maxSymbolsPerConnection;
  }

  #roomOn(connection: FeedConnection, mode: string): number {
    const { limits } = this.#settings.venue;
    if (limits.topicsPerMode === undefined) return Math.max(0, connection.capacity - connection.used);
    const counts = new Map<string, number>();
    for (const { subscription } of connection.seats)
      counts.set(subscription.mode, (counts.get(subscription.mode) ?? 0) + 1);
    return roomForMode(limits, counts, mode);
  }

  /** A connection without a socket and without symbols counts for nothing where another lane needs its place. */
  #dropIdle(lane: string): void {
    for (const each of [...this.connections]) {
      if (each.lane !== lane && each.state === 'idle' && each.used === 0) this.remove(each);
    }
  }
}
