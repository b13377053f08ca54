import { percentileUs } from '../../base/histogram.js';
import { printable } from '../../report/text.js';
import type { PoolFact } from '../facts.js';
import { holdersOf, isOfDatabase, isPressed, poolSubject } from '../look.js';
import { ofPool, siteEvidence } from '../phrases.js';
import type { Cause, Found, Look } from '../types.js';
import { counted, shortSite, shortTime } from '../words.js';

export const fanOut: Cause = {
  id: 'fan-out-promise-all',
  title: 'One request asks for more connections at once than there are (Promise.all, or N+1)',
  repair: {
    pg: 'one query with = ANY($1), or p-limit at half of max',
    'postgres.js': 'an IN list with the sql(ids) helper',
    mysql2: 'IN (?)',
    knex: 'whereIn()',
    sequelize: 'include, or findAll({ where: { id: ids } })',
    typeorm: 'In(ids), or relations',
    prisma: 'in, include, or a DataLoader',
    poolctl: 'one statement; maxWaiting refuses early',
    app: 'one statement for all items, or a limit on how many run at once',
  },
  avoid: ['a pool as large as the list'],
  find(look) {
    return look.facts.pools.flatMap((fact): Found[] => {
      if (!isOfDatabase(fact) || fact.pool.closed || look.isExplained(fact.key)) return [];
      if (!isPressed(fact)) return pastBurst(fact, look);
      const { waiting, observed } = fact.pool;
      const capacity = fact.capacity ?? 0;
      // A look may fall into the end of a burst.
      const peak = Math.max(waiting ?? 0, look.recent(fact).waitingPeak ?? 0, observed?.burst?.count ?? 0);
      const sites = observed?.waiterSites ?? [];
      const [top] = sites;
      const known = sites.reduce((sum, { count }) => sum + count, 0);
      const turnover = look.recent(fact).releasesPerSecond;
      if (top === undefined || capacity === 0 || peak < 3 * capacity || top.count * 10 < known * 8) return [];
      if (!haveAskedTogether(fact)) return [];
      const holders = holdersOf(look.facts, fact);
      const same = holders.filter(({ holder }) => holder.site === top.site).length;
      if (holders.length > 0 && same * 2 < holders.length && (turnover ?? 1) === 0) return [];
      const together = observed?.askedTogether ?? null;
      return [
        {
          severity: 'bad',
          subject: poolSubject(fact),
          explains: [fact.key],
          weight: (waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `${together ?? top.count} callers of one place (${printable(shortSite(top.site, look.cwd))}) ask at once for ${counted(capacity, 'connection')}`,
          ),
          evidence: [
            `asked at the same time: ${together ?? '?'} of ${waiting ?? '?'} waiters`,
            ...siteEvidence(holders, look),
          ],
          ruledOut: [
            together === null
              ? 'a pool that is too small: those who wait are of one place'
              : 'a pool that is too small: in a crowd of requests callers ask one after the other',
          ],
          confidence: together === null ? 'likely' : 'certain',
          missing: together === null ? 'whether the queue drains between bursts' : null,
        },
      ];
    });
  },
};

/** As the watcher counts those of one Promise.all. */
const TOGETHER_MS = 25;

/**
 * Whether callers asked in one moment, as those of a Promise.all do. In a crowd of requests at one route they ask one
 * after the other, so that moment has its even share of them. Older versions do not tell.
 */
function haveAskedTogether({ pool, capacity }: PoolFact): boolean {
  const together = pool.observed?.askedTogether ?? null;
  if (together === null) return true;
  const waiting = pool.waiting ?? together;
  const even = (waiting * TOGETHER_MS) / Math.max(TOGETHER_MS, pool.longestWaitMs ?? 0);
  return together >= 2 * (capacity ?? 1) && (together * 3 >= waiting * 2 || together >= 3 * even);
}

/** A burst that counts as now. */
const BURST_MS = 5000;
/** Waits above this are felt. */
const FELT_MS = 500;

/** A queue that has drained by the time of the look, though callers waited for long in it. */
function pastBurst(fact: PoolFact, look: Look): Found[] {
  const { burst = null } = fact.pool.observed ?? {};
  const { wait } = fact.pool;
  const capacity = fact.capacity ?? 0;
  if (burst === null || wait === null || capacity === 0) return [];
  const waitMs = (percentileUs(wait, 95) ?? 0) / 1000;
  const even = ((look.recent(fact).acquiresPerSecond ?? 0) * TOGETHER_MS) / 1000;
  const isLarge = burst.count >= 3 * capacity && burst.count >= 3 * even;
  if (!isLarge || burst.agoMs > BURST_MS || waitMs < FELT_MS) return [];
  const at = burst.site === null ? '' : ` (${printable(shortSite(burst.site, look.cwd))})`;
  return [
    {
      severity: 'warn',
      subject: poolSubject(fact),
      explains: [`burst ${fact.key}`],
      weight: burst.count,
      words: ofPool(
        fact,
        `${burst.count} callers of one place${at} asked at once for ${counted(capacity, 'connection')} ${shortTime(burst.agoMs)} ago; of all callers 5 % wait for ${shortTime(waitMs)} or longer`,
      ),
      evidence: [`largest burst: ${burst.count} acquires within ${TOGETHER_MS} ms`, 'now nobody waits'],
      ruledOut: ['a pool that is too small: the queue drains between bursts'],
      confidence: 'likely',
    },
  ];
}
