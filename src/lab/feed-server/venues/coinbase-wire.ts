import {
  NO_RULES,
  type VenueLine,
  type VenueRules,
  type VenueSession,
  type VenueWire,
} from './venue-wire.js';

const RULES: VenueRules = {
  ...NO_RULES,
  ...{ connections: 750, symbols: 10_000, framesTogether: { most: 8, windowMs: 1000 } },
  ...{ dials: { most: 8, windowMs: 1000 }, firstRequestMs: 5000, heartbeatMs: 1000 },
};

/** Coinbase Advanced Trade: one channel a message, the whole state as the reply, a number on every message. */
export function coinbaseWire(
  options: { readonly rules?: Partial<VenueRules>; readonly skips?: (sequence: number) => boolean } = {},
): VenueWire {
  const { rules = {}, skips = () => false } = options;
  return {
    name: 'coinbase',
    rules: { ...RULES, ...rules },
    compresses: true,
    opening: () => null,
    session: (line) => sessionOf(line, skips),
  };
}

function sessionOf(line: VenueLine, skips: (sequence: number) => boolean): VenueSession {
  let sequence = 0;
  let beats = 0;
  const channels = new Map<string, Set<string>>();
  const numbered = (channel: string, events: readonly object[]): string =>
    JSON.stringify({
      ...{ channel, client_id: '', timestamp: new Date(line.wallMs).toISOString(), sequence_num: sequence++ },
      events,
    });
  const state = (): void => {
    const subscriptions: Record<string, string[]> = {};
    for (const [channel, products] of channels) subscriptions[channel] = [...products];
    line.reply(numbered('subscriptions', [{ subscriptions }]));
  };
  const error = (message: string): void => line.reply(JSON.stringify({ type: 'error', message }));
  return {
    received(frame) {
      const {
        type,
        channel,
        product_ids: products = [],
      } = JSON.parse(String(frame)) as {
        type?: string;
        channel?: string;
        product_ids?: string[];
      };
      if ((type !== 'subscribe' && type !== 'unsubscribe') || channel === undefined) {
        error('failure to subscribe');
        return;
      }
      if (line.isChoked(products)) return;
      const own = channels.get(channel) ?? new Set<string>();
      channels.set(channel, own);
      if (channel === 'heartbeats') own.add('heartbeats');
      else if (type === 'subscribe') {
        // One bad product fails the whole request.
        const how = products.map((product) => ({ product, how: line.subscribe(product, '') }));
        const bad = how.find((each) => each.how === 'unknown' || each.how === 'full');
        if (bad !== undefined) {
          for (const each of how) if (each.how === 'new') line.unsubscribe(each.product);
          error(`failure to subscribe: ${bad.product} is not a valid product`);
          return;
        }
        for (const product of products) own.add(product);
      } else {
        for (const product of products) {
          own.delete(product);
          const isLeft = [...channels.values()].every((each) => !each.has(product));
          if (isLeft) line.unsubscribe(product);
        }
      }
      state();
    },
    tick({ symbol, seq, cents, wallMs }) {
      const time = new Date(wallMs).toISOString();
      const price = (cents / 100).toFixed(2);
      for (const [channel, products] of channels) {
        if (!products.has(symbol)) continue;
        // A message that was lost on its way.
        if (skips(sequence)) sequence++;
        if (channel === 'ticker') {
          const ticker = { type: 'ticker', product_id: symbol, price, volume_24_h: String(seq) };
          line.send(numbered('ticker', [{ type: 'update', tickers: [ticker] }]));
        } else if (channel === 'market_trades') {
          const trade = { product_id: symbol, trade_id: String(seq), price, size: '0.01', side: 'BUY', time };
          line.send(numbered('market_trades', [{ type: 'update', trades: [trade] }]));
        } else if (channel === 'level2') {
          const updates = [{ side: 'bid', event_time: time, price_level: price, new_quantity: '1' }];
          line.send(numbered('l2_data', [{ type: 'update', product_id: symbol, updates }]));
        }
      }
    },
    heartbeat() {
      if (!channels.has('heartbeats')) return;
      const current_time = new Date(line.wallMs).toISOString();
      line.send(numbered('heartbeats', [{ current_time, heartbeat_counter: String(++beats) }]));
    },
    tooFast: () => line.close(1008, 'rate limit exceeded'),
  };
}
