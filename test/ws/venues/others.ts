import { gzipSync } from 'node:zlib';
import type { WebSocket } from 'ws';
import type { FeedVenue, SessionOut, VenueLimits } from '../../../src/ws/venue.js';
import type { Script } from '../scripted-venue.js';

/** A venue that is no shipped adapter: its adapter, and its own side in a few lines. */
export interface OtherVenue {
  venue(url: string): FeedVenue;
  readonly script: Script;
  readonly symbols: readonly string[];
  readonly mode?: string;
  /** A symbol that the venue refuses, if it can. */
  readonly refuses?: string;
  /** The data of the first tick. */
  readonly first: unknown;
  /** Whether a tick is needed to be live. */
  readonly byData?: boolean;
}

export const json = (value: unknown): string => JSON.stringify(value);
// biome-ignore lint/suspicious/noExplicitAny: messages of a dozen venues, read in tests only
export const read = (data: string | Uint8Array): any =>
  JSON.parse(typeof data === 'string' ? data : Buffer.from(data).toString());
export const symbolsOf = (topics: readonly { readonly symbol: string }[]): string[] =>
  topics.map(({ symbol }) => symbol);

export const limits: VenueLimits = {
  ...{ connections: 2, topicsPerConnection: 100, topicsPerRequest: 10 },
  budgets: [{ what: 'frames', scope: 'connection', most: 1000, windowMs: 1000 }],
  assumeMs: 5000,
};
export const base = {
  limits,
  heartbeat: { kind: 'frame', everyMs: 10_000, answerMs: 5000 },
} as const satisfies Partial<FeedVenue>;

/** One reply for each symbol, refusals by symbol, heartbeats, a token that is new for each connection. */
const kraken: OtherVenue = {
  symbols: ['BTC/USD', 'NO/PE', 'ETH/USD'],
  refuses: 'NO/PE',
  first: { symbol: 'BTC/USD', last: 5 },
  venue: (url) => {
    let tokens = 0;
    return {
      ...base,
      name: 'kraken',
      confirmation: 'topic',
      heartbeat: { kind: 'server', silentMs: 10_000 },
      target: async () => ({ url, extra: `token-${++tokens}` }),
      session: ({ target }) => {
        const say = (method: string) => (topics: readonly { readonly symbol: string }[], req_id: number) => [
          json({
            method,
            params: { channel: 'ticker', symbol: symbolsOf(topics), token: target.extra },
            req_id,
          }),
        ];
        return {
          subscribe: say('subscribe'),
          unsubscribe: say('unsubscribe'),
          received(data, out) {
            const { method, channel, success, result, symbol, error, data: rows, req_id } = read(data);
            if (channel === 'heartbeat') out.alive(false);
            else if (channel === 'ticker') for (const row of rows) out.tick(row.symbol, row);
            else if (success) out.confirmed([result.symbol], method === 'subscribe');
            else out.refused({ requestId: req_id, symbols: [symbol], reason: error, kind: 'unknown' });
          },
        };
      },
    };
  },
  script: {
    opened: (socket) => socket.send(json({ channel: 'heartbeat' })),
    received(socket, data) {
      const { method, params, req_id } = read(data);
      if (!/^token-\d$/.test(params.token)) return;
      for (const symbol of params.symbol) {
        socket.send(
          symbol === 'NO/PE'
            ? json({ method, req_id, success: false, symbol, error: 'Currency pair not supported' })
            : json({ method, req_id, success: true, result: { channel: 'ticker', symbol } }),
        );
      }
      socket.send(json({ channel: 'ticker', data: [{ symbol: 'BTC/USD', last: 5 }] }));
    },
  },
};

