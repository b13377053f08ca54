import { formatDuration } from '../base/units.js';
import type { PoolReading } from '../snapshot/reading.js';
import { codeStep, type Finding, judged, skip } from './outcome.js';
import type { Check, CheckContext, FixStep, Outcome, PoolTarget, Status } from './types.js';

/** The finding for one pool; null if the check does not apply to it. */
export type JudgePool = (
  pool: PoolReading,
  context: CheckContext,
  target: PoolTarget,
) => Finding | null | Promise<Finding | null>;

/**
 * The `run` of a check that judges each pool of each application. It gives one outcome per application, as bad as
 * its worst pool, with a line for each pool that does not pass. If the check applies to no pool, the reason is
 * `noneSuch`.
 */
export function forEachPool(judge: JudgePool, noneSuch = 'no application has a pool'): Check['run'] {
  return async (context) => {
    const outcomes = await Promise.all(
      context.targets.pool.map(async (target): Promise<Outcome | null> => {
        const findings: { readonly pool: PoolReading; readonly finding: Finding }[] = [];
        for (const pool of target.reading.pools) {
          if (pool.closed) continue;
          let isNone = false;
          const finding = await judged(async () => {
            const found = await judge(pool, context, target);
            isNone = found === null;
            return found ?? skip('');
          });
          if (!isNone) findings.push({ pool, finding });
        }
        return findings.length === 0 ? null : { ...together(findings), subjects: [target.label] };
      }),
    );
    const found = outcomes.filter((one) => one !== null);
    return found.length > 0 ? found : [{ ...skip(noneSuch), subjects: [] }];
  };
}

const WORST_FIRST: readonly Status[] = ['fail', 'warn', 'pass', 'skipped'];

function together(findings: readonly { readonly pool: PoolReading; readonly finding: Finding }[]): Finding {
  const status =
    WORST_FIRST.find((one) => findings.some(({ finding }) => finding.status === one)) ?? 'skipped';
  const wrong = findings.filter(({ finding: { status: one } }) => one === 'fail' || one === 'warn');
  const told = wrong.length > 0 ? wrong : findings.filter(({ finding }) => finding.status === status);
  const risks = new Set(wrong.flatMap(({ finding }) => finding.fix?.risk ?? []));
  return {
    status,
    summary: told.map(({ pool, finding }) => `${pool.name}: ${finding.summary}`).join('; '),
    evidence: told.flatMap(({ finding }) => finding.evidence),
    fix:
      wrong.length === 0
        ? null
        : { steps: wrong.flatMap(({ finding }) => finding.fix?.steps ?? []), risk: [...risks].join(' ') },
  };
}

/** The options of pools; each library has its own names for them. */
export type PoolOption =
  | 'size'
  | 'acquireTimeoutMs'
  | 'recycleMs'
  | 'maxIdleMs'
  | 'prePing'
  | 'leakWatch'
  | 'keptIdle'
  /** Brokers: the first client id, and messages per second. */
  | 'clientId'
  | 'messagesPerSecond'
  /** Feeds: the length of a subscriber's queue. */
  | 'limit'
  /** HTTP: how long a server may stay silent. */
  | 'readTimeoutMs'
  | 'connectTimeoutMs';

interface OptionNames {
  /** The object that takes the options: each library takes them in a different place. */
  readonly place: string;
  readonly names: { readonly [Option in PoolOption]?: string };
  /** Options that take seconds in that library. */
  readonly seconds?: readonly PoolOption[];
}

const OF_LIBRARIES: ReadonlyMap<string, OptionNames> = new Map([
  [
    'pg',
    {
      place: 'new pg.Pool({ ... })',
      names: {
        size: 'max',
        acquireTimeoutMs: 'connectionTimeoutMillis',
        recycleMs: 'maxLifetimeSeconds',
        maxIdleMs: 'idleTimeoutMillis',
      },
      seconds: ['recycleMs'],
    },
  ],
  [
    'mysql2',
    {
      place: 'mysql.createPool({ ... })',
      names: { size: 'connectionLimit', maxIdleMs: 'idleTimeout', keptIdle: 'maxIdle' },
    },
  ],
  [
    'tarn',
    {
      place: 'pool: { ... } of knex',
      names: { size: 'max', acquireTimeoutMs: 'acquireTimeoutMillis', maxIdleMs: 'idleTimeoutMillis' },
    },
  ],
  [
    'generic-pool',
    {
      place: 'the options of createPool',
      names: { size: 'max', acquireTimeoutMs: 'acquireTimeoutMillis', prePing: 'testOnBorrow' },
    },
  ],
  [
    'sequelize-pool',
    {
      place: 'pool: { ... } of Sequelize',
      names: { size: 'max', acquireTimeoutMs: 'acquire', maxIdleMs: 'idle' },
    },
  ],
]);

