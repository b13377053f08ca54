import { FeedError } from './errors.js';
import { type Subscription, topicKey } from './subscription.js';
import type { FeedVenue, VenueLimits } from './venue.js';

/** One topic that is asked for, and the key of its subscription. */
export interface AskedTopic {
  readonly key: string;
  readonly symbol: string;
  readonly mode: string;
  readonly lane: string;
}

/** The topics of symbols in a mode. Throws ERR_FEED_OPTION if the venue has no such mode. */
export function topicsOf(
  venue: FeedVenue,
  symbols: Iterable<string>,
  mode: string | undefined,
): AskedTopic[] {
  const chosen = checkedMode(venue, mode);
  const isSeparate = venue.modeChange === 'separate';
  return [...new Set(symbols)].map((symbol) => ({
    key: isSeparate ? topicKey(symbol, chosen) : symbol,
    symbol,
    mode: chosen,
    lane: venue.lane?.({ symbol, mode: chosen }) ?? '',
  }));
}

/** The keys that symbols have: where modes are separate, one for each of them, or for the one that is named. */
export function keysOf(
  { modes = [], modeChange }: FeedVenue,
  symbols: Iterable<string>,
  mode?: string,
): Iterable<string> {
  if (modeChange !== 'separate') return symbols;
  const wanted = mode === undefined ? modes : [mode];
  return [...symbols].flatMap((symbol) => wanted.map((each) => topicKey(symbol, each)));
}

function checkedMode({ modes = [], name }: FeedVenue, mode: string | undefined): string {
  if (modes.length === 0) {
    if (mode === undefined || mode === '') return '';
    throw new FeedError('ERR_FEED_OPTION', `the venue '${name}' has no modes, and '${mode}' was asked for`);
  }
  const chosen = mode ?? (modes[0] as string);
  if (modes.includes(chosen)) return chosen;
  throw new FeedError(
    'ERR_FEED_OPTION',
    `the venue '${name}' has no mode '${chosen}'; there are ${modes.join(', ')}`,
  );
}

/** The mode that a topic needs upstream: the strongest that a subscriber wants. */
export function strongestMode(
  { modes = [], modeChange }: FeedVenue,
  { subscribers, mode }: Subscription,
): string {
  if (modes.length === 0 || modeChange === 'separate' || subscribers.size === 0) return mode;
  let strongest = -1;
  for (const each of subscribers.values()) strongest = Math.max(strongest, modes.indexOf(each));
  return modes[strongest] ?? mode;
}

/** How many more topics of a mode fit on a connection that has so many of each mode. */
export function roomForMode(
  { topicsPerMode, topicsPerConnection }: VenueLimits,
  counts: ReadonlyMap<string, number>,
  mode: string,
): number {
  const others = [...counts].filter(([each, count]) => each !== mode && count > 0);
  const own = counts.get(mode) ?? 0;
  if (others.length === 0) return (topicsPerMode?.[mode]?.alone ?? topicsPerConnection) - own;
  const isOver = others.some(
    ([each, count]) => count > (topicsPerMode?.[each]?.together ?? topicsPerConnection),
  );
  if (isOver) return 0;
  const total = others.reduce((sum, [, count]) => sum + count, own);
  const ofMode = (topicsPerMode?.[mode]?.together ?? topicsPerConnection) - own;
  return Math.max(0, Math.min(ofMode, topicsPerConnection - total));
}
