import type { FeedConnection } from './connection.js';
import type { FeedSettings } from './options.js';

/** Ticks that a connection was to have in its silence, going by its own past, before the silence means anything. */
const OWN_TICKS = 20;
/** The same, going by the others' ticks for each symbol: symbols differ, so it takes more, and several symbols. */
const OTHERS_TICKS = 100;
const OTHERS_SYMBOLS = 10;

/**
 * Whether a connection is to have data now: as the user or the venue says; else by what shows it. That is data of other
 * connections, or data that stopped with a reconnect, where this one used to have data at a rate that makes its silence
 * no accident. null where nothing shows it: the market may be closed.
 */
export function isDataDue(
  connection: FeedConnection,
  all: readonly FeedConnection[],
  settings: Pick<FeedSettings, 'isMarketOpen' | 'clock' | 'staleAfterMs'>,
  markets: ReadonlyMap<string, boolean>,
): boolean | null {
  if (settings.isMarketOpen !== null) return settings.isMarketOpen();
  if (markets.size > 0) return [...markets.values()].includes(true);
  const now = settings.clock.now();
  const { staleAfterMs } = settings;
  const silentMs = now - (connection.tickAt ?? connection.openedAt);
  const ownTicks = rateOf(connection, now) * silentMs;
  const flowing = all.filter(
    (each) => each !== connection && each.tickAt !== null && now - each.tickAt < staleAfterMs / 2,
  );
  if (flowing.length > 0) {
    const perSymbol = Math.min(...flowing.map((each) => rateOf(each, now) / Math.max(1, each.live)));
    const isNew = connection.ticks === 0;
    const { live } = connection;
    if (isNew && live >= OTHERS_SYMBOLS && perSymbol * live * silentMs >= OTHERS_TICKS) return true;
    if (!isNew && ownTicks >= OWN_TICKS) return true;
  }
  const { flowedUntil, tickAt, openedAt } = connection;
  const stopped = tickAt === null && flowedUntil !== null && openedAt - flowedUntil < staleAfterMs;
  return stopped && ownTicks >= OWN_TICKS ? true : null;
}

/** Ticks a millisecond since it was made. */
function rateOf({ ticks, madeAt }: FeedConnection, now: number): number {
  return ticks / Math.max(1, now - madeAt);
}