/** One bad argument fails the whole request, named in the text; a JSON ping. */
const bybit: OtherVenue = {
  symbols: ['tickers.A', 'tickers.BAD', 'tickers.B'],
  refuses: 'tickers.BAD',
  first: { lastPrice: '5' },
  venue: (url) => ({
    ...base,
    name: 'bybit',
    confirmation: 'reply',
    sequence: { scope: 'topic', rule: 'rising', mend: 'resubscribe' },
    heartbeat: {
      ...{ kind: 'message', everyMs: 20_000, answerMs: 5000, whenSilent: false },
      make: () => json({ op: 'ping' }),
    },
    target: () => ({ url }),
    session: () => ({
      subscribe: (topics, id) => [json({ req_id: String(id), op: 'subscribe', args: symbolsOf(topics) })],
      unsubscribe: (topics, id) => [json({ req_id: String(id), op: 'unsubscribe', args: symbolsOf(topics) })],
      received(data, out) {
        const { op, topic, success, ret_msg, req_id, data: body, type, seq } = read(data);
        if (topic !== undefined) out.tick(topic, body, { seq, snapshot: type === 'snapshot' });
        else if (op === 'pong' || ret_msg === 'pong') out.alive(true);
        else if (success) out.done(Number(req_id));
        else {
          const [, bad] = /topic:(\S+)/.exec(ret_msg) ?? [];
          out.refused({
            ...{ requestId: Number(req_id), reason: ret_msg, kind: 'unknown' },
            symbols: bad === undefined ? null : [bad],
          });
        }
      },
    }),
  }),
  script: {
    received(socket, data) {
      const { op, args, req_id } = read(data);
      const bad = (args as string[]).find((each) => each.includes('BAD'));
      if (bad !== undefined) {
        socket.send(json({ success: false, ret_msg: `error:handler not found,topic:${bad}`, req_id, op }));
        return;
      }
      socket.send(json({ success: true, ret_msg: '', req_id, op }));
      socket.send(json({ topic: 'tickers.A', type: 'snapshot', seq: 1, data: { lastPrice: '5' } }));
    },
  },
};

/** The token, the address and the interval of pings come by an HTTP call at each dial. */
const kucoin: OtherVenue = {
  symbols: ['/market/ticker:A', '/market/ticker:B'],
  first: { price: '5' },
  venue: (url) => {
    const bullet = async () => ({ token: 'once', endpoint: url, pingInterval: 18_000 });
    return {
      ...base,
      name: 'kucoin',
      confirmation: 'reply',
      target: async () => {
        const { token, endpoint, pingInterval } = await bullet();
        return {
          url: `${endpoint}?token=${token}&connectId=1`,
          heartbeat: {
            ...{ kind: 'message', everyMs: pingInterval, answerMs: 10_000, whenSilent: false },
            make: () => json({ id: '0', type: 'ping' }),
          },
        };
      },
      session: () => {
        const say = (type: string) => (topics: readonly { readonly symbol: string }[], id: number) => {
          const names = symbolsOf(topics).map((each) => each.split(':')[1]);
          return [json({ id: String(id), type, topic: `/market/ticker:${names.join(',')}`, response: true })];
        };
        return {
          opened: () => {},
          subscribe: say('subscribe'),
          unsubscribe: say('unsubscribe'),
          received(data, out) {
            const { type, id, topic, data: body } = read(data);
            if (type === 'welcome') out.ready();
            else if (type === 'ack') out.done(Number(id));
            else if (type === 'pong') out.alive(true);
            else if (type === 'message') out.tick(topic, body);
          },
        };
      },
    };
  },
  script: {
    upgrade: ({ url = '' }) => (url.includes('token=once') ? null : { status: 401 }),
    opened: (socket) => socket.send(json({ id: '1', type: 'welcome' })),
    received(socket, data) {
      const { id } = read(data);
      socket.send(json({ id, type: 'ack' }));
      socket.send(json({ type: 'message', topic: '/market/ticker:A', data: { price: '5' } }));
    },
  },
};

