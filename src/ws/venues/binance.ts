import type { FeedVenue, SessionOut, SnapshotRequest, Verdict } from '../venue.js';
import { type AdapterOptions, limitsOf, numberOr, objectOf, textOr } from './adapting.js';

export interface BinanceOptions extends AdapterOptions {
  /**
   * Fetches the order book of a depth stream, by REST (`/api/v3/depth`). With it, depth updates are held until the
   * snapshot has come, and a hole fetches another. Without it, a hole is reported and nothing else.
   */
  readonly snapshot?: (
    stream: string,
    signal: AbortSignal,
  ) => Promise<{ readonly lastUpdateId: number; readonly data: unknown }>;
}

/** The ban for sending too fast lasts about two minutes. */
// biome-ignore lint/suspicious/noThenProperty: a verdict is never awaited
const BANNED: Verdict = { then: 'wait', ms: 120_000 };

/**
 * Binance's market data streams, spot (combined streams). Symbols are stream names in lower case, such as 'btcusdt@trade';
 * a tick's data is the event. Depth updates have their range of numbers checked, and trades theirs.
 *
 * An unknown stream is confirmed and stays silent, since Binance says nothing of it.
 */
export function binance(options: BinanceOptions = {}): FeedVenue {
  const { url = 'wss://stream.binance.com:9443/stream', snapshot } = options;
  return {
    name: 'binance',
    confirmation: 'reply',
    // The server pings every 20 s, and ends us if it has no pong within a minute.
    heartbeat: options.heartbeat ?? { kind: 'server', silentMs: 60_000 },
    sequence: { scope: 'topic', rule: 'range', mend: snapshot === undefined ? 'report' : 'snapshot' },
    limits: limitsOf(
      {
        ...{ connections: 5, topicsPerConnection: 1024, topicsPerRequest: 200, maxAgeMs: 24 * 3_600_000 },
        // The venue allows 5 a second. What we send in a second may arrive in less, so our window is longer.
        budgets: [
          { what: 'frames', scope: 'connection', most: 5, windowMs: 1250, counts: ['ping', 'pong'] },
          { what: 'dials', scope: 'pool', most: 300, windowMs: 300_000 },
        ],
      },
      options,
    ),
    target: () => ({ url }),
    session: () => ({
      subscribe: (topics, id) => [request('SUBSCRIBE', topics, id)],
      unsubscribe: (topics, id) => [request('UNSUBSCRIBE', topics, id)],
      received: (data, out) => hear(objectOf(data, 'binance'), out),
    }),
    ...(snapshot === undefined ? {} : { snapshot: (asked) => fetchBooks(asked, snapshot) }),
    judge: ({ code, reason }) => (code === 1008 && /request/i.test(reason) ? BANNED : null),
  };
}

function request(method: string, topics: readonly { readonly symbol: string }[], id: number): string {
  return JSON.stringify({ method, params: topics.map(({ symbol }) => symbol), id });
}

function hear(message: Readonly<Record<string, unknown>>, out: SessionOut): void {
  const data = message.data as Readonly<Record<string, unknown>> | undefined;
  if (message.stream === '!serverShutdown' || (data ?? message).e === 'serverShutdown') out.leaving(null);
  else if (typeof message.stream === 'string' && typeof data === 'object' && data !== null) {
    out.tick(message.stream, data, positionOf(data));
  } else if (message.code !== undefined || message.error !== undefined) {
    const error = (message.error ?? message) as { readonly code?: unknown; readonly msg?: unknown };
    out.refused({
      requestId: numberOr(message.id, null),
      symbols: null,
      reason: `${textOr(error.msg, 'refused')} (code ${String(error.code)})`,
      kind: 'unknown',
    });
  } else if (typeof message.id === 'number') out.done(message.id);
}

/** A depth update covers the numbers U to u. Others have a number only, or none: they are passed on unchecked. */
function positionOf({ e, U, u, t, a }: Readonly<Record<string, unknown>>) {
  if (typeof u === 'number') return typeof U === 'number' ? { from: U, seq: u } : { seq: u };
  const seq = e === 'trade' ? t : e === 'aggTrade' ? a : undefined;
  return typeof seq === 'number' ? { from: seq, seq } : undefined;
}

const IS_DEPTH = /@depth(@|$)/;

async function fetchBooks(
  { symbols, signal, deliver }: SnapshotRequest,
  snapshot: NonNullable<BinanceOptions['snapshot']>,
): Promise<void> {
  for (const stream of symbols.filter((symbol) => IS_DEPTH.test(symbol))) {
    const { lastUpdateId, data } = await snapshot(stream, signal);
    if (signal.aborted) return;
    deliver(stream, data, lastUpdateId);
  }
}
