import { createHmac } from 'node:crypto';
import type { FeedVenue, Refusal, SessionOut } from '../venue.js';
import { type AdapterOptions, limitsOf, objectOf, textOr } from './adapting.js';

export interface OkxOptions extends AdapterOptions {
  /** Without the lane, which is added: `/public`, `/private` or `/business`. Default wss://ws.okx.com:8443/ws/v5 */
  readonly url?: string;
  /** For private channels. Default: none, and no login. */
  readonly credentials?: OkxCredentials | (() => OkxCredentials | Promise<OkxCredentials>);
  /** Seconds since the epoch, for the login. Default: the machine's clock. */
  readonly now?: () => number;
}

export interface OkxCredentials {
  readonly apiKey: string;
  readonly secretKey: string;
  readonly passphrase: string;
}

/** Channels of the lane `business`, and of the lane `private`. */
const BUSINESS =
  /^(?:candle|index-candle|mark-price-candle|trades-all|sprd-|deposit-info|withdrawal-info|algo-|grid-|economic-calendar)/;
const PRIVATE =
  /^(?:account|positions|balance_and_position|liquidation-warning|account-greeks|orders|fills)$/;
/** Channels whose ticks are links of a chain. */
const BOOKS = /^(?:books|books-l2-tbt|books50-l2-tbt)$/;

/** The error codes of the login. */
const LOGIN = new Set(['60004', '60005', '60006', '60007', '60009', '60022', '60024', '60032']);
const OUR_FAULT = new Set(['60012', '60013', '60019', '60033']);
const WRONG_ADDRESS = new Set(['60008', '60028', '64001', '64002']);

/**
 * OKX v5. A symbol is a channel and an instrument: 'trades:BTC-USDT'; more parameters follow with their names
 * ('orders:instType=SPOT'). A tick's data is a row of the venue's `data`. Order books have their numbers checked, and a
 * book with a hole is subscribed again.
 */
export function okx(options: OkxOptions = {}): FeedVenue {
  const { url = 'wss://ws.okx.com:8443/ws/v5', credentials, now = () => Date.now() / 1000 } = options;
  return {
    name: 'okx',
    confirmation: 'topic',
    // A connection that is silent for 30 s is cut; only the text `ping` counts.
    heartbeat: options.heartbeat ?? {
      ...{ kind: 'message', everyMs: 20_000, answerMs: 5000, whenSilent: true },
      make: () => 'ping',
    },
    sequence: { scope: 'topic', rule: 'link', mend: 'resubscribe' },
    limits: limitsOf(
      {
        // A request may have 64 KB. How many channels a connection may have is not documented.
        ...{ connections: 30, topicsPerConnection: 240, topicsPerRequest: 50, requestBytes: 60_000 },
        requestsInFlight: 1,
        budgets: [
          { what: 'requests', scope: 'connection', most: 470, windowMs: 3_600_000 },
          { what: 'frames', scope: 'connection', most: 3, windowMs: 1000 },
          // The venue allows 3 a second. What we send in a second may arrive in less, so our window is longer.
          { what: 'dials', scope: 'pool', most: 3, windowMs: 1500 },
        ],
      },
      options,
    ),
    lane: ({ symbol }) => laneOf(channelOf(symbol)),
    target: async ({ lane }) => ({
      url: `${url}/${lane}`,
      extra:
        credentials === undefined
          ? null
          : typeof credentials === 'function'
            ? await credentials()
            : credentials,
    }),
    session: ({ lane, target }) => ({
      opened(out) {
        const own = target.extra as OkxCredentials | null;
        // Channels of the lane business are public but for a few, and log in without harm.
        if (lane === 'public' || own === null) out.ready();
        else out.send(loginOf(own, now()));
      },
      subscribe: (topics) => [request('subscribe', topics)],
      unsubscribe: (topics) => [request('unsubscribe', topics)],
      received(data, out) {
        if (data === 'pong') out.alive(true);
        else hear(objectOf(data, 'okx'), out);
      },
    }),
  };
}

/** The symbol of an argument, and back: `okxSymbol({ channel: 'trades', instId: 'BTC-USDT' })` is 'trades:BTC-USDT'. */
export function okxSymbol({ channel = '', ...rest }: Readonly<Record<string, string>>): string {
  const { instId, ...others } = rest;
  const names = Object.keys(others).sort();
  const parts = [
    ...(instId === undefined ? [] : [instId]),
    ...names.map((name) => `${name}=${others[name]}`),
  ];
  return parts.length === 0 ? channel : `${channel}:${parts.join(',')}`;
}

