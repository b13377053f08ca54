import { formatDuration } from '../base/units.js';
import type { WatchedHolder, WatchedSnapshot } from '../snapshot/pool.js';

/**
 * The leases that are out when a process exits, by the place where they were acquired, the most first, as lines for its
 * stderr; empty if there are none.
 */
export function summaryOf(pools: readonly WatchedSnapshot[], thread = 0): string {
  const leaking = pools.filter(({ holders }) => holders.length > 0);
  const count = leaking.reduce((sum, { holders }) => sum + holders.length, 0);
  if (count === 0) return '';
  const where = thread === 0 ? '' : ` of thread ${thread}`;
  const lines = leaking.flatMap(({ name, size, holders }) => [
    `  ${shown(name)}: ${holders.length}${size === null ? '' : ` of ${size}`}`,
    ...bySite(holders).map(siteLine),
  ]);
  return [`poolctl: ${leases(count)} out at exit${where}`, ...lines, ''].join('\n');
}

function bySite(holders: readonly WatchedHolder[]): WatchedHolder[][] {
  const sites = new Map<string | null, WatchedHolder[]>();
  for (const holder of holders) {
    const same = sites.get(holder.site);
    if (same === undefined) sites.set(holder.site, [holder]);
    else same.push(holder);
  }
  return [...sites.values()].sort((one, other) => other.length - one.length);
}

/** Its oldest lease comes first. */
function siteLine(holders: readonly WatchedHolder[]): string {
  const [oldest] = holders;
  const age = oldest?.ageMs == null ? '' : `, for ${formatDuration(Math.round(oldest.ageMs))}`;
  const sql = oldest?.lastSql == null ? '' : `, last: ${shown(oldest.lastSql)}`;
  const helper = oldest?.helper == null ? '' : ` (through ${shown(oldest.helper)})`;
  const site = shown(oldest?.site ?? 'a place that was not sampled');
  return `    ${holders.length} acquired at ${site}${helper}${age}${purposeOf(oldest)}${sql}`;
}

/** The purpose of the lease, if it is out on purpose. */
function purposeOf(holder: WatchedHolder | undefined): string {
  const { listens = [], keeps = [] } = holder?.session ?? {};
  const kept = [
    ...listens.map((channel) => `LISTEN ${channel}`),
    ...keeps.filter((what) => /^(?:REPLICATION|ADVISORY LOCK|CURSOR)$/.test(what)),
  ];
  return kept.length === 0 ? '' : `, kept for ${shown(kept.join(', '))}`;
}

function leases(count: number): string {
  return count === 1 ? '1 lease' : `${count} leases`;
}

const MOST_SHOWN = 100;

/** In one line, and without signs that steer a terminal: SQL may hold anything. */
function shown(text: string): string {
  const line = text
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cc}\p{Cf}]/gu, '?')
    .trim();
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}...` : line;
}
