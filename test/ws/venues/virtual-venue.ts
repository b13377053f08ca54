import { VenueMarket } from '../../../src/lab/feed-server/venues/venue-market.js';
import type { VenueWire } from '../../../src/lab/feed-server/venues/venue-wire.js';
import { FeedError } from '../../../src/ws/errors.js';
import type { DialSocket, SocketEnd } from '../../../src/ws/socket.js';
import type { VirtualClock } from '../../helpers/virtual-clock.js';

/** One way, in milliseconds. */
const LATENCY_MS = 5;

/** A venue behind sockets that live on a clock, so that a day passes in a moment. */
export function virtualVenue(
  wire: VenueWire,
  clock: VirtualClock,
): { market: VenueMarket; dial: DialSocket } {
  const market = new VenueMarket(wire, clock);
  const later = (callback: () => void) => void clock.setTimer(callback, LATENCY_MS, { background: true });
  const dial: DialSocket = (target, listener) => {
    const url = new URL(target.url);
    let isOver = false;
    let end: ReturnType<VenueMarket['attach']> | null = null;
    const close = (how: Partial<SocketEnd>): void => {
      if (isOver) return;
      isOver = true;
      end?.detached();
      const error = new FeedError('ERR_FEED_LOST', how.reason ?? 'closed');
      later(() => listener.closed({ error, retryAfterMs: null, ...how }));
    };
    later(() => {
      if (isOver) return;
      const refusal = market.opening(url, target.headers);
      if (refusal !== null) {
        close({ httpStatus: refusal.status });
        return;
      }
      listener.opened();
      end = market.attach(url, {
        send: (frame) => later(() => !isOver && listener.message(frame, frame.length)),
        ping: () =>
          later(() => {
            if (isOver) return;
            listener.control('ping');
            later(() => end?.ponged());
          }),
        close: (code, reason) => close({ code, reason }),
        terminate: () => close({}),
        freeze: () => {},
      });
    });
    const toServer = (act: () => void) => later(() => !isOver && act());
    return {
      send: (frame) => toServer(() => end?.received(typeof frame === 'string' ? frame : Buffer.from(frame))),
      ping: () =>
        toServer(() => {
          end?.pinged();
          later(() => !isOver && listener.control('pong'));
        }),
      close: () => toServer(() => close({ code: 1000, reason: '' })),
      terminate: () => close({}),
    };
  };
  return { market, dial };
}
