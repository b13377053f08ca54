import type { FeedLimits, FeedProtocol } from './protocol.js';
import type { FeedSession, FeedVenue, Heartbeat, SessionOut, Target, VenueLimits } from './venue.js';

export interface FromProtocolOptions {
  /** URL and headers of a dial. */
  target(): Target | Promise<Target>;
  readonly heartbeat: Heartbeat;
  /** Default 1. */
  readonly connections?: number;
  /** Default 1000. */
  readonly topicsPerConnection?: number;
}

/** A venue that is spoken to in a FeedProtocol: text frames, one per request, without state. */
export function fromProtocol(protocol: FeedProtocol, options: FromProtocolOptions): FeedVenue {
  const { limits } = protocol;
  const session: FeedSession = {
    received: (data, out) => receive(protocol, data, out),
    subscribe: (topics, id) => [protocol.subscribe(symbolsOf(topics), id)],
    unsubscribe: (topics, id) => [protocol.unsubscribe(symbolsOf(topics), id)],
  };
  return {
    name: protocol.name,
    confirmation: limits.confirms ? 'reply' : 'none',
    heartbeat: options.heartbeat,
    limits: limitsOf(limits, options),
    ...(protocol.sequence === undefined ? {} : { sequence: protocol.sequence }),
    target: () => options.target(),
    session: () => session,
  };
}

function limitsOf(limits: FeedLimits, options: FromProtocolOptions): VenueLimits {
  return {
    connections: options.connections ?? 1,
    topicsPerConnection: options.topicsPerConnection ?? 1000,
    topicsPerRequest: limits.symbolsPerMessage,
    repeatable: limits.repeatable,
    // Venues count pings as messages.
    budgets: [
      {
        what: 'frames',
        scope: 'connection',
        most: limits.messagesPerSecond,
        windowMs: 1000,
        counts: ['ping'],
      },
    ],
  };
}

function symbolsOf(topics: readonly { readonly symbol: string }[]): string[] {
  return topics.map(({ symbol }) => symbol);
}

function receive(protocol: FeedProtocol, data: string | Uint8Array, out: SessionOut): void {
  if (typeof data !== 'string') {
    // Decoded as text, prices in binary become other prices.
    throw new TypeError(
      `the feed sent a binary frame of ${data.byteLength} bytes, and the protocol '${protocol.name}' reads text only; use a FeedVenue`,
    );
  }
  const message = protocol.parse(data);
  switch (message.kind) {
    case 'tick':
      out.tick(message.symbol, message.data, message);
      return;
    case 'ticks':
      for (const tick of message.ticks) out.tick(tick.symbol, tick.data, tick);
      return;
    case 'done': {
      const { requestId, refused } = message;
      for (const { symbol, reason } of refused)
        out.refused({ requestId, symbols: [symbol], reason, kind: 'unknown' });
      out.done(requestId);
      return;
    }
    case 'failed': {
      const { requestId, symbols = null, reason } = message;
      out.refused({ requestId, symbols, reason, kind: 'unknown' });
      return;
    }
    case 'busy':
      out.slower(message.retryAfterMs, message.requestId);
      return;
    case 'fatal':
      out.failed(message.why, message.reason);
      return;
    case 'other':
      return;
  }
}
