import type { Agent } from 'node:http';
import type { BackoffOptions } from '../base/backoff.js';
import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import { type ForeignNames, type OptionShape, optionProblems } from '../base/option-shape.js';
import type { Random } from '../base/random.js';
import type { DialLimits } from './dial-gate.js';
import { type FeedVariable, fromEnvironment, proxyOfDial } from './environment.js';
import { FeedError } from './errors.js';
import { fromProtocol } from './from-protocol.js';
import { jsonFeed } from './json-feed.js';
import type { PlacementStrategy } from './placement.js';
import type { FeedProtocol } from './protocol.js';
import type { DialSocket, TlsOptions } from './socket.js';
import type { FeedVenue, Heartbeat, Target } from './venue.js';
import { dialWs } from './ws-socket.js';

/** Durations are in milliseconds. */
export interface SubscriptionPoolOptions {
  /** `ws://` or `wss://`. Required without a venue, which knows its own. */
  readonly url?: string;
  /** Default: the name of the venue, or 'feed'. */
  readonly name?: string;
  /** How the venue is spoken to, where text frames without a login are enough. Default jsonFeed(). */
  readonly protocol?: FeedProtocol;
  /** The venue: its addresses, limits and messages. In place of `url`, `headers` and `protocol`. */
  readonly venue?: FeedVenue;
  /**
   * Default: the environment's MAX_SYMBOLS_PER_WEBSOCKET, but no more than the venue's limit; without it the venue's
   * limit, or 1000.
   */
  readonly maxSymbolsPerConnection?: number;
  /**
   * Connections that hold symbols. Default: the environment's MAX_WEBSOCKET_CONNECTIONS, but no more than the venue's
   * limit; without it the venue's limit, or 3.
   */
  readonly maxConnections?: number;
  /**
   * Connections that the venue allows. One beyond maxConnections lets a connection be replaced without a gap while all
   * are in use. Default: the venue's limit, or maxConnections.
   */
  readonly connectionQuota?: number;
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
  /**
   * The `http://` or `https://` URL of a proxy, or 'env' for HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Default: none; null
   * says the same.
   */
  readonly proxy?: string | null;
  /** Opens the connections under the sockets, in place of `proxy`: for SOCKS and the like. */
  readonly agent?: Agent;
  /** Offers permessage-deflate. Default: what the venue says, or false. */
  readonly compression?: boolean;
  /** Subprotocols to offer. Default: none. A venue has its own. */
  readonly subprotocols?: readonly string[];
  /** From dial to open. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Larger messages end the connection. Default: the venue's limit, or 1 MiB. */
  readonly maxMessageBytes?: number;
  /** How long a server may take to confirm a request. Default 5 s. */
  readonly requestTimeoutMs?: number;
  /** How long a symbol stays subscribed after its last subscriber left. Default 250. */
  readonly lingerMs?: number;
  /** Default: the venue's heartbeat, or 10 s. */
  readonly pingIntervalMs?: number;
  /** After a ping anything must come within this time. Default: the venue's, or 5 s. */
  readonly pongTimeoutMs?: number;
  /** A connection without data for so long, while the market is open, is stale. Default 30 s. */
  readonly staleAfterMs?: number;
  /**
   * Whether data is expected now. Default: the venue's own market hours. Without them, silence counts only if other
   * connections have data, or if data stopped with a reconnect; see also the event `silent`.
   */
  readonly isMarketOpen?: () => boolean;
  /** The age at which the venue ends a socket; it is replaced before. Default: the venue's, or never. */
  readonly maxAgeMs?: number;
  /**
   * How often connections are looked at to give up the emptiest one, where the others have room for its symbols. Its
   * symbols are subscribed there before they are unsubscribed. Default null: never.
   */
  readonly compactAfterMs?: number | null;
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
  /** Opens sockets. Default: the package `ws`. */
  readonly dial?: DialSocket;
}

