import { createHmac } from 'node:crypto';
import {
  NO_RULES,
  type VenueLine,
  type VenueRules,
  type VenueSession,
  type VenueWire,
} from './venue-wire.js';

const RULES: VenueRules = {
  ...NO_RULES,
  ...{ connections: 30, symbols: 1000, requests: { most: 480, windowMs: 3_600_000 } },
  ...{ dials: { most: 3, windowMs: 1000 }, silentMs: 30_000 },
};
const MOST_BYTES = 65_536;

export interface OkxWireOptions {
  readonly rules?: Partial<VenueRules>;
  /** Whether a message about a symbol is lost on its way. */
  readonly loses?: (symbol: string) => boolean;
  /** The account whose logins are accepted. */
  readonly account?: { readonly apiKey: string; readonly secretKey: string; readonly passphrase: string };
}

/** OKX v5: each argument confirmed by itself, errors that name nothing, a login, text pings, chained order books. */
export function okxWire(options: OkxWireOptions = {}): VenueWire {
  return {
    name: 'okx',
    rules: { ...RULES, ...options.rules },
    compresses: false,
    opening: (url) => (/\/(public|private|business)$/.test(url.pathname) ? null : 404),
    session: (line) => sessionOf(line, options.account ?? null, options.loses ?? (() => false)),
  };
}

type Arg = Readonly<Record<string, string>>;

function sessionOf(
  line: VenueLine,
  account: OkxWireOptions['account'] | null,
  loses: (symbol: string) => boolean,
): VenueSession {
  const connId = 'a4d3ae55';
  const lane = line.url.pathname.split('/').at(-1);
  let isLoggedIn = lane !== 'private';
  const books = new Map<string, number>();
  const args = new Map<string, Arg>();
  const say = (value: object): void => line.reply(JSON.stringify({ ...value, connId }));
  const error = (code: string, msg: string): void => say({ event: 'error', code, msg });
  const login = ({ apiKey = '', passphrase = '', timestamp = '', sign = '' }: Arg): void => {
    const text = `${timestamp}GET/users/self/verify`;
    const expected = createHmac('sha256', account?.secretKey ?? '')
      .update(text)
      .digest('base64');
    if (apiKey !== account?.apiKey) error('60005', 'Invalid apiKey');
    else if (passphrase !== account.passphrase) error('60024', 'Wrong passphrase');
    else if (sign !== expected) error('60007', 'Invalid sign');
    else if (Math.abs(Number(timestamp) - line.wallMs / 1000) > 30)
      error('60006', 'Timestamp request expired');
    else {
      isLoggedIn = true;
      say({ event: 'login', code: '0', msg: '' });
    }
  };
  const session: VenueSession = {
    received(frame) {
      const text = String(frame);
      if (text === 'ping') {
        line.send('pong');
        return;
      }
      if (text.length > MOST_BYTES) {
        line.violation('a request of more than 64 KB');
        line.close(1009, 'message too long');
        return;
      }
      const { op, args: asked = [] } = JSON.parse(text) as { op?: string; args?: Arg[] };
      if (op === 'login') {
        login(asked[0] ?? {});
        return;
      }
      if (!isLoggedIn) {
        line.violation('a request before the login');
        error('60011', 'Please log in');
        return;
      }
      const names = asked.map(nameOf);
      if (line.isChoked(names)) return;
      for (const [at, arg] of asked.entries()) {
        const name = names[at] as string;
        if (op === 'unsubscribe') {
          line.unsubscribe(name);
          books.delete(name);
          say({ event: 'unsubscribe', arg });
          continue;
        }
        const how = line.subscribe(name, '');
        if (how === 'unknown') {
          const words = Object.entries(arg).map(([key, value]) => `${key}:${value}`);
          error('60018', `${words.join(',')} doesn't exist`);
          continue;
        }
        if (how === 'full') {
          error('60012', 'too many channels');
          continue;
        }
        args.set(name, arg);
        say({ event: 'subscribe', arg });
        const latest = line.latest(name);
        if (isBook(arg)) sendBook(name, arg, latest?.seq ?? 0, true);
      }
      const channel = asked[0]?.channel;
      line.send(JSON.stringify({ event: 'channel-conn-count', channel, connCount: '1', connId }));
    },
    tick({ symbol, seq, cents, wallMs }) {
      const arg = args.get(symbol) ?? { channel: symbol };
      if (isBook(arg)) {
        sendBook(symbol, arg, seq, false);
        return;
      }
      const row = {
        instId: arg.instId,
        tradeId: String(seq),
        px: (cents / 100).toFixed(2),
        sz: '1',
        side: 'buy',
        ts: String(wallMs),
      };
      line.send(JSON.stringify({ arg, data: [row] }));
    },
    tooFast: () => error('60014', 'Requests too frequent'),
    leaving: () =>
      line.send(
        JSON.stringify({
          ...{ event: 'notice', code: '64008', connId },
          msg: 'The connection will soon be closed for a service upgrade. Please reconnect.',
        }),
      ),
  };
  const sendBook = (name: string, arg: Arg, seqId: number, isFirst: boolean): void => {
    const prevSeqId = isFirst ? -1 : (books.get(name) ?? -1);
    books.set(name, seqId);
    if (loses(name)) return;
    const row = {
      asks: [],
      bids: [['100', '1', '0', '1']],
      ts: String(line.wallMs),
      checksum: 0,
      seqId,
      prevSeqId,
    };
    line.send(JSON.stringify({ arg, action: isFirst ? 'snapshot' : 'update', data: [row] }));
  };
  return session;
}

function isBook({ channel }: Arg): boolean {
  return channel === 'books';
}

function nameOf({ channel = '', ...rest }: Arg): string {
  const { instId, ...others } = rest;
  const parts = Object.keys(others)
    .sort()
    .map((key) => `${key}=${others[key]}`);
  const all = [...(instId === undefined ? [] : [instId]), ...parts];
  return all.length === 0 ? channel : `${channel}:${all.join(',')}`;
}
