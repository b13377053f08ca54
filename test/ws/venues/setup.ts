import { afterEach } from 'vitest';
import {
  startVenueServer,
  type VenueServer,
  type VenueServerOptions,
} from '../../../src/lab/feed-server/venues/venue-server.js';
import type { VenueWire } from '../../../src/lab/feed-server/venues/venue-wire.js';
import type { FeedEventName, FeedEvents } from '../../../src/ws/events.js';
import type { SubscriptionPoolOptions } from '../../../src/ws/options.js';
import { SubscriptionPool } from '../../../src/ws/subscription-pool.js';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** A simulated venue on real sockets, until the test ends. */
export async function lab(wire: VenueWire, options: VenueServerOptions = {}): Promise<VenueServer> {
  const server = await startVenueServer(wire, options);
  open.push(server);
  return server;
}

/** A pool with short waits, until the test ends. */
export function poolOf(options: SubscriptionPoolOptions): SubscriptionPool {
  const pool = new SubscriptionPool({
    backoff: { baseMs: 10, capMs: 30 },
    dials: { perSecond: 1000, perMinute: 1000 },
    lingerMs: 5,
    ...options,
  });
  open.push(pool);
  return pool;
}

export function heard<E extends FeedEventName>(pool: SubscriptionPool, event: E): Promise<FeedEvents[E]> {
  return new Promise((resolve) => {
    const stop = pool.on(event, (payload) => {
      stop();
      resolve(payload);
    });
  });
}