/** The options with their defaults. */
export interface FeedSettings {
  /** The URL's scheme, host and port, which may be shown; of a venue its name. */
  readonly origin: string;
  readonly name: string;
  readonly venue: FeedVenue;
  readonly maxSymbolsPerConnection: number;
  readonly maxConnections: number;
  readonly connectionQuota: number;
  readonly placement: PlacementStrategy;
  readonly renewCredentials: NonNullable<SubscriptionPoolOptions['renewCredentials']>;
  readonly tls: TlsOptions;
  readonly proxy: string | null;
  readonly agent: Agent | null;
  /** null: as the venue says. */
  readonly compression: boolean | null;
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly requestTimeoutMs: number;
  readonly lingerMs: number;
  /** The heartbeat of a socket with this target. */
  heartbeat(target: Target): Heartbeat;
  readonly staleAfterMs: number;
  readonly isMarketOpen: (() => boolean) | null;
  readonly maxAgeMs: number | null;
  readonly compactAfterMs: number | null;
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
  venue: 'any',
  maxSymbolsPerConnection: 'number',
  maxConnections: 'number',
  connectionQuota: 'number',
  placement: 'any',
  headers: 'function',
  renewCredentials: 'function',
  tls: {
    fields: {
      ca: 'text',
      serverName: 'text',
      verify: 'boolean',
      cert: 'text',
      key: 'text',
      passphrase: 'text',
    },
  },
  proxy: 'any',
  agent: 'any',
  compression: 'boolean',
  subprotocols: 'any',
  connectTimeoutMs: 'number',
  maxMessageBytes: 'number',
  requestTimeoutMs: 'number',
  lingerMs: 'number',
  pingIntervalMs: 'number',
  pongTimeoutMs: 'number',
  staleAfterMs: 'number',
  isMarketOpen: 'function',
  maxAgeMs: 'number',
  compactAfterMs: 'number or null',
  backoff: { fields: { baseMs: 'number', capMs: 'number' } },
  stableAfterMs: 'number',
  dials: { fields: { perSecond: 'number', burst: 'number', perMinute: 'number' } },
  idleCloseMs: 'number',
  minConnections: 'number',
  clock: 'any',
  random: 'function',
  dial: 'function',
} as const satisfies OptionShape & Record<keyof SubscriptionPoolOptions, unknown>;

/** Option names of other WebSocket clients. */
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
  cert: 'pass tls: { cert }',
  key: 'pass tls: { key }',
  perMessageDeflate: 'compression',
  httpProxy: 'proxy',
  proxyUrl: 'proxy',
  adapter: 'venue',
  maxSymbols: 'maxSymbolsPerConnection',
  max: 'maxConnections',
  min: 'minConnections',
};

/** Throws a FeedError with ERR_FEED_OPTION. */
export function resolveOptions(options: SubscriptionPoolOptions): FeedSettings {
  const problems = optionProblems(options, SHAPE, FOREIGN_NAMES);
  if (problems.length > 0) throw optionError(problems.join('; '));
  const given = options.venue;
  if (given !== undefined) checkVenue(options, given);
  const venueMost = given?.limits;
  const maxConnections = whole(
    'maxConnections',
    options.maxConnections ??
      within('MAX_WEBSOCKET_CONNECTIONS', venueMost?.connections) ??
      venueMost?.connections ??
      3,
    1,
  );
  const venue = given ?? venueOf(options);
  const settings: FeedSettings = {
    origin: given === undefined ? originOf(options.url as string) : given.name,
    name: options.name ?? given?.name ?? 'feed',
    venue,
    maxSymbolsPerConnection: whole(
      'maxSymbolsPerConnection',
      options.maxSymbolsPerConnection ??
        within('MAX_SYMBOLS_PER_WEBSOCKET', venueMost?.topicsPerConnection) ??
        venueMost?.topicsPerConnection ??
        1000,
      1,
    ),
    maxConnections,
    connectionQuota: whole(
      'connectionQuota',
      options.connectionQuota ?? Math.max(maxConnections, venueMost?.connections ?? 0),
      maxConnections,
    ),
    placement: options.placement ?? 'first-fit',
    // A venue makes its target anew for each dial, so another try is worth it.
    renewCredentials: options.renewCredentials ?? (() => given !== undefined),
    tls: options.tls ?? {},
    proxy: proxyOf(options.proxy ?? null),
    agent: options.agent ?? null,
    compression: options.compression ?? null,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    maxMessageBytes: whole(
      'maxMessageBytes',
      options.maxMessageBytes ?? venueMost?.messageBytes ?? 2 ** 20,
      1,
    ),
    requestTimeoutMs: options.requestTimeoutMs ?? 5000,
    lingerMs: options.lingerMs ?? 250,
    heartbeat: (target) => heartbeatOf(options, target.heartbeat ?? venue.heartbeat),
    staleAfterMs: options.staleAfterMs ?? 30_000,
    isMarketOpen: options.isMarketOpen ?? null,
    maxAgeMs: options.maxAgeMs ?? venueMost?.maxAgeMs ?? null,
    compactAfterMs: options.compactAfterMs ?? null,
    backoff: { baseMs: 500, capMs: 30_000, ...options.backoff },
    stableAfterMs: options.stableAfterMs ?? 10_000,
    dials: { perSecond: 1, perMinute: 60, burst: maxConnections, ...options.dials },
    idleCloseMs: options.idleCloseMs ?? 30_000,
    minConnections: whole('minConnections', options.minConnections ?? 1, 0),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    dial: options.dial ?? venue.dial ?? dialWs,
  };
  const { pingIntervalMs = 0, pongTimeoutMs = 0 } = options;
  for (const [name, value] of Object.entries({
    ...settings,
    ...settings.backoff,
    pingIntervalMs,
    pongTimeoutMs,
  })) {
    if (name.endsWith('Ms') && value !== null && !((value as number) >= 0))
      throw optionError(`${name} is ${value}; it must be 0 or more`);
  }
  whole('burst of dials', settings.dials.burst, 1);
  whole('perMinute of dials', settings.dials.perMinute, 1);
  if (!(settings.dials.perSecond > 0)) throw optionError('perSecond of dials must be more than 0');
  return settings;
}