const OURS: OptionNames = {
  place: 'the options of createDatabase, or of the pool',
  names: {
    size: 'size',
    acquireTimeoutMs: 'timeoutMs',
    recycleMs: 'recycleMs',
    maxIdleMs: 'maxIdleMs',
    prePing: 'prePing',
    leakWatch: 'leakWatch',
  },
};

const BROKERS: OptionNames = {
  place: 'the options of createIbPool',
  names: {
    size: 'workers',
    acquireTimeoutMs: 'acquireTimeoutMs',
    clientId: 'clientId',
    messagesPerSecond: 'pacing.messagesPerSecond',
  },
};

const FEEDS: OptionNames = {
  place: 'the options of SubscriptionPool',
  names: { size: 'maxConnections', limit: 'limit' },
};

const HTTP: OptionNames = {
  place: 'the options of createHttpPool',
  names: {
    size: 'maxConnections',
    acquireTimeoutMs: 'timeouts.poolMs',
    maxIdleMs: 'keepaliveExpiryMs',
    keptIdle: 'maxKeepalive',
    readTimeoutMs: 'timeouts.readMs',
    connectTimeoutMs: 'timeouts.connectMs',
  },
};

/** null where that kind of pool has no such option. */
export function setOption(pool: PoolReading, option: PoolOption, value: number | boolean): FixStep | null {
  const { place, names, seconds = [] } = namesFor(pool);
  const name = names[option];
  if (name === undefined) return null;
  const shown = typeof value === 'number' && seconds.includes(option) ? value / 1000 : value;
  return codeStep(`pool '${pool.name}', in ${place}: set ${name}: ${shown}`);
}

function namesFor({ driver, ib, feed, http }: PoolReading): OptionNames {
  if (ib !== undefined) return BROKERS;
  if (feed !== undefined) return FEEDS;
  if (http !== undefined) return HTTP;
  return OF_LIBRARIES.get(driver) ?? OURS;
}

/** Whether it lends connections to those who ask: a broker's are shared, and those of a feed are not lent. */
export function isOfConnections({ ib, feed }: PoolReading): boolean {
  return ib === undefined && feed === undefined;
}

/** Whether leases of it can be lost: a feed lends nothing, and a request over HTTP ends by itself. */
export function lendsLeases({ feed, http }: PoolReading): boolean {
  return feed === undefined && http === undefined;
}

/** The most that it lends at once; null if there is no limit. */
export function capacityOf({ size, maxOverflow }: PoolReading): number | null {
  return size === null || maxOverflow === null ? null : size + maxOverflow;
}

/** The size at which `wanted` leases are three quarters of what the pool can lend. */
export function roomFor(wanted: number, { maxOverflow }: PoolReading): number {
  return Math.max(1, Math.ceil(wanted / 0.75) - (maxOverflow ?? 0));
}

/** Leases that are out for too long and do nothing. */
export function leaksOf({ holders }: PoolReading): PoolReading['holders'] {
  return holders.filter(({ leaked, busy }) => leaked && busy !== true);
}

/** The step that helps a pool with leases held too long, instead of a larger pool; null if none is. */
export function giveBack(pool: PoolReading): FixStep | null {
  const { length } = leaksOf(pool);
  if (length === 0) return null;
  const leases = length === 1 ? 'the lease that is' : `the ${length} leases that are`;
  return codeStep(`pool '${pool.name}': give back ${leases} out for too long (pool-leaks says where from)`);
}

/** `10s`, `never`, `not known`. */
export function limitText(limit: number | 'never' | null | undefined): string {
  if (limit === 'never') return 'never';
  return limit == null ? 'not known' : formatDuration(limit);
}
