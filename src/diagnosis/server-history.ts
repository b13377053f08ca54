import type { ServerFact } from './facts.js';

/** The figures kept of one reading of a server: counters, summed over its databases. */
export interface ServerSample {
  readonly atMs: number;
  readonly transactions: number;
  readonly sessions: number | null;
  readonly activeMs: number | null;
  readonly idleInTransactionMs: number | null;
  readonly deadlocks: number | null;
  readonly conflicts: number | null;
  readonly rollbacks: number | null;
  readonly temporaryBytes: number | null;
  readonly blocksHit: number | null;
  readonly blocksRead: number | null;
}

/** Rates of a server, from the difference of two samples; null where unknown. */
export interface ServerRates {
  readonly overMs: number;
  readonly transactionsPerSecond: number;
  readonly sessionsPerSecond: number | null;
  /** The share of transaction time in which sessions ran no statement. */
  readonly thinkShare: number | null;
  /** How many in that time. */
  readonly deadlocks: number | null;
  readonly conflicts: number | null;
  readonly rollbacks: number | null;
  /** Written to temporary files in that time. */
  readonly temporaryBytes: number | null;
  /** The share of needed blocks that the server's cache had. null if none was needed. */
  readonly cacheHitShare: number | null;
}

export type ServerHistory = ReadonlyMap<string, readonly ServerSample[]>;
export const NO_SERVER_HISTORY: ServerHistory = new Map();

const SAMPLES = 30;
const RECENT_MS = 10_000;

/** With what is read of these servers now. One whose counters went back has been restarted: its past is dropped. */
export function nextServerHistory(
  history: ServerHistory,
  servers: readonly ServerFact[],
  atMs: number,
): ServerHistory {
  return new Map(
    servers
      .filter(({ stale }) => !stale)
      .map(({ source, server }) => {
        const next = sampleOf(server, atMs);
        const before = history.get(source) ?? [];
        const last = before.at(-1);
        if (last === undefined || next.transactions < last.transactions) return [source, [next]];
        return [source, next.atMs <= last.atMs ? before : [...before.slice(-SAMPLES + 1), next]];
      }),
  );
}

function sampleOf({ databases, status }: ServerFact['server'], atMs: number): ServerSample {
  const sum = (of: (one: (typeof databases)[number]) => number | null | undefined): number | null => {
    const known = databases.flatMap((one) => of(one) ?? []);
    return known.length === 0 ? null : known.reduce((all, one) => all + one, 0);
  };
  return {
    atMs,
    transactions: sum(({ transactions }) => transactions) ?? 0,
    sessions: sum(({ sessions }) => sessions) ?? status?.connections ?? null,
    activeMs: sum(({ activeMs }) => activeMs),
    idleInTransactionMs: sum(({ idleInTransactionMs }) => idleInTransactionMs),
    deadlocks: sum(({ deadlocks }) => deadlocks) ?? status?.innodb_deadlocks ?? null,
    conflicts: sum(({ conflicts }) => conflicts),
    rollbacks: sum(({ rollbacks }) => rollbacks),
    temporaryBytes: sum(({ temporaryBytes }) => temporaryBytes),
    blocksHit: sum(({ blocksHit }) => blocksHit),
    blocksRead: sum(({ blocksRead }) => blocksRead),
  };
}

export function serverRatesOf(samples: readonly ServerSample[]): ServerRates | null {
  const now = samples.at(-1);
  const then = samples.find(({ atMs }) => now !== undefined && now.atMs - atMs <= RECENT_MS);
  if (now === undefined || then === undefined || then === now) return null;
  const overMs = now.atMs - then.atMs;
  const grown = (one: number | null, other: number | null): number | null =>
    one === null || other === null ? null : Math.max(0, one - other);
  const active = grown(now.activeMs, then.activeMs);
  const idle = grown(now.idleInTransactionMs, then.idleInTransactionMs);
  const sessions = grown(now.sessions, then.sessions);
  const hit = grown(now.blocksHit, then.blocksHit);
  const read = grown(now.blocksRead, then.blocksRead);
  return {
    overMs,
    transactionsPerSecond: ((now.transactions - then.transactions) * 1000) / overMs,
    sessionsPerSecond: sessions === null ? null : (sessions * 1000) / overMs,
    thinkShare: active === null || idle === null || active + idle === 0 ? null : idle / (active + idle),
    deadlocks: grown(now.deadlocks, then.deadlocks),
    conflicts: grown(now.conflicts, then.conflicts),
    rollbacks: grown(now.rollbacks, then.rollbacks),
    temporaryBytes: grown(now.temporaryBytes, then.temporaryBytes),
    cacheHitShare: hit === null || read === null || hit + read === 0 ? null : hit / (hit + read),
  };
}