/** A value of the environment, which no venue is asked beyond its limit for. */
function within(name: FeedVariable, most: number | undefined): number | null {
  const value = fromEnvironment(name);
  return value === null ? null : Math.min(value, most ?? value);
}

/** The venue of a URL and a FeedProtocol. */
function venueOf(options: SubscriptionPoolOptions): FeedVenue {
  const { url, headers = () => ({}), compression = false, subprotocols = [] } = options;
  const protocol = options.protocol ?? jsonFeed();
  const { symbolsPerMessage, messagesPerSecond } = protocol.limits;
  whole('symbolsPerMessage of the protocol', symbolsPerMessage, 1);
  whole('messagesPerSecond of the protocol', messagesPerSecond, 1);
  return fromProtocol(protocol, {
    heartbeat: { kind: 'frame', everyMs: 10_000, answerMs: 5000 },
    target: async () => ({ url: url as string, headers: await headers(), compression, subprotocols }),
  });
}

const OF_A_URL = ['url', 'headers', 'protocol', 'subprotocols'] as const;

function checkVenue(options: SubscriptionPoolOptions, venue: FeedVenue): void {
  const both = OF_A_URL.filter((name) => options[name] !== undefined);
  if (both.length > 0)
    throw optionError(`a venue has its own ${both.join(' and ')}; pass them to its adapter`);
  if (typeof venue?.session !== 'function' || typeof venue.target !== 'function')
    throw optionError('the venue has no target() or no session(); pass a FeedVenue');
  const { limits, modes = [], modeChange } = venue;
  whole('connections in the limits of the venue', limits.connections, 1);
  whole('topicsPerConnection in the limits of the venue', limits.topicsPerConnection, 1);
  whole('topicsPerRequest in the limits of the venue', limits.topicsPerRequest, 1);
  for (const { what, scope, most, windowMs } of limits.budgets) {
    whole(`most in the budget of ${what}`, most, 1);
    if (!(windowMs > 0)) throw optionError(`windowMs in the budget of ${what} must be more than 0`);
    if (what === 'dials' && scope === 'connection')
      throw optionError("a budget of dials has the scope 'lane' or 'pool'");
  }
  if (modes.length === 0 && modeChange !== undefined)
    throw optionError('the venue has a modeChange and no modes');
}

/** The options shorten or lengthen the venue's heartbeat, whatever its kind. */
function heartbeatOf(
  { pingIntervalMs, pongTimeoutMs }: SubscriptionPoolOptions,
  heartbeat: Heartbeat,
): Heartbeat {
  if (heartbeat.kind === 'server') return heartbeat;
  return {
    ...heartbeat,
    everyMs: pingIntervalMs ?? heartbeat.everyMs,
    answerMs: pongTimeoutMs ?? heartbeat.answerMs,
  };
}

function proxyOf(proxy: string | null): string | null {
  if (proxy === null) return null;
  if (proxy === 'env') {
    for (const url of ['ws://feed', 'wss://feed']) proxyOf(proxyOfDial(proxy, url));
    return proxy;
  }
  let protocol = '';
  try {
    protocol = new URL(proxy).protocol;
  } catch {
    // Said below: the URL may hold a password.
  }
  if (protocol !== 'http:' && protocol !== 'https:')
    throw optionError('the URL of the proxy must begin with http:// or https://; for others pass an agent');
  return proxy;
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
