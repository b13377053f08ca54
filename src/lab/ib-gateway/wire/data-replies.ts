import type { Field } from './frames.js';
import type { Bar, Instrument } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

/** A trade or quote of a stream of ticks. `atS` is in seconds since the epoch. */
export interface StreamTick {
  readonly atS: number;
  readonly bid: number;
  readonly ask: number;
  readonly last: number;
  readonly bidSize: number;
  readonly askSize: number;
  readonly lastSize: number;
}

/** One tick of a tick-by-tick stream: trades for Last and AllLast, quotes, or midpoints. */
export function tickByTick(id: number, stream: string, tick: StreamTick, venue: string): Reply {
  const { atS, bid, ask, last, bidSize, askSize, lastSize } = tick;
  switch (stream) {
    case 'BidAsk':
      return [99, id, 3, atS, bid, ask, bidSize, askSize, 0];
    case 'MidPoint':
      return [99, id, 4, atS, (bid + ask) / 2];
    default:
      return [99, id, stream === 'AllLast' ? 2 : 1, atS, last, lastSize, 0, venue, ''];
  }
}

/** Past ticks, the oldest first: trades, quotes or midpoints, as `whatToShow` says. */
export function historicalTicks(
  id: number,
  whatToShow: string,
  ticks: readonly StreamTick[],
  venue: string,
): Reply {
  switch (whatToShow) {
    case 'BID_ASK': {
      const quotes = ticks.flatMap(({ atS, bid, ask, bidSize, askSize }): Field[] => [
        ...[atS, 0, bid, ask, bidSize, askSize],
      ]);
      return [97, id, ticks.length, ...quotes, 1];
    }
    case 'MIDPOINT':
      return [
        96,
        id,
        ticks.length,
        ...ticks.flatMap(({ atS, bid, ask }): Field[] => [atS, 0, (bid + ask) / 2, 0]),
        1,
      ];
    default: {
      const trades = ticks.flatMap(({ atS, last, lastSize }): Field[] => [atS, 0, last, lastSize, venue, '']);
      return [98, id, ticks.length, ...trades, 1];
    }
  }
}

/** A bar of five seconds; its time is in seconds since the epoch. */
export function realTimeBar(
  id: number,
  { time, open, high, low, close, volume, average, count }: Bar,
): Reply {
  return [50, 3, id, time, open, high, low, close, volume, average, count];
}

export function histogram(id: number, entries: readonly (readonly [price: number, size: number])[]): Reply {
  return [89, id, entries.length, ...entries.flat()];
}

export function optionChain(
  id: number,
  exchange: string,
  underlying: Instrument,
  chain: { readonly expirations: readonly string[]; readonly strikes: readonly number[] },
): Reply {
  const { conId, symbol, secType, multiplier } = underlying;
  const { expirations, strikes } = chain;
  const each = secType === 'FUT' ? multiplier : '100';
  return [
    75,
    id,
    exchange,
    conId,
    symbol,
    each,
    expirations.length,
    ...expirations,
    strikes.length,
    ...strikes,
  ];
}

export function optionChainEnd(id: number): Reply {
  return [76, id];
}

export function symbolSamples(id: number, found: readonly Instrument[], version: number): Reply {
  const rows = found.flatMap((instrument): Field[] => [
    ...[instrument.conId, instrument.symbol, instrument.secType, instrument.primaryExchange],
    ...[instrument.currency, 1, 'OPT'],
    ...(version >= Since.bondIssuer ? [instrument.longName, ''] : []),
  ]);
  return [79, id, found.length, ...rows];
}

export function marketRule(ruleId: number, step: number): Reply {
  return [93, ruleId, 1, 0, step];
}

/** The exchange of each bit of a quote's mask. */
export function smartComponents(id: number): Reply {
  return [82, id, 3, 0, 'NASDAQ', 'Q', 1, 'NYSE', 'N', 2, 'ARCA', 'P'];
}

export function schedule(
  id: number,
  {
    start,
    end,
    sessions,
  }: {
    readonly start: string;
    readonly end: string;
    readonly sessions: readonly { readonly start: string; readonly end: string; readonly day: string }[];
  },
): Reply {
  const rows = sessions.flatMap((one) => [one.start, one.end, one.day]);
  return [106, id, start, end, 'UTC', sessions.length, ...rows];
}

/** Lists that are empty here: soft dollar tiers, exchanges with depth, news providers. */
export const emptyLists = {
  softDollarTiers: (id: number): Reply => [77, id, 0],
  depthExchanges: (): Reply => [80, 0],
  newsProviders: (): Reply => [85, 0],
};

export function scannerParameters(): Reply {
  return [19, 1, '<?xml version="1.0" encoding="UTF-8"?><ScanParameterResponse/>'];
}

export function userInfo(id: number): Reply {
  return [107, id, ''];
}
