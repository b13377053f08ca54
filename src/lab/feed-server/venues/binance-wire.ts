import {
  NO_RULES,
  type VenueLine,
  type VenueRules,
  type VenueSession,
  type VenueWire,
} from './venue-wire.js';

const RULES: VenueRules = {
  ...NO_RULES,
  ...{ connections: 1000, symbols: 1024, frames: { most: 5, windowMs: 1000, countsControl: true } },
  ...{ dials: { most: 300, windowMs: 300_000 }, maxAgeMs: 24 * 3_600_000 },
  ping: { everyMs: 20_000, answerMs: 60_000 },
};

/** Binance's spot market streams, combined: requests confirmed by id, a strict limit of frames, pings, an age. */
export function binanceWire(options: { readonly rules?: Partial<VenueRules> } = {}): VenueWire {
  return {
    name: 'binance',
    rules: { ...RULES, ...options.rules },
    compresses: false,
    opening: (url) => (/^\/(stream|ws)(\/|$)/.test(url.pathname) ? null : 404),
    session: (line) => sessionOf(line),
  };
}

function sessionOf(line: VenueLine): VenueSession {
  const isRaw = line.url.pathname.startsWith('/ws');
  const ofPath = isRaw ? line.url.pathname.split('/').slice(2) : [];
  const initial = line.url.searchParams.get('streams')?.split('/') ?? ofPath;
  const refuse = (code: number, msg: string, id?: unknown): void =>
    line.reply(JSON.stringify({ code, msg, ...(id === undefined ? {} : { id }) }));
  return {
    opened() {
      for (const stream of initial) if (stream !== '') line.subscribe(stream, '');
    },
    received(frame) {
      let request: { method?: unknown; params?: unknown; id?: unknown };
      try {
        request = JSON.parse(String(frame)) as typeof request;
      } catch {
        refuse(3, 'Invalid JSON: expected value at line 1 column 1');
        return;
      }
      const { method, params = [], id } = request;
      const streams = params as string[];
      if (line.isChoked(streams)) return;
      if (method === 'LIST_SUBSCRIPTIONS') {
        line.reply(JSON.stringify({ result: [...line.symbols.keys()], id }));
        return;
      }
      if (method !== 'SUBSCRIBE' && method !== 'UNSUBSCRIBE') {
        refuse(2, 'Invalid request: unknown variant');
        return;
      }
      if (streams.some((stream) => typeof stream !== 'string' || !/^!?[a-z0-9]+(@.+)?$/.test(stream))) {
        refuse(2, 'Invalid request: invalid stream', id);
        return;
      }
      // An unknown symbol is confirmed, and stays silent.
      for (const stream of streams) {
        if (method === 'UNSUBSCRIBE') line.unsubscribe(stream);
        else if (line.subscribe(stream, '') === 'full') {
          refuse(2, 'Invalid request: too many streams', id);
          return;
        }
      }
      line.reply(JSON.stringify({ result: null, id }));
    },
    tick({ symbol: stream, seq, cents, wallMs }) {
      const [pair = '', kind = 'trade'] = stream.split('@');
      const data = eventOf(kind, pair.toUpperCase(), seq, cents, wallMs);
      line.send(JSON.stringify(isRaw ? data : { stream, data }));
    },
    tooFast: () => line.close(1008, 'Too many requests'),
    leaving: () =>
      line.send(JSON.stringify({ stream: '!serverShutdown', data: { e: 'serverShutdown', E: line.wallMs } })),
  };
}

function eventOf(kind: string, s: string, seq: number, cents: number, E: number): object {
  const price = (cents / 100).toFixed(8);
  switch (kind) {
    case 'bookTicker':
      return { u: seq, s, b: price, B: '1.00000000', a: price, A: '2.00000000' };
    case 'depth':
    case 'depth@100ms':
      return { e: 'depthUpdate', E, s, U: seq * 2 - 1, u: seq * 2, b: [[price, '1.00000000']], a: [] };
    case 'aggTrade':
      return { e: 'aggTrade', E, s, a: seq, p: price, q: '0.01000000', f: seq, l: seq, T: E, m: false };
    default:
      return { e: 'trade', E, s, t: seq, p: price, q: '0.01000000', T: E, m: seq % 2 === 0, M: true };
  }
}
