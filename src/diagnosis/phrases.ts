import { printable } from '../report/text.js';
import type { HolderFact, PoolFact } from './facts.js';
import { LEAK_MS } from './facts.js';
import { isFull, isPressed, isRefusing, ranked } from './look.js';
import type { Look } from './types.js';
import { counted, shortSite } from './words.js';

/** `orders: exhausted; `, what follows, and how many wait. */
export function ofPool(fact: PoolFact, clause: string, isFailing = false): string {
  return `${poolHead(fact, isFailing)}${clause}; ${waitingWords(fact)}`;
}

/** `orders: exhausted; `: the name of a pool and what it suffers from; the name alone where it suffers from nothing. */
export function poolHead(fact: PoolFact, isFailing = false): string {
  const { pool } = fact;
  const isOpening = !isFull(fact) && !isFailing && (pool.creating ?? 0) > 0;
  const pressed = isOpening ? 'growing; ' : 'exhausted; ';
  const calm = isFull(fact) ? 'full; ' : isFailing ? `cannot grow beyond ${openOf(fact)}; ` : '';
  return `${printable(pool.name)}: ${isPressed(fact) ? pressed : calm}`;
}

/** The open connections, without those that are still being opened. */
function openOf({ pool: { live, creating } }: PoolFact): string {
  return live === null ? 'its present size' : String(live - (creating ?? 0));
}

export function waitingWords(fact: PoolFact): string {
  const { waiting } = fact.pool;
  if (waiting === null) return 'waiters not known';
  if (isRefusing(fact)) return `${waiting} waiting, and further callers are refused`;
  return waiting === 0 ? 'none waiting' : `${waiting} waiting`;
}

/** ` by src/orders.ts:88`; of more places than two, the two with most of them. '' where none is known. */
export function sitesOf(holders: readonly HolderFact[], { cwd }: Pick<Look, 'cwd'>): string {
  const sites = ranked(holders.map(({ holder }) => holder.site ?? ''))
    .filter((site) => site !== '')
    .slice(0, 2);
  if (sites.length === 0) return '';
  const more = holders.filter(({ holder }) => !sites.includes(holder.site ?? '')).length;
  const names = sites.map((site) => printable(shortSite(site, cwd)));
  return ` by ${[...names, ...(more > 0 ? [`${more} elsewhere`] : [])].join(' and ')}`;
}

/** `3 of 15 leases held > 30 s by src/orders.ts:88`. */
export function heldWords(
  some: readonly HolderFact[],
  inUse: number,
  look: Pick<Look, 'cwd'>,
  how = '',
): string {
  const allOld = some.every(({ holder }) => (holder.ageMs ?? 0) > LEAK_MS);
  const held = allOld ? `held > ${LEAK_MS / 1000} s` : 'held too long';
  return `${some.length} of ${counted(inUse, 'lease')} ${held}${how}${sitesOf(some, look)}`;
}

/** The places where they were acquired, one a line. */
export function siteEvidence(holders: readonly HolderFact[], { cwd }: Pick<Look, 'cwd'>): string[] {
  const sites = holders.map(({ holder }) => holder.site ?? '');
  return ranked(sites)
    .slice(0, 5)
    .map((site) => {
      const count = sites.filter((one) => one === site).length;
      const place = site === '' ? 'a place that was not sampled' : printable(shortSite(site, cwd));
      return `${count} acquired at ${place}`;
    });
}

export function quote(text: string, most = 60): string {
  return printable(text.replace(/\s+/g, ' ').trim()).slice(0, most);
}
