import { type Diagnosis, diagnose } from '../../src/diagnosis/diagnose.js';
import { factsOf } from '../../src/diagnosis/facts.js';
import { type PoolSample, sampleOf, withSample } from '../../src/diagnosis/history.js';
import type { SourceState } from '../../src/snapshot/reading.js';
import { holder, tick } from './helpers.js';

/** The diagnosis after these sources were read twice, a second apart; the pools have lent 50 times in between. */
export function diagnosisOf(...sources: SourceState[]): Diagnosis {
  return diagnosisAfter({}, ...sources);
}

/** The same, with what the pools counted in between. */
export function diagnosisAfter(between: Partial<PoolSample>, ...sources: SourceState[]): Diagnosis {
  const facts = factsOf(tick(...sources));
  const history = new Map<string, readonly PoolSample[]>();
  for (const { key, pool: one } of facts.pools) {
    const now = sampleOf(one);
    const before = { ...now, atMs: now.atMs - 1000, released: (now.released ?? 0) - 50, ...between };
    history.set(key, withSample(withSample([], before), now));
  }
  return diagnose(facts, { history, cwd: '/app' });
}

export const many = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));
export const leases = (count: number, own: (at: number) => Parameters<typeof holder>[0] = () => ({})) =>
  many(count, (at) => holder({ leaseId: at + 1, localPort: 1000 + at, ...own(at) }));
export const postgres = { source: 'pg', kind: 'postgres' } as const;
export const bouncer = { source: 'pgb', kind: 'pgbouncer' } as const;

/** Clients of PgBouncer that wait, at the ports of `leases`. */
export const queued = (count: number, waitMs: number) =>
  many(count, (at) => ({
    ...{ id: `c${at}`, user: 'app', database: 'shop', application: 'api', state: 'waiting' },
    ...{ address: '127.0.0.1', port: 1000 + at, waitMs, link: null },
  }));
export const linked = (backendPid: number) => ({
  ...{ id: `s${backendPid}`, user: 'app', database: 'shop', state: 'active', backendPid },
  ...{ localPort: null, link: null },
});
