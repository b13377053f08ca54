import {
  NO_RULES,
  type VenueLine,
  type VenueRules,
  type VenueSession,
  type VenueWire,
} from './venue-wire.js';

const RULES: VenueRules = { ...NO_RULES, connections: 3, symbols: 3000, heartbeatMs: 1000 };

/** Zerodha Kite Connect 3, as its documentation and its own clients have it: binary packets, no confirmations. */
export function kiteWire(
  options: { readonly tokens?: readonly string[]; readonly rules?: Partial<VenueRules> } = {},
): VenueWire {
  const { tokens = ['secret'], rules = {} } = options;
  return {
    name: 'kite',
    rules: { ...RULES, ...rules },
    compresses: false,
    opening(url) {
      // A space here was a plus that nobody encoded.
      const token = url.searchParams.get('access_token') ?? '';
      if (token.includes(' ')) return 400;
      return tokens.includes(token) && url.searchParams.get('api_key') !== null ? null : 403;
    },
    session: (line) => sessionOf(line),
  };
}

function sessionOf(line: VenueLine): VenueSession {
  const error = (data: string): void => line.reply(JSON.stringify({ type: 'error', data }));
  const session: VenueSession = {
    received(frame) {
      const request = typeof frame === 'string' ? requestOf(frame) : null;
      if (request === null) {
        error('Invalid message');
        return;
      }
      const { a, v } = request;
      if (a === 'mode') {
        const [mode, tokens] = v as [string, number[]];
        for (const token of tokens) if (line.symbols.has(String(token))) line.subscribe(String(token), mode);
        return;
      }
      for (const token of v as number[]) {
        const symbol = String(token);
        if (a === 'unsubscribe') line.unsubscribe(symbol);
        else {
          const how = line.subscribe(symbol, line.symbols.get(symbol) ?? 'quote');
          if (how === 'full') error('Maximum number of tokens per connection reached');
          const latest = how === 'unknown' ? null : line.latest(symbol);
          if (latest !== null) session.tick(latest);
        }
      }
    },
    tick({ symbol, cents, seq, wallMs }) {
      line.send(messageOf(Number(symbol), line.symbols.get(symbol) ?? 'quote', cents, seq, wallMs));
    },
    heartbeat: () => line.send(Buffer.from([0])),
  };
  return session;
}

function requestOf(text: string): { readonly a: string; readonly v: readonly unknown[] } | null {
  try {
    const { a, v } = JSON.parse(text) as { a?: unknown; v?: unknown };
    return typeof a === 'string' && Array.isArray(v) ? { a, v } : null;
  } catch {
    return null;
  }
}

const LENGTHS: Readonly<Record<string, number>> = { ltp: 8, quote: 44, full: 184 };

/** One message with one packet, big-endian. */
function messageOf(token: number, mode: string, cents: number, seq: number, wallMs: number): Buffer {
  const length = LENGTHS[mode] ?? 44;
  const message = Buffer.alloc(4 + length);
  message.writeUInt16BE(1, 0);
  message.writeUInt16BE(length, 2);
  const put = (at: number, value: number): void => void message.writeUInt32BE(value >>> 0, 4 + at);
  put(0, token);
  put(4, cents);
  if (length === 8) return message;
  put(8, 1 + (seq % 100));
  put(12, cents);
  // The volume of the day counts the events: so a client can be checked for every one of them.
  put(16, seq);
  put(20, 777);
  put(24, 888);
  for (const [place, offset] of [0, 50, -50, -10].entries()) put(28 + place * 4, cents + offset);
  if (length === 44) return message;
  put(44, Math.floor(wallMs / 1000));
  put(60, Math.floor(wallMs / 1000));
  for (let level = 0; level < 10; level++) {
    const at = 64 + level * 12;
    put(at, 10 * (level + 1));
    put(at + 4, cents + (level < 5 ? -5 * (level + 1) : 5 * (level - 4)));
    message.writeUInt16BE(level + 1, 4 + at + 8);
  }
  return message;
}
