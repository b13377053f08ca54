import type { BackoffOptions } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { type ForeignNames, type OptionShape, optionProblems } from '../base/option-shape.js';
import type { Random } from '../base/random.js';
import type { DialLimits } from './dial-gate.js';
import { FeedError } from './errors.js';
import { jsonFeed } from './json-feed.js';
import type { PlacementStrategy } from './placement.js';
import type { FeedProtocol } from './protocol.js';
import type { DialSocket, TlsOptions } from './socket.js';
import { dialWs } from './ws-socket.js';

/** Durations are in milliseconds. */
export interface SubscriptionPoolOptions {
  /** `ws://` or `wss://`. */
  readonly url: string;
  /** Default 'feed'. */
  readonly name?: string;
  /** How the venue is spoken to. Default jsonFeed(). */
  readonly protocol?: FeedProtocol;
  /** Default 1000, as MAX_SYMBOLS_PER_WEBSOCKET has it. */
  readonly maxSymbolsPerConnection?: number;
  /** Default 3, as MAX_WEBSOCKET_CONNECTIONS has it. */
  readonly maxConnections?: number;
  /** Default 'first-fit'. */
  readonly placement?: PlacementStrategy;
  /** Headers of the opening request, asked for anew at each dial: a token may have been renewed. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /**
   * Called when the server refuses the credentials; `true` says that `headers` will give others now, and that it is
   * worth another try. Default: it is not.
   */
  readonly renewCredentials?: () => boolean | Promise<boolean>;
  readonly tls?: TlsOptions;
  /** From dial to open. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Larger messages end the connection. Default 1 MiB. */
  readonly maxMessageBytes?: number;
  /** How long a server may take to confirm a request. Default 5 s. */
  readonly requestTimeoutMs?: number;
  /** How long a symbol stays subscribed after its last subscriber left. Default 250. */
  readonly lingerMs?: number;
  /** Default 10 s. */
  readonly pingIntervalMs?: number;
  /** After a ping anything must come within this time. Default 5 s. */
  readonly pongTimeoutMs?: number;
  /** A connection without data for so long, while the market is open, is stale. Default 30 s. */
  readonly staleAfterMs?: number;
  /** Whether data is to be expected now. Default: nobody knows, and silence proves nothing. */
  readonly isMarketOpen?: () => boolean;
  /** Waits between dials. Default: base 500, cap 30 s. */
  readonly backoff?: Partial<BackoffOptions>;
  /** A connection open for so long counts as well: the next wait begins at the base again. Default 10 s. */
  readonly stableAfterMs?: number;
  /** For all connections together. Default 1 per second and 60 per minute, with bursts of `maxConnections`. */
  readonly dials?: Partial<DialLimits>;
  /** A connection without symbols is closed after this time. Default 30 s. */
  readonly idleCloseMs?: number;
  /** Connections kept although they are empty. Default 1. */
  readonly minConnections?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** What opens sockets. Default: the package `ws`. */
  readonly dial?: DialSocket;
}

/** The options with their defaults. */
export interface FeedSettings {
  readonly url: string;
  /** The URL's scheme, host and port: all of it that may be shown. */
  readonly origin: string;
  readonly name: string;
  readonly protocol: FeedProtocol;
  readonly maxSymbolsPerConnection: number;
  readonly maxConnections: number;
  readonly placement: PlacementStrategy;
  readonly headers: NonNullable<SubscriptionPoolOptions['headers']>;
  readonly renewCredentials: NonNullable<SubscriptionPoolOptions['renewCredentials']>;
  readonly tls: TlsOptions;
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly requestTimeoutMs: number;
  readonly lingerMs: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly staleAfterMs: number;
  readonly isMarketOpen: (() => boolean) | null;
  readonly backoff: BackoffOptions;
  readonly stableAfterMs: number;
  readonly dials: DialLimits;
  readonly idleCloseMs: number;
  readonly minConnections: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: DialSocket;
}

const SHAPE = {
  url: 'text',
  name: 'text',
  protocol: 'any',
  maxSymbolsPerConnection: 'number',
  maxConnections: 'number',
  placement: 'any',
  headers: 'function',
  renewCredentials: 'function',
  tls: { fields: { ca: 'text', serverName: 'text', verify: 'boolean' } },
  connectTimeoutMs: 'number',
  maxMessageBytes: 'number',
  requestTimeoutMs: 'number',
  lingerMs: 'number',
  pingIntervalMs: 'number',
  pongTimeoutMs: 'number',
  staleAfterMs: 'number',
  isMarketOpen: 'function',
  backoff: { fields: { baseMs: 'number', capMs: 'number' } },
  stableAfterMs: 'number',
  dials: { fields: { perSecond: 'number', burst: 'number', perMinute: 'number' } },
  idleCloseMs: 'number',
  minConnections: 'number',
  clock: 'any',
  random: 'function',
  dial: 'function',
} as const satisfies OptionShape & Record<keyof SubscriptionPoolOptions, unknown>;

