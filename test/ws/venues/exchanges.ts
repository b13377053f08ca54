import type { SessionOut } from '../../../src/ws/venue.js';
import { base, json, limits, type OtherVenue, read, symbolsOf } from './others.js';

/** One reply by id; a refusal names the symbol only in its text; order books have ranges; a ping is a channel. */
const gate: OtherVenue = {
  symbols: ['BTC_USDT', 'NO_PE', 'ETH_USDT'],
  refuses: 'NO_PE',
  first: { s: 'BTC_USDT', U: 1, u: 3 },
  venue: (url) => {
    const say = (event: string, payload: readonly string[], id: number) =>
      json({ time: 1, id, channel: 'spot.order_book_update', event, payload });
    return {
      ...base,
      name: 'gate',
      confirmation: 'reply',
      sequence: { scope: 'topic', rule: 'range', mend: 'resubscribe' },
      heartbeat: {
        ...{ kind: 'message', everyMs: 10_000, answerMs: 5000, whenSilent: true },
        make: () => json({ time: 1, channel: 'spot.ping' }),
      },
      target: () => ({ url }),
      session: () => ({
        subscribe: (topics, id) => [say('subscribe', symbolsOf(topics), id)],
        unsubscribe: (topics, id) => [say('unsubscribe', symbolsOf(topics), id)],
        received(data, out) {
          const { channel, event, id, error, result } = read(data);
          if (channel === 'spot.pong') out.alive(true);
          else if (event === 'update') out.tick(result.s, result, { from: result.U, seq: result.u });
          else if (error) {
            const [, symbol] = /pair: (\S+)/.exec(error.message) ?? [];
            const symbols = symbol === undefined ? null : [symbol];
            out.refused({ requestId: id, symbols, reason: error.message, kind: 'unknown' });
          } else out.done(id);
        },
      }),
    };
  },
  script: {
    received(socket, data) {
      const { id, event, payload } = read(data);
      const channel = 'spot.order_book_update';
      if ((payload as string[]).includes('NO_PE')) {
        const error = { code: 2, message: 'unknown currency pair: NO_PE' };
        socket.send(json({ id, channel, event, error, result: null }));
        return;
      }
      socket.send(json({ id, channel, event, error: null, result: { status: 'success' } }));
      socket.send(json({ channel, event: 'update', result: { s: 'BTC_USDT', U: 1, u: 3 } }));
    },
  },
};

/** A welcome before anything is taken, an echo for each topic, errors that quote the request, a text ping. */
const bitmex: OtherVenue = {
  symbols: ['trade:XBTUSD', 'trade:NOPE', 'trade:ETHUSD'],
  refuses: 'trade:NOPE',
  first: { symbol: 'XBTUSD', price: 5 },
  venue: (url) => ({
    ...base,
    name: 'bitmex',
    confirmation: 'topic',
    heartbeat: { kind: 'message', everyMs: 5000, answerMs: 5000, whenSilent: true, make: () => 'ping' },
    target: () => ({ url }),
    session: () => ({
      opened: () => {},
      subscribe: (topics) => [json({ op: 'subscribe', args: symbolsOf(topics) })],
      unsubscribe: (topics) => [json({ op: 'unsubscribe', args: symbolsOf(topics) })],
      received(data, out) {
        if (data === 'pong') {
          out.alive(true);
          return;
        }
        const { info, subscribe, unsubscribe, error, request, table, action, data: rows } = read(data);
        if (info !== undefined) out.ready();
        else if (subscribe !== undefined) out.confirmed([subscribe], true);
        else if (unsubscribe !== undefined) out.confirmed([unsubscribe], false);
        else if (error !== undefined) {
          const named = (request.args as string[]).filter((each) => error.includes(each));
          out.refused({ requestId: null, symbols: named, reason: error, kind: 'unknown' });
        } else
          for (const row of rows) out.tick(`${table}:${row.symbol}`, row, { snapshot: action === 'partial' });
      },
    }),
  }),
  script: {
    opened: (socket) => void setTimeout(() => socket.send(json({ info: 'Welcome' })), 20),
    received(socket, data) {
      if (data === 'ping') return void socket.send('pong');
      const request = read(data);
      for (const arg of request.args as string[]) {
        socket.send(
          arg.endsWith('NOPE')
            ? json({ status: 400, error: `Unknown or expired symbol: ${arg}.`, meta: {}, request })
            : json({ success: true, [request.op]: arg, request }),
        );
      }
      socket.send(json({ table: 'trade', action: 'partial', data: [{ symbol: 'XBTUSD', price: 5 }] }));
    },
  },
};

/** The server's heartbeat has an id that must come back, or it ends the connection. */
const cryptoCom: OtherVenue = {
  symbols: ['ticker.A', 'ticker.B'],
  first: { k: 5 },
  venue: (url) => ({
    ...base,
    name: 'crypto.com',
    confirmation: 'reply',
    heartbeat: { kind: 'server', silentMs: 35_000 },
    target: () => ({ url }),
    session: () => {
      const say = (method: string) => (topics: readonly { readonly symbol: string }[], id: number) => [
        json({ id, method, params: { channels: symbolsOf(topics) }, nonce: 1 }),
      ];
      return {
        subscribe: say('subscribe'),
        unsubscribe: say('unsubscribe'),
        received(data, out) {
          const { id, method, code, message, result, channel } = read(data);
          if (method === 'public/heartbeat') {
            out.alive(false);
            out.send(json({ id, method: 'public/respond-heartbeat' }));
          } else if (code !== 0) {
            const symbols = channel === undefined ? null : [channel];
            out.refused({ requestId: id, symbols, reason: message, kind: 'unknown' });
          } else if (result !== undefined) for (const row of result.data) out.tick(result.subscription, row);
          else out.done(id);
        },
      };
    },
  }),
  script: {
    opened: (socket) => socket.send(json({ id: 1_587_523_073_344, method: 'public/heartbeat', code: 0 })),
    received(socket, data) {
      const { id, method, params } = read(data);
      if (method === 'public/respond-heartbeat') return;
      socket.send(json({ id, method, code: 0 }));
      const result = { subscription: params.channels[0], channel: 'ticker', data: [{ k: 5 }] };
      if (method === 'subscribe') socket.send(json({ id: -1, method, code: 0, result }));
    },
  },
};

