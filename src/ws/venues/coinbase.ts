import type { FeedSession, FeedVenue, SessionOut } from '../venue.js';
import { type AdapterOptions, limitsOf, numberOr, objectOf, textOr } from './adapting.js';

export interface CoinbaseOptions extends AdapterOptions {
  /** Channels that each product is subscribed to, such as 'ticker', 'market_trades', 'level2'. Default: ticker. */
  readonly channels?: readonly string[];
  /** Makes a token for a message. It is asked for each one: tokens are valid for two minutes. Default: none is sent. */
  readonly jwt?: () => string;
}

/** The channel of the data is called otherwise than that of the request. */
const DATA_CHANNELS: Readonly<Record<string, string>> = { l2_data: 'level2' };

/**
 * Coinbase Advanced Trade. Symbols are products ('BTC-USD'), subscribed to all channels of the adapter. A tick's data is
 * `{ channel, type, data }`, where `data` is the part of the event that is of the product.
 *
 * Each message of a connection has a number; where one is missing, data is missing of nobody knows what, and the socket is
 * replaced. The heartbeats channel keeps quiet connections open.
 */
export function coinbase(options: CoinbaseOptions = {}): FeedVenue {
  const { url = 'wss://advanced-trade-ws.coinbase.com', channels = ['ticker'], jwt } = options;
  return {
    name: 'coinbase',
    confirmation: 'state',
    // A heartbeat comes each second.
    heartbeat: options.heartbeat ?? { kind: 'server', silentMs: 5000 },
    sequence: { scope: 'connection', rule: 'increment', mend: 'replace' },
    limits: limitsOf(
      {
        // Coinbase has no figure for products and sockets. A snapshot of a book has megabytes.
        ...{ connections: 8, topicsPerConnection: 200, topicsPerRequest: 50, requestsInFlight: 1 },
        messageBytes: 10 * 2 ** 20,
        // The venue allows 8 a second of each. What we send in a second may arrive in less, so our windows are longer.
        budgets: [
          { what: 'frames', scope: 'pool', most: 8, windowMs: 1500 },
          { what: 'dials', scope: 'pool', most: 8, windowMs: 1500 },
        ],
      },
      options,
    ),
    target: () => ({ url, compression: true }),
    session: () => sessionOf(channels, jwt),
  };
}

function sessionOf(channels: readonly string[], jwt: (() => string) | undefined): FeedSession {
  /** The pool's names of products that come back under another one. */
  const aliases = new Map<string, string>();
  let isReady = false;
  const say = (type: string, channel: string, symbols: readonly string[]): string =>
    JSON.stringify({
      ...{ type, channel },
      ...(symbols.length === 0 ? {} : { product_ids: symbols }),
      ...(jwt === undefined ? {} : { jwt: jwt() }),
    });
  const sayAll = (type: string, topics: readonly { readonly symbol: string }[]): string[] =>
    channels.map((channel) =>
      say(
        type,
        channel,
        topics.map(({ symbol }) => symbol),
      ),
    );
  return {
    // The server disconnects clients that subscribe nothing within 5 s.
    opened: (out) => out.send(say('subscribe', 'heartbeats', [])),
    subscribe: (topics) => sayAll('subscribe', topics),
    unsubscribe: (topics) => sayAll('unsubscribe', topics),
    received(data, out) {
      const message = objectOf(data, 'coinbase');
      const number = numberOr(message.sequence_num, null);
      if (number !== null) out.sequence(number);
      if (message.type === 'error') {
        const reason = textOr(message.message, 'error');
        if (isReady) out.refused({ requestId: null, symbols: null, reason, kind: 'unknown' });
        else out.failed(/auth|jwt|key|credential/i.test(reason) ? 'auth' : 'protocol', reason);
      } else if (message.channel === 'subscriptions') {
        // The reply to the heartbeats is none to a request.
        if (isReady) out.state(productsOf(message, channels, aliases));
        isReady = true;
        out.ready();
      } else if (message.channel === 'heartbeats') out.alive(false);
      else hearData(message, channels, out);
    },
  };
}

/** Products that all channels have. */
function productsOf(
  message: Readonly<Record<string, unknown>>,
  channels: readonly string[],
  aliases: ReadonlyMap<string, string>,
): string[] {
  const [event] = (message.events ?? []) as readonly { readonly subscriptions?: Record<string, string[]> }[];
  const lists = channels.map((channel) => event?.subscriptions?.[channel] ?? []);
  const [first = [], ...others] = lists;
  return first
    .filter((product) => others.every((list) => list.includes(product)))
    .map((product) => aliases.get(product) ?? product);
}

interface DataEvent {
  readonly type?: unknown;
  readonly product_id?: unknown;
  readonly tickers?: readonly unknown[];
  readonly trades?: readonly unknown[];
  readonly candles?: readonly unknown[];
  readonly products?: readonly unknown[];
}

function hearData(
  message: Readonly<Record<string, unknown>>,
  channels: readonly string[],
  out: SessionOut,
): void {
  const name = textOr(message.channel, '');
  const channel = DATA_CHANNELS[name] ?? name;
  if (!channels.includes(channel)) return;
  for (const event of (message.events ?? []) as readonly DataEvent[]) {
    const { type } = event;
    const snapshot = type === 'snapshot';
    if (typeof event.product_id === 'string') {
      out.tick(event.product_id, { channel, type, data: event }, { snapshot });
      continue;
    }
    const parts = event.tickers ?? event.trades ?? event.candles ?? event.products ?? [];
    for (const data of parts as readonly { readonly product_id?: unknown }[]) {
      if (typeof data.product_id === 'string')
        out.tick(data.product_id, { channel, type, data }, { snapshot });
    }
  }
}