/** The server asks whether we live, and must be answered at once; JSON-RPC. */
const deribit: OtherVenue = {
  symbols: ['ticker.A.raw', 'ticker.B.raw'],
  first: { last_price: 5 },
  venue: (url) => ({
    ...base,
    name: 'deribit',
    confirmation: 'reply',
    target: () => ({ url }),
    session: () => {
      const rpc = (method: string, params: object, id: number): string =>
        json({ jsonrpc: '2.0', method, params, id });
      return {
        opened(out) {
          out.send(rpc('public/set_heartbeat', { interval: 10 }, -1));
          out.ready();
        },
        subscribe: (topics, id) => [rpc('public/subscribe', { channels: symbolsOf(topics) }, id)],
        unsubscribe: (topics, id) => [rpc('public/unsubscribe', { channels: symbolsOf(topics) }, id)],
        received(data, out) {
          const { id, method, params } = read(data);
          if (method === 'heartbeat') {
            if (params.type === 'test_request') out.send(rpc('public/test', {}, -2));
            out.alive(false);
          } else if (method === 'subscription') out.tick(params.channel, params.data);
          else if (id > 0) out.done(id);
        },
      };
    },
  }),
  script: {
    opened: (socket) =>
      socket.send(json({ jsonrpc: '2.0', method: 'heartbeat', params: { type: 'test_request' } })),
    received(socket, data) {
      const { id, method } = read(data);
      // Ticks come only to who has answered.
      if (method === 'public/test')
        socket.send(
          json({ method: 'subscription', params: { channel: 'ticker.A.raw', data: { last_price: 5 } } }),
        );
      else if (id > 0) {
        socket.send(json({ jsonrpc: '2.0', id, result: [] }));
        socket.send(json({ method: 'heartbeat', params: { type: 'test_request' } }));
      }
    },
  },
};

/** A login message, the whole state as the reply, arrays of messages. */
const alpaca: OtherVenue = {
  symbols: ['AAPL', 'MSFT'],
  first: { T: 't', S: 'AAPL', p: 5 },
  venue: (url) => ({
    ...base,
    name: 'alpaca',
    confirmation: 'state',
    limits: { ...limits, connections: 1, requestsInFlight: 1 },
    target: () => ({ url }),
    session: () => ({
      opened: () => {},
      subscribe: (topics) => [json({ action: 'subscribe', trades: symbolsOf(topics) })],
      unsubscribe: (topics) => [json({ action: 'unsubscribe', trades: symbolsOf(topics) })],
      received(data, out) {
        for (const message of read(data)) {
          if (message.T === 't') out.tick(message.S, message);
          else if (message.msg === 'connected') out.send(json({ action: 'auth', key: 'k', secret: 's' }));
          else if (message.msg === 'authenticated') out.ready();
          else if (message.T === 'subscription') out.state(message.trades);
          else if (message.T === 'error') alpacaError(message, out);
        }
      },
    }),
  }),
  script: {
    opened: (socket) => socket.send(json([{ T: 'success', msg: 'connected' }])),
    received(socket, data) {
      const { action, trades } = read(data);
      if (action === 'auth') socket.send(json([{ T: 'success', msg: 'authenticated' }]));
      else
        socket.send(
          json([
            { T: 'subscription', trades, quotes: [], bars: [] },
            { T: 't', S: 'AAPL', p: 5 },
          ]),
        );
    },
  },
};

function alpacaError({ code, msg }: { code: number; msg: string }, out: SessionOut): void {
  if (code === 402 || code === 401) out.failed('auth', msg);
  else if (code === 406) out.failed('quota', msg);
  else if (code === 409) out.failed('plan', msg);
  else if (code === 405) out.refused({ requestId: null, symbols: null, reason: msg, kind: 'limit' });
  else out.refused({ requestId: null, symbols: null, reason: msg, kind: 'later' });
}

/** A sentence for each topic. */
const polygon: OtherVenue = {
  symbols: ['T.AAPL', 'T.MSFT'],
  first: { ev: 'T', sym: 'AAPL', p: 5 },
  venue: (url) => ({
    ...base,
    name: 'polygon',
    confirmation: 'topic',
    target: () => ({ url }),
    session: () => ({
      opened: (out) => out.send(json({ action: 'auth', params: 'KEY' })),
      subscribe: (topics) => [json({ action: 'subscribe', params: symbolsOf(topics).join() })],
      unsubscribe: (topics) => [json({ action: 'unsubscribe', params: symbolsOf(topics).join() })],
      received(data, out) {
        for (const message of read(data)) {
          if (message.ev !== 'status') out.tick(`${message.ev}.${message.sym}`, message);
          else if (message.status === 'auth_success') out.ready();
          else if (message.status === 'auth_failed') out.failed('auth', message.message);
          else if (message.status === 'max_connections') out.failed('quota', message.message);
          else {
            const [, verb, topic] = /^(un)?subscribed to: (\S+)/.exec(message.message) ?? [];
            if (topic !== undefined) out.confirmed([topic], verb === undefined);
          }
        }
      },
    }),
  }),
  script: {
    received(socket, data) {
      const { action, params } = read(data);
      const status = (kind: string, message: string) => ({ ev: 'status', status: kind, message });
      if (action === 'auth') {
        socket.send(json([status('auth_success', 'authenticated')]));
        return;
      }
      socket.send(
        json((params as string).split(',').map((each) => status('success', `subscribed to: ${each}`))),
      );
      socket.send(json([{ ev: 'T', sym: 'AAPL', p: 5 }]));
    },
  },
};