/** The first message says how long a client may be silent. Events carry JSON within JSON. */
const pusher: OtherVenue = {
  symbols: ['trades_a', 'trades_b'],
  first: { price: 5 },
  venue: (url) => ({
    ...base,
    name: 'pusher',
    confirmation: 'topic',
    target: () => ({ url: `${url}app/key?protocol=7` }),
    session: () => {
      const say = (event: string) => (topics: readonly { readonly symbol: string }[]) =>
        symbolsOf(topics).map((channel) => json({ event, data: { channel } }));
      const unsubscribe = say('pusher:unsubscribe');
      let out: SessionOut;
      return {
        opened(given) {
          out = given;
        },
        subscribe: say('pusher:subscribe'),
        // Nothing answers it.
        unsubscribe(topics) {
          for (const frame of unsubscribe(topics)) out.send(frame);
          return [];
        },
        received(data) {
          const { event, channel, data: text } = read(data);
          const body = typeof text === 'string' ? JSON.parse(text) : text;
          switch (event) {
            case 'pusher:connection_established':
              out.heartbeat({
                ...{ kind: 'message', everyMs: body.activity_timeout * 1000, answerMs: 30_000 },
                whenSilent: true,
                make: () => json({ event: 'pusher:ping', data: {} }),
              });
              out.ready();
              return;
            case 'pusher:pong':
              out.alive(true);
              return;
            case 'pusher:ping':
              out.send(json({ event: 'pusher:pong', data: {} }));
              return;
            case 'pusher_internal:subscription_succeeded':
              out.confirmed([channel], true);
              return;
            case 'pusher:error':
              if (body.code >= 4000 && body.code < 4100) out.failed('plan', body.message);
              return;
            default:
              out.tick(channel, body);
          }
        },
      };
    },
  }),
  script: {
    opened: (socket) =>
      socket.send(
        json({
          event: 'pusher:connection_established',
          data: json({ socket_id: '1.1', activity_timeout: 0.02 }),
        }),
      ),
    received(socket, data) {
      const { event, data: body } = read(data);
      // Ticks come only to who pings as often as he was told.
      if (event === 'pusher:ping') {
        socket.send(json({ event: 'pusher:pong', data: '{}' }));
        socket.send(json({ event: 'trade', channel: 'trades_a', data: json({ price: 5 }) }));
      } else if (event === 'pusher:subscribe') {
        const { channel } = body;
        socket.send(json({ event: 'pusher_internal:subscription_succeeded', data: '{}', channel }));
      }
    },
  },
};

/** The reply repeats the subscription, not its number; errors are sentences. */
const hyperliquid: OtherVenue = {
  symbols: ['trades:SOL', 'trades:NOPE', 'trades:BTC'],
  refuses: 'trades:NOPE',
  first: { coin: 'SOL', px: '5' },
  venue: (url) => ({
    ...base,
    name: 'hyperliquid',
    confirmation: 'topic',
    limits: { ...limits, topicsPerRequest: 1, requestsInFlight: 1 },
    heartbeat: {
      ...{ kind: 'message', everyMs: 50_000, answerMs: 10_000, whenSilent: true },
      make: () => json({ method: 'ping' }),
    },
    target: () => ({ url }),
    session: () => {
      const say = (method: string) => (topics: readonly { readonly symbol: string }[]) =>
        symbolsOf(topics).map((symbol) => {
          const [type, coin] = symbol.split(':');
          return json({ method, subscription: { type, coin } });
        });
      return {
        subscribe: say('subscribe'),
        unsubscribe: say('unsubscribe'),
        received(message, out) {
          const { channel, data } = read(message);
          if (channel === 'pong') out.alive(true);
          else if (channel === 'subscriptionResponse') {
            const { type, coin } = data.subscription;
            out.confirmed([`${type}:${coin}`], data.method === 'subscribe');
          } else if (channel === 'error')
            out.refused({ requestId: null, symbols: null, reason: data, kind: 'unknown' });
          else for (const row of data) out.tick(`${channel}:${row.coin}`, row);
        },
      };
    },
  }),
  script: {
    received(socket, text) {
      const data = read(text);
      if (data.subscription.coin === 'NOPE') {
        socket.send(json({ channel: 'error', data: 'Invalid subscription' }));
        return;
      }
      socket.send(json({ channel: 'subscriptionResponse', data }));
      socket.send(json({ channel: 'trades', data: [{ coin: 'SOL', px: '5' }] }));
    },
  },
};

export const EXCHANGES: Readonly<Record<string, OtherVenue>> = {
  ...{ gate, bitmex, cryptoCom, pusher, hyperliquid },
};
