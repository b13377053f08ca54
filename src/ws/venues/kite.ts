import type { FeedVenue, Outgoing, SessionOut, Topic } from '../venue.js';
import { type AdapterOptions, limitsOf, objectOf, textOr, urlWith } from './adapting.js';
import { readKiteMessage } from './kite-packets.js';

export interface KiteOptions extends AdapterOptions {
  readonly apiKey: string;
  /** The access token of the day. A function is asked at each dial: the token ends each night. */
  readonly accessToken: string | (() => string | Promise<string>);
  /** Takes what is no tick: order postbacks and messages of the broker. Default: they are passed over. */
  readonly onMessage?: (message: Readonly<Record<string, unknown>>) => void;
}

/**
 * Zerodha Kite Connect 3. Symbols are instrument tokens ('408065'); a tick's data is a KiteTick. Modes: ltp, quote, full.
 *
 * The server confirms nothing: a symbol is live with its first tick, and `assumed` after two seconds without one. Its
 * errors name no request; they are told as `serverError`.
 */
export function kite(options: KiteOptions): FeedVenue {
  const { url = 'wss://ws.kite.trade', apiKey, accessToken } = options;
  return {
    name: 'kite',
    confirmation: 'data',
    modes: ['ltp', 'quote', 'full'],
    modeChange: 'message',
    // The server sends a byte every second or so; Kite's own client takes 5 s without any for dead.
    heartbeat: options.heartbeat ?? { kind: 'server', silentMs: 10_000 },
    limits: limitsOf(
      {
        ...{ connections: 3, topicsPerConnection: 3000, topicsPerRequest: 200 },
        // The documentation has no figure; a batch is two frames, so this is two batches a second.
        budgets: [{ what: 'frames', scope: 'connection', most: 4, windowMs: 1000 }],
      },
      options,
    ),
    target: async () => ({
      url: urlWith(url, {
        api_key: apiKey,
        access_token: typeof accessToken === 'string' ? accessToken : await accessToken(),
      }),
      headers: { 'X-Kite-Version': '3' },
    }),
    session: () => ({
      // Subscribed alone, an instrument is in the mode quote.
      subscribe: (topics) => [request('subscribe', tokensOf(topics)), modeOf(topics)],
      unsubscribe: (topics) => [request('unsubscribe', tokensOf(topics))],
      changeMode: (topics) => [modeOf(topics)],
      received(data, out) {
        if (typeof data === 'string') hearText(data, out, options);
        // One byte is the heartbeat.
        else if (data.byteLength < 2) out.alive(false);
        else for (const tick of readKiteMessage(data)) out.tick(String(tick.token), tick);
      },
    }),
  };
}

function tokensOf(topics: readonly Topic[]): number[] {
  return topics.map(({ symbol }) => {
    const token = Number(symbol);
    if (/^\d+$/.test(symbol) && token <= 0xffffffff) return token;
    throw new TypeError(`'${symbol}' is no instrument token of Kite, which is a whole number`);
  });
}

function request(a: string, v: unknown): Outgoing {
  return JSON.stringify({ a, v });
}

function modeOf(topics: readonly Topic[]): Outgoing {
  return request('mode', [topics[0]?.mode ?? 'quote', tokensOf(topics)]);
}

function hearText(text: string, out: SessionOut, { onMessage }: KiteOptions): void {
  const message = objectOf(text, 'kite');
  if (message.type === 'error') {
    out.refused({ requestId: null, symbols: null, reason: textOr(message.data, 'error'), kind: 'later' });
  } else onMessage?.(message);
}