/** One symbol a message, nothing confirmed, a JSON ping of the server. */
const finnhub: OtherVenue = {
  symbols: ['AAPL', 'MSFT'],
  byData: true,
  first: { s: 'AAPL', p: 5 },
  venue: (url) => ({
    ...base,
    name: 'finnhub',
    confirmation: 'data',
    target: () => ({ url: `${url}?token=t` }),
    session: () => ({
      subscribe: (topics) => topics.map(({ symbol }) => json({ type: 'subscribe', symbol })),
      unsubscribe: (topics) => topics.map(({ symbol }) => json({ type: 'unsubscribe', symbol })),
      received(data, out) {
        const { type, data: trades, msg } = read(data);
        if (type === 'ping') {
          out.alive(false);
          out.send(json({ type: 'pong' }));
        } else if (type === 'error') out.failed(/token/i.test(msg) ? 'auth' : 'protocol', msg);
        else for (const trade of trades) out.tick(trade.s, trade);
      },
    }),
  }),
  script: {
    opened: (socket) => socket.send(json({ type: 'ping' })),
    received(socket, data) {
      const { type, symbol } = read(data);
      if (type === 'subscribe') socket.send(json({ type: 'trade', data: [{ s: symbol, p: 5 }] }));
    },
  },
};

/** Several steps before anything can be subscribed, keep-alive messages in both directions, rows without names. */
const dxfeed: OtherVenue = {
  symbols: ['AAPL', 'MSFT'],
  byData: true,
  first: ['AAPL', 5],
  venue: (url) => ({
    ...base,
    name: 'dxfeed',
    confirmation: 'data',
    heartbeat: {
      ...{ kind: 'message', everyMs: 20_000, answerMs: 40_000, whenSilent: false },
      make: () => json({ type: 'KEEPALIVE', channel: 0 }),
    },
    target: () => ({ url }),
    session: () => {
      const say = (type: string, rest: object): string => json({ type, channel: 1, ...rest });
      const listed = (topics: readonly { readonly symbol: string }[]) =>
        symbolsOf(topics).map((symbol) => ({ type: 'Trade', symbol }));
      return {
        opened: (out) =>
          out.send(json({ type: 'SETUP', channel: 0, keepaliveTimeout: 60, acceptKeepaliveTimeout: 60 })),
        subscribe: (topics) => [say('FEED_SUBSCRIPTION', { add: listed(topics) })],
        unsubscribe: (topics) => [say('FEED_SUBSCRIPTION', { remove: listed(topics) })],
        received(data, out) {
          const message = read(data);
          switch (message.type) {
            case 'AUTH_STATE':
              if (message.state === 'UNAUTHORIZED') out.send(json({ type: 'AUTH', channel: 0, token: 't' }));
              else out.send(say('CHANNEL_REQUEST', { service: 'FEED', parameters: { contract: 'AUTO' } }));
              return;
            case 'CHANNEL_OPENED':
              out.send(say('FEED_SETUP', { acceptDataFormat: 'COMPACT' }));
              return;
            case 'FEED_CONFIG':
              out.ready();
              return;
            case 'KEEPALIVE':
              out.alive(true);
              return;
            case 'FEED_DATA': {
              const [, flat] = message.data as [string, (string | number)[]];
              for (let at = 0; at < flat.length; at += 2) out.tick(String(flat[at]), flat.slice(at, at + 2));
            }
          }
        },
      };
    },
  }),
  script: {
    opened: (socket) => socket.send(json({ type: 'AUTH_STATE', channel: 0, state: 'UNAUTHORIZED' })),
    received(socket, data) {
      const { type, add = [] } = read(data);
      if (type === 'AUTH') socket.send(json({ type: 'AUTH_STATE', channel: 0, state: 'AUTHORIZED' }));
      else if (type === 'CHANNEL_REQUEST') socket.send(json({ type: 'CHANNEL_OPENED', channel: 1 }));
      else if (type === 'FEED_SETUP') socket.send(json({ type: 'FEED_CONFIG', channel: 1 }));
      else if (type === 'FEED_SUBSCRIPTION')
        socket.send(
          json({
            ...{ type: 'FEED_DATA', channel: 1 },
            data: ['Trade', add.flatMap(({ symbol }: { symbol: string }) => [symbol, 5])],
          }),
        );
    },
  },
};

