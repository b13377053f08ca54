import type { Clock } from '../../src/base/clock.js';
import { Feed, type FeedRules, type FeedSession } from '../../src/lab/feed-server/feed.js';
import { FeedError } from '../../src/ws/errors.js';
import type { DialSocket, SocketEnd } from '../../src/ws/socket.js';

/** One way, in milliseconds. */
const LATENCY_MS = 5;

export interface VirtualFeed {
  readonly feed: Feed;
  readonly dial: DialSocket;
  /** Nothing answers any dial from now on. */
  unplugged: boolean;
  /** When each dial began. */
  readonly dials: number[];
}

/** The embedded feed behind sockets that live on a clock: same logic as on real ones, and time is the test's. */
export function virtualFeed(clock: Clock, rules: FeedRules = {}): VirtualFeed {
  const feed = new Feed(clock, rules);
  const later = (callback: () => void) => void clock.setTimer(callback, LATENCY_MS);
  const dials: number[] = [];
  const world: VirtualFeed = {
    feed,
    dials,
    unplugged: false,
    dial(_target, listener) {
      dials.push(clock.now());
      let closed = false;
      let frozen = false;
      let session: FeedSession | null = null;
      const end = (error: FeedError, retryAfterMs: number | null = null): void => {
        if (closed) return;
        closed = true;
        session?.detached();
        const told: SocketEnd = { error, retryAfterMs };
        later(() => listener.closed(told));
      };
      const lost = (why: string) => end(new FeedError('ERR_FEED_LOST', why));
      later(() => {
        if (closed || world.unplugged) return;
        const refusal = feed.opening();
        if (refusal !== null) {
          const isAuth = refusal.status === 401 || refusal.status === 403;
          const error = new FeedError(
            isAuth ? 'ERR_FEED_AUTH' : 'ERR_FEED_CONNECT',
            `HTTP ${refusal.status}`,
          );
          end(error, refusal.retryAfter === null ? null : Number(refusal.retryAfter) * 1000);
          return;
        }
        session = feed.attach({
          send: (text) => {
            if (!closed && !frozen) later(() => !closed && listener.message(text, text.length));
          },
          terminate: () => lost('dropped'),
          freeze: () => {
            frozen = true;
          },
        });
        listener.opened();
      });
      const toServer = (act: () => void) => later(() => !closed && !frozen && act());
      return {
        send: (frame) => toServer(() => session?.receive(String(frame))),
        ping: () =>
          toServer(() => {
            session?.pinged();
            later(() => !closed && listener.control('pong'));
          }),
        close: () => toServer(() => lost('goodbye')),
        terminate: () => lost('terminated'),
      };
    },
  };
  return world;
}