/** What other WebSocket clients call their options. */
const FOREIGN_NAMES: ForeignNames = {
  handshakeTimeout: 'connectTimeoutMs',
  connectionTimeout: 'connectTimeoutMs',
  maxPayload: 'maxMessageBytes',
  pingInterval: 'pingIntervalMs',
  pongTimeout: 'pongTimeoutMs',
  maxReconnectionDelay: 'pass backoff: { capMs }',
  minReconnectionDelay: 'pass backoff: { baseMs }',
  rejectUnauthorized: 'pass tls: { verify }',
  ca: 'pass tls: { ca }',
  maxSymbols: 'maxSymbolsPerConnection',
  max: 'maxConnections',
  min: 'minConnections',
};

/** Throws a FeedError with ERR_FEED_OPTION. */
export function resolveOptions(options: SubscriptionPoolOptions): FeedSettings {
  const problems = optionProblems(options, SHAPE, FOREIGN_NAMES);
  if (problems.length > 0) throw optionError(problems.join('; '));
  const maxConnections = whole('maxConnections', options.maxConnections ?? 3, 1);
  const protocol = options.protocol ?? jsonFeed();
  const { symbolsPerMessage, messagesPerSecond } = protocol.limits;
  whole('symbolsPerMessage of the protocol', symbolsPerMessage, 1);
  whole('messagesPerSecond of the protocol', messagesPerSecond, 1);
  const settings: FeedSettings = {
    url: options.url,
    origin: originOf(options.url),
    name: options.name ?? 'feed',
    protocol,
    maxSymbolsPerConnection: whole('maxSymbolsPerConnection', options.maxSymbolsPerConnection ?? 1000, 1),
    maxConnections,
    placement: options.placement ?? 'first-fit',
    headers: options.headers ?? (() => ({})),
    renewCredentials: options.renewCredentials ?? (() => false),
    tls: options.tls ?? {},
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    maxMessageBytes: whole('maxMessageBytes', options.maxMessageBytes ?? 2 ** 20, 1),
    requestTimeoutMs: options.requestTimeoutMs ?? 5000,
    lingerMs: options.lingerMs ?? 250,
    pingIntervalMs: options.pingIntervalMs ?? 10_000,
    pongTimeoutMs: options.pongTimeoutMs ?? 5000,
    staleAfterMs: options.staleAfterMs ?? 30_000,
    isMarketOpen: options.isMarketOpen ?? null,
    backoff: { baseMs: 500, capMs: 30_000, ...options.backoff },
    stableAfterMs: options.stableAfterMs ?? 10_000,
    dials: { perSecond: 1, perMinute: 60, burst: maxConnections, ...options.dials },
    idleCloseMs: options.idleCloseMs ?? 30_000,
    minConnections: whole('minConnections', options.minConnections ?? 1, 0),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    dial: options.dial ?? dialWs,
  };
  for (const [name, value] of Object.entries({ ...settings, ...settings.backoff })) {
    if (name.endsWith('Ms') && !((value as number) >= 0))
      throw optionError(`${name} is ${value}; it must be 0 or more`);
  }
  whole('burst of dials', settings.dials.burst, 1);
  whole('perMinute of dials', settings.dials.perMinute, 1);
  if (!(settings.dials.perSecond > 0)) throw optionError('perSecond of dials must be more than 0');
  return settings;
}

function originOf(url: string): string {
  if (typeof url !== 'string') throw optionError('the URL of the feed is missing; pass url');
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new FeedError('ERR_FEED_OPTION', 'the URL of the feed cannot be read', { cause });
  }
  if (!/^wss?:$/.test(parsed.protocol))
    throw optionError(`the URL of a feed begins with ws:// or wss://, not ${parsed.protocol}//`);
  if (parsed.hash !== '') throw optionError('the URL of a feed has no #fragment');
  return `${parsed.protocol}//${parsed.host}`;
}

function whole(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least)
    throw optionError(`${name} is ${value}; it must be a whole number from ${least}`);
  return value;
}

function optionError(message: string): FeedError {
  return new FeedError('ERR_FEED_OPTION', message);
}