/** Binary, little-endian; each mode of a token is a subscription of its own; a text ping; headers. */
const angel: OtherVenue = {
  symbols: ['2885'],
  mode: 'ltp',
  byData: true,
  first: { token: '2885', seq: 42, price: 2450.55 },
  venue: (url) => ({
    ...base,
    name: 'angel',
    confirmation: 'data',
    modes: ['ltp', 'quote', 'snap'],
    modeChange: 'separate',
    sequence: { scope: 'topic', rule: 'rising', mend: 'report' },
    heartbeat: { kind: 'message', everyMs: 25_000, answerMs: 10_000, whenSilent: false, make: () => 'ping' },
    target: () => ({ url, headers: { Authorization: 'jwt', 'x-feed-token': 't' } }),
    session: () => {
      const modes = ['', 'ltp', 'quote', 'snap'];
      const say = (action: number) => (topics: readonly { symbol: string; mode: string }[], id: number) => [
        json({
          ...{ correlationID: String(id), action },
          params: {
            mode: modes.indexOf(topics[0]?.mode ?? ''),
            tokenList: [{ exchangeType: 1, tokens: symbolsOf(topics) }],
          },
        }),
      ];
      return {
        subscribe: say(1),
        unsubscribe: say(0),
        received(data, out) {
          if (typeof data === 'string') {
            if (data === 'pong') out.alive(true);
            return;
          }
          const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
          const token = Buffer.from(data.subarray(2, 27)).toString('latin1').replaceAll('\0', '');
          const seq = Number(view.getBigInt64(27, true));
          const price = Number(view.getBigInt64(43, true)) / 100;
          out.tick(token, { token, seq, price }, { mode: modes[view.getUint8(0)] ?? '', seq });
        },
      };
    },
  }),
  script: {
    upgrade: ({ headers }) => (headers['x-feed-token'] === 't' ? null : { status: 401 }),
    received(socket, data) {
      if (data === 'ping') socket.send('pong');
      else
        socket.send(
          Buffer.from(
            `010132383835${'00'.repeat(21)}2a000000000000007b68e5cf8b0100003fbd030000000000`,
            'hex',
          ),
        );
    },
  },
};

/** Every message is gzip; a JSON ping whose number must come back; one topic a message. */
const htx: OtherVenue = {
  symbols: ['market.a.bbo', 'market.b.bbo'],
  first: { bid: 5 },
  venue: (url) => ({
    ...base,
    name: 'htx',
    confirmation: 'topic',
    unpack: 'gzip',
    target: () => ({ url }),
    session: () => ({
      subscribe: (topics, id) => topics.map(({ symbol }) => json({ sub: symbol, id: String(id) })),
      unsubscribe: (topics, id) => topics.map(({ symbol }) => json({ unsub: symbol, id: String(id) })),
      received(data, out) {
        const { ping, subbed, unsubbed, ch, tick } = read(data);
        if (ping !== undefined) out.send(json({ pong: ping }));
        else if (subbed !== undefined) out.confirmed([subbed], true);
        else if (unsubbed !== undefined) out.confirmed([unsubbed], false);
        else if (ch !== undefined) out.tick(ch, tick);
      },
    }),
  }),
  script: {
    opened: (socket) => socket.send(gzipSync(json({ ping: 18212558000 }))),
    received(socket, data) {
      const { pong, sub } = read(data);
      if (pong === 18212558000) socket.send(gzipSync(json({ ch: 'market.a.bbo', tick: { bid: 5 } })));
      if (sub === undefined) return;
      socket.send(gzipSync(json({ status: 'ok', subbed: sub })));
      socket.send(gzipSync(json({ ch: 'market.a.bbo', tick: { bid: 5 } })));
    },
  },
};

