import type { FeedVenue } from '../../ws/venue.js';
import { binance } from '../../ws/venues/binance.js';
import { coinbase } from '../../ws/venues/coinbase.js';
import { kite } from '../../ws/venues/kite.js';
import type { KiteTick } from '../../ws/venues/kite-packets.js';
import { okx } from '../../ws/venues/okx.js';
import type { VenueName } from '../feed-server/venues/venue-names.js';
import type { VenueRules } from '../feed-server/venues/venue-wire.js';

export const STRESS_PROTOCOLS = ['json', 'kite', 'binance', 'coinbase', 'okx'] as const;
export type StressProtocolName = (typeof STRESS_PROTOCOLS)[number];

/** How a stress test speaks to a simulated venue. */
export interface StressVenue {
  readonly name: VenueName;
  /** Rules of the simulated venue that are quicker than the real ones, so that a run takes seconds. */
  readonly rules: Partial<VenueRules>;
  /** Default: the venue has none. */
  readonly mode?: string;
  symbol(at: number): string;
  /** One that the venue does not know. */
  unknown(at: number): string;
  adapter(url: string): FeedVenue;
  /** The outcome of an unknown symbol: venues that confirm nothing cannot refuse it. */
  readonly unknownBecomes: 'refused' | 'assumed' | 'live';
  /** The running number of the events of a symbol, which shows what is missing and what comes twice. */
  numberOf(data: unknown): number;
}

const padded = (at: number): string => String(at).padStart(5, '0');
/** A peer that says so often that it lives is found dead soon. */
const QUICK = { kind: 'server', silentMs: 1500 } as const;

export const STRESS_VENUES: Readonly<Record<VenueName, StressVenue>> = {
  kite: {
    name: 'kite',
    rules: { heartbeatMs: 300 },
    // A last price has no number.
    mode: 'quote',
    symbol: (at) => String(256 * (at + 1) + 1),
    unknown: (at) => String(256 * (1_000_000 + at) + 1),
    adapter: (url) => kite({ url, apiKey: 'stress', accessToken: 'secret', heartbeat: QUICK }),
    unknownBecomes: 'assumed',
    numberOf: (data) => (data as KiteTick).volume ?? 0,
  },
  binance: {
    name: 'binance',
    // A ping each second would fill the budget of frames.
    rules: { ping: { everyMs: 1100, answerMs: 60_000 } },
    symbol: (at) => `s${padded(at)}usdt@trade`,
    unknown: (at) => `bad${at} usdt@trade`,
    adapter: (url) => binance({ url, heartbeat: { kind: 'server', silentMs: 3000 } }),
    unknownBecomes: 'refused',
    numberOf: (data) => (data as { t: number }).t,
  },
  coinbase: {
    name: 'coinbase',
    rules: { heartbeatMs: 300 },
    symbol: (at) => `S${padded(at)}-USD`,
    unknown: (at) => `BAD${at}-USD`,
    adapter: (url) => coinbase({ url, channels: ['market_trades'], heartbeat: QUICK }),
    unknownBecomes: 'refused',
    numberOf: (data) => Number((data as { data: { trade_id: string } }).data.trade_id),
  },
  okx: {
    name: 'okx',
    rules: {},
    symbol: (at) => `trades:S${padded(at)}-USDT`,
    unknown: (at) => `trades:BAD${at}-USDT`,
    adapter: (url) =>
      okx({
        url,
        heartbeat: { kind: 'message', everyMs: 500, answerMs: 500, whenSilent: true, make: () => 'ping' },
      }),
    unknownBecomes: 'refused',
    numberOf: (data) => Number((data as { tradeId: string }).tradeId),
  },
};