function argOf(symbol: string): Readonly<Record<string, string>> {
  const channel = channelOf(symbol);
  const arg: Record<string, string> = { channel };
  const rest = symbol.slice(channel.length + 1);
  for (const part of rest === '' ? [] : rest.split(',')) {
    const at = part.indexOf('=');
    if (at < 0) arg.instId = part;
    else arg[part.slice(0, at)] = part.slice(at + 1);
  }
  return arg;
}

function channelOf(symbol: string): string {
  const at = symbol.indexOf(':');
  return at < 0 ? symbol : symbol.slice(0, at);
}

function laneOf(channel: string): string {
  if (BUSINESS.test(channel)) return 'business';
  return PRIVATE.test(channel) ? 'private' : 'public';
}

function request(op: string, topics: readonly { readonly symbol: string }[]): string {
  return JSON.stringify({ op, args: topics.map(({ symbol }) => argOf(symbol)) });
}

/** The signature is a hash of the time and of the request that the venue imagines. */
function loginOf({ apiKey, secretKey, passphrase }: OkxCredentials, seconds: number): string {
  const timestamp = String(Math.floor(seconds));
  const sign = createHmac('sha256', secretKey).update(`${timestamp}GET/users/self/verify`).digest('base64');
  return JSON.stringify({ op: 'login', args: [{ apiKey, passphrase, timestamp, sign }] });
}

interface Message {
  readonly event?: unknown;
  readonly arg?: Readonly<Record<string, string>>;
  readonly code?: unknown;
  readonly msg?: unknown;
  readonly data?: unknown;
  readonly action?: unknown;
}

interface Row {
  readonly seqId?: number;
  readonly prevSeqId?: number;
}

function hear(message: Message, out: SessionOut): void {
  const { event, arg, action } = message;
  switch (event) {
    case undefined:
      if (arg !== undefined && Array.isArray(message.data)) hearRows(arg, message.data as Row[], action, out);
      return;
    case 'login':
      out.ready();
      return;
    case 'subscribe':
    case 'unsubscribe':
      if (arg !== undefined) out.confirmed([okxSymbol(arg)], event === 'subscribe');
      return;
    case 'notice':
      // The service is upgraded within a minute.
      if (message.code === '64008') out.leaving(60_000);
      return;
    case 'error':
      hearError(textOr(message.code, ''), textOr(message.msg, 'error'), arg, out);
      return;
    default:
      return;
  }
}

/** The fields that name a subscription; an answer has more. */
function hearRows(
  arg: Readonly<Record<string, string>>,
  rows: readonly Row[],
  action: unknown,
  out: SessionOut,
): void {
  const symbol = okxSymbol(arg);
  const isBook = BOOKS.test(arg.channel ?? '');
  for (const row of rows) {
    const { seqId, prevSeqId } = row;
    if (!isBook || seqId === undefined || prevSeqId === undefined) out.tick(symbol, row);
    // Nothing has changed: the venue shows that it lives.
    else if (seqId === prevSeqId) out.alive(false);
    else {
      const snapshot = action === 'snapshot' || prevSeqId === -1;
      out.tick(symbol, row, { seq: seqId, prev: prevSeqId, snapshot });
    }
  }
}

function hearError(
  code: string,
  text: string,
  arg: Readonly<Record<string, string>> | undefined,
  out: SessionOut,
): void {
  const reason = code === '' ? text : `${text} (code ${code})`;
  if (code === '60014') out.slower(1000, null);
  else if (LOGIN.has(code)) out.failed('auth', reason);
  else if (code === '64003') out.failed('plan', reason);
  else if (code === '60011') out.failed('auth', reason);
  else out.refused(refusalOf(code, reason, arg));
}

/** The bad one is named in the text only: "channel:trades,instId:X-Y doesn't exist". */
const NAMED = /channel:([\w-]+)(?:,\s*(?:instId|instFamily|instType|ccy|sprdId):([\w-]+))?/;

function refusalOf(code: string, reason: string, arg: Readonly<Record<string, string>> | undefined): Refusal {
  const found = NAMED.exec(reason);
  const symbols =
    arg !== undefined
      ? [okxSymbol(arg)]
      : found?.[1] === undefined
        ? null
        : [okxSymbol({ channel: found[1], ...(found[2] === undefined ? {} : { instId: found[2] }) })];
  const isFinal = code === '60018' || OUR_FAULT.has(code) || WRONG_ADDRESS.has(code);
  return { requestId: null, symbols, reason, kind: isFinal ? 'unknown' : 'later' };
}