/** Data carries a number that only the reply on this socket explains. */
const bitfinex: OtherVenue = {
  symbols: ['tA', 'tB'],
  first: [5],
  venue: (url) => ({
    ...base,
    name: 'bitfinex',
    confirmation: 'topic',
    sequence: { scope: 'connection', rule: 'increment', mend: 'replace' },
    target: () => ({ url }),
    session: () => {
      const channels = new Map<number, string>();
      return {
        opened(out) {
          out.send(json({ event: 'conf', flags: 65536 }));
          out.ready();
        },
        subscribe: (topics) =>
          topics.map(({ symbol }) => json({ event: 'subscribe', channel: 'trades', symbol })),
        unsubscribe: (topics) =>
          topics.flatMap(({ symbol }) =>
            [...channels]
              .filter(([, name]) => name === symbol)
              .map(([chanId]) => json({ event: 'unsubscribe', chanId })),
          ),
        received(data, out) {
          const message = read(data);
          if (Array.isArray(message)) {
            const [chanId, body, seq] = message;
            out.sequence(seq);
            const symbol = channels.get(chanId);
            if (body === 'hb') out.alive(false);
            else if (symbol !== undefined) out.tick(symbol, body);
          } else if (message.event === 'subscribed') {
            channels.set(message.chanId, message.symbol);
            out.confirmed([message.symbol], true);
          }
        },
      };
    },
  }),
  script: (() => {
    let seq = 0;
    let channel = 10;
    return {
      received(socket: WebSocket, data: string | Buffer) {
        const { event, symbol } = read(data);
        if (event !== 'subscribe') return;
        socket.send(json({ event: 'subscribed', chanId: ++channel, symbol }));
        socket.send(json([channel, 'hb', ++seq]));
        socket.send(json([channel, [5], ++seq]));
      },
    };
  })(),
};

/** Each request replaces all that was subscribed. */
const upbit: OtherVenue = {
  symbols: ['KRW-A', 'KRW-B'],
  first: { code: 'KRW-A', trade_price: 5 },
  venue: (url) => ({
    ...base,
    name: 'upbit',
    confirmation: 'none',
    target: () => ({ url }),
    session: (context) => {
      const all = () => [json([{ ticket: 'x' }, { type: 'ticker', codes: [...context.topics] }])];
      return {
        subscribe: all,
        unsubscribe: all,
        received(data, out) {
          const tick = read(data);
          out.tick(tick.code, tick);
        },
      };
    },
  }),
  script: {
    received(socket, data) {
      const [, { codes }] = read(data);
      for (const code of codes) socket.send(Buffer.from(json({ code, trade_price: 5 })));
    },
  },
};

/** Five arguments a message, a text ping, each argument confirmed by itself. */
const bitget: OtherVenue = {
  symbols: ['ticker:A', 'ticker:B'],
  first: { lastPr: '5' },
  venue: (url) => ({
    ...base,
    name: 'bitget',
    confirmation: 'topic',
    limits: { ...limits, topicsPerRequest: 5 },
    heartbeat: { kind: 'message', everyMs: 25_000, answerMs: 5000, whenSilent: false, make: () => 'ping' },
    target: () => ({ url }),
    session: () => {
      const say = (op: string) => (topics: readonly { readonly symbol: string }[]) => [
        json({
          op,
          args: symbolsOf(topics).map((each) => {
            const [channel, instId] = each.split(':');
            return { instType: 'SPOT', channel, instId };
          }),
        }),
      ];
      return {
        subscribe: say('subscribe'),
        unsubscribe: say('unsubscribe'),
        received(data, out) {
          if (data === 'pong') {
            out.alive(true);
            return;
          }
          const { event, arg, data: rows, msg } = read(data);
          const symbol = `${arg?.channel}:${arg?.instId}`;
          if (event === 'error')
            out.refused({ requestId: null, symbols: [symbol], reason: msg, kind: 'unknown' });
          else if (event !== undefined) out.confirmed([symbol], event === 'subscribe');
          else for (const row of rows) out.tick(symbol, row);
        },
      };
    },
  }),
  script: {
    received(socket, data) {
      if (data === 'ping') return void socket.send('pong');
      for (const arg of read(data).args) socket.send(json({ event: 'subscribe', arg }));
      socket.send(json({ arg: { channel: 'ticker', instId: 'A' }, data: [{ lastPr: '5' }] }));
    },
  },
};

