import type { SocketOwner } from '../watch/directory.js';
import { findSockets } from './discovery.js';
import { SourceError } from './errors.js';
import { openSource } from './registry.js';
import type { SourceOptions, StatsSource } from './types.js';

/** Stands for whatever applications of this user publish at this moment. */
export const LIVE = 'pool:';

export interface Expanded {
  /** Each once. */
  readonly addresses: readonly string[];
  /** Live applications were meant, and there is none. */
  readonly nobodyPublishes: boolean;
}

/** The addresses that are meant by these: LIVE, and no address at all, are those of live applications. */
export async function expandAddresses(
  addresses: readonly string[],
  owner: SocketOwner,
  signal: AbortSignal,
): Promise<Expanded> {
  const wanted = addresses.length === 0 ? [LIVE] : addresses;
  const live = wanted.includes(LIVE) ? (await findSockets(owner, signal)).map((one) => one.address) : null;
  const found = wanted.flatMap((address) => (address === LIVE ? (live ?? []) : [address]));
  return { addresses: [...new Set(found)], nobodyPublishes: live?.length === 0 };
}

/** Sources of all these addresses, by address; or what is wrong with each that is wrong. Connects to nothing. */
export function openSources(
  addresses: readonly string[],
  options: SourceOptions,
): { readonly sources: ReadonlyMap<string, StatsSource>; readonly problems: readonly string[] } {
  const sources = new Map<string, StatsSource>();
  const problems: string[] = [];
  for (const address of addresses) {
    try {
      sources.set(address, openSource(address, options));
    } catch (error) {
      if (!(error instanceof SourceError && error.code === 'ERR_SOURCE_ADDRESS')) throw error;
      problems.push(error.message);
    }
  }
  return { sources, problems };
}
