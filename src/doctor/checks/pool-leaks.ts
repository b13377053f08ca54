import { formatCount, formatDuration, formatMs } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, skip, warn } from '../outcome.js';
import { forEachPool, leaksOf, lendsLeases } from '../pools.js';
import type { Check, FixStep } from '../types.js';

const MOST_SITES = 5;

export const poolLeaks: Check = {
  id: 'pool-leaks',
  title: 'no lease is held for too long',
  needs: ['pool'],
  why:
    'A lease that never comes back makes the pool smaller for good. When the last one is gone, every ' +
    'request waits until it times out, and only a restart helps.',
  details:
    'Fails if leases are held beyond the threshold and do nothing. A lease with a running query is slow, ' +
    'not lost. Warns if the garbage collector found dropped leases, which came back late. The threshold is ' +
    'leakWatch in a pool of poolctl, and --leak-after of poolctl run.',
  run: forEachPool(judge),
};

function judge(pool: PoolReading): Finding | null {
  if (!lendsLeases(pool)) return null;
  if (pool.setup?.leakAfterMs === 'never') return skip('leak detection is off');
  const leaks = leaksOf(pool);
  const collected = pool.counters.collected ?? 0;
  if (leaks.length === 0 && collected === 0)
    return pass(
      `${formatCount(pool.inUse)} lent, none for longer than ${limit(pool.setup?.leakAfterMs ?? null)}`,
    );
  const sites = countBy(leaks.map(({ site }) => site ?? 'a place without a sampled stack'));
  const shown = sites.slice(0, MOST_SITES);
  const oldest = Math.max(0, ...leaks.map(({ ageMs }) => ageMs ?? 0));
  const evidence = [
    ...shown.map(([site, count]) => `${count} acquired at ${site}`),
    ...(sites.length > shown.length ? [`${sites.length - shown.length} more places`] : []),
  ];
  const steps = shown.map(
    ([site]): FixStep => codeStep(`release the lease acquired at ${site} on every path: ${howFor(pool)}`),
  );
  if (leaks.length > 0) {
    const age = oldest === 0 ? '' : `, the oldest for ${formatMs(oldest)}`;
    const summary = `${leaks.length} of ${pool.inUse ?? 'the'} leases held too long${age}`;
    return fail(summary, evidence, { steps, risk: RISK });
  }
  const step = codeStep(`find where leases of pool '${pool.name}' are dropped: poolctl audit-leaks`);
  const summary = `${collected} ${collected === 1 ? 'lease was' : 'leases were'} dropped and found by the garbage collector`;
  return warn(summary, [], { steps: [step], risk: RISK });
}

function howFor({ driver }: PoolReading): string {
  return `${HOW.get(driver) ?? 'with `using`, with pool.use() or withSession(), or in a finally'}; poolctl audit-leaks shows the path`;
}

const HOW: ReadonlyMap<string, string> = new Map([
  ['pg', 'client.release() in a finally, or pool.query()'],
  ['mysql2', 'connection.release() in a finally, or pool.query()'],
  ['tarn', 'commit or rollback in a finally, or knex.transaction() with a function'],
  ['generic-pool', 'pool.release() in a finally, or pool.use()'],
  ['sequelize-pool', 'sequelize.transaction() with a function'],
]);

const RISK =
  'None, if the work is finished by then. A transaction that goes on in the background needs its own lease.';

function limit(ms: number | null | 'never'): string {
  return ms === null || ms === 'never' ? 'the threshold' : formatDuration(ms);
}

function countBy(texts: readonly string[]): (readonly [text: string, count: number])[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([, one], [, other]) => other - one);
}