/** A URL that is valid once, JSON in binary frames, protobuf, the state of the market, modes. */
const upstox: OtherVenue = {
  symbols: ['NSE_EQ|INE009A01021'],
  mode: 'ltpc',
  byData: true,
  first: { ltp: 1650.5, cp: 1640.25 },
  venue: (url) => {
    let code = 0;
    return {
      ...base,
      name: 'upstox',
      confirmation: 'data',
      modes: ['ltpc', 'option_greeks', 'full'],
      modeChange: 'message',
      limits: {
        ...limits,
        topicsPerMode: { ltpc: { alone: 5000, together: 2000 }, full: { alone: 2000, together: 1500 } },
      },
      target: async () => ({ url: `${url}?code=${++code}` }),
      session: () => {
        const say = (method: string) => (topics: readonly { symbol: string; mode: string }[], id: number) => [
          Buffer.from(
            json({
              ...{ guid: String(id), method },
              data: { mode: topics[0]?.mode, instrumentKeys: symbolsOf(topics) },
            }),
          ),
        ];
        const change = say('change_mode');
        return {
          subscribe: say('sub'),
          unsubscribe: say('unsub'),
          changeMode: (topics, _from, id) => change(topics, id),
          received(data, out) {
            if (typeof data === 'string') {
              const { error } = read(data);
              out.refused({ requestId: null, symbols: null, reason: String(error), kind: 'later' });
              return;
            }
            const fields = protobuf(data);
            out.market('NSE_EQ', true);
            for (const entry of fields.get(2) ?? []) {
              const one = (message: unknown, n: number) =>
                (protobuf(message as Buffer).get(n) ?? [])[0] as Buffer;
              const key = one(entry, 1);
              const ltpc = one(one(entry, 2), 1);
              const double = (n: number) => one(ltpc, n).readDoubleLE(0);
              out.tick(String(key), { ltp: double(1), cp: double(4) }, { snapshot: !fields.has(1) });
            }
          },
        };
      },
    };
  },
  script: (() => {
    const used = new Set<string | undefined>();
    return {
      upgrade({ url }) {
        if (used.has(url)) return { status: 401 };
        used.add(url);
        return null;
      },
      received(socket, data) {
        if (typeof data === 'string') return;
        socket.send(
          Buffer.from(
            '080112340a134e53455f45517c494e4530303941303130323112' +
              '1d0a1b090000000000ca994010fbd095ffbc311805210000000000a1994018c8d395ffbc31',
            'hex',
          ),
        );
      },
    } satisfies Script;
  })(),
};

/** The fields of a message, by number: bytes for lengths and doubles, numbers for varints. */
function protobuf(bytes: Uint8Array): Map<number, (Buffer | bigint)[]> {
  const fields = new Map<number, (Buffer | bigint)[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Buffer => {
    at += length;
    return Buffer.from(bytes.subarray(at - length, at));
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const kind = tag & 7;
    const value = kind === 0 ? varint() : take(kind === 1 ? 8 : Number(varint()));
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

export const OTHER_VENUES: Readonly<Record<string, OtherVenue>> = {
  ...{
    alpaca,
    angel,
    bitfinex,
    bitget,
    bybit,
    deribit,
    dxfeed,
    finnhub,
    htx,
    kraken,
    kucoin,
    polygon,
    upbit,
    upstox,
  },
};
