import { binanceWire } from './binance-wire.js';
import { coinbaseWire } from './coinbase-wire.js';
import { kiteWire } from './kite-wire.js';
import { okxWire } from './okx-wire.js';
import type { VenueRules, VenueWire } from './venue-wire.js';

/** The simulated venues, by name. */
export const VENUE_NAMES = ['kite', 'binance', 'coinbase', 'okx'] as const;
export type VenueName = (typeof VENUE_NAMES)[number];

interface NamedVenue {
  wire(rules: Partial<VenueRules>): VenueWire;
  /** Follows the origin in the URL that its adapter is given. */
  readonly path: string;
}

export const VENUES: Readonly<Record<VenueName, NamedVenue>> = {
  kite: { path: '', wire: (rules) => kiteWire({ rules }) },
  binance: { path: '/stream', wire: (rules) => binanceWire({ rules }) },
  coinbase: { path: '', wire: (rules) => coinbaseWire({ rules }) },
  okx: { path: '/ws/v5', wire: (rules) => okxWire({ rules }) },
};
