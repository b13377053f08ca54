import { printable } from '../../report/text.js';
import { connectFaultOf } from '../connect-error.js';
import type { BackendFact, PoolFact } from '../facts.js';
import { isFull, isOfDatabase, isPressed, poolSubject } from '../look.js';
import { ofPool } from '../phrases.js';
import { LIVE_SHORTER_THAN_THE_CUT, ONE_POOL, SMALLER_POOLS } from '../repairs.js';
import type { Cause, Found, Look } from '../types.js';
import { shortRate, shortSite, shortTime } from '../words.js';

/** More pools of one place in one process are no read/write split any more. */
const MANY_POOLS = 3;

interface PoolGroup {
  readonly pools: readonly PoolFact[];
  readonly site: string | null;
  readonly address: string;
}

/** The address of a pool; pools with the same address in one process belong together. */
function addressOf({ pool }: PoolFact): string {
  const { address } = pool.observed ?? {};
  if (address !== null && address !== undefined && (address.host !== null || address.database !== null))
    return `${address.host ?? 'localhost'}:${address.port ?? ''}/${address.database ?? ''} as ${address.user ?? ''}`;
  // The watcher numbers pools of one name.
  return pool.name.replace(/[ #(-]*\d{1,3}\)?$/, '');
}

function groupsBy(
  facts: readonly PoolFact[],
  keyOf: (fact: PoolFact) => string,
): readonly (readonly PoolFact[])[] {
  const groups = new Map<string, PoolFact[]>();
  for (const fact of facts) {
    const key = keyOf(fact);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [fact]);
    else group.push(fact);
  }
  return [...groups.values()];
}

function openPools({ facts }: Look): readonly PoolFact[] {
  return facts.pools.filter((fact) => isOfDatabase(fact) && !fact.pool.closed);
}

/** Pools of one process, one address and one creation site, where there are too many of them. */
function repeatedPools(look: Look): readonly PoolGroup[] {
  return groupsBy(
    openPools(look),
    (fact) => `${fact.source} ${fact.pool.driver} ${addressOf(fact)} ${fact.pool.observed?.site ?? ''}`,
  )
    .filter((pools) => pools.length > MANY_POOLS)
    .map((pools) => ({
      pools,
      site: pools[0]?.pool.observed?.site ?? null,
      address: pools[0] === undefined ? '' : addressOf(pools[0]),
    }));
}

function repeatedFound(group: PoolGroup, look: Look, how: string, more: Partial<Found> = {}): Found {
  const { pools, site, address } = group;
  const [first] = pools as readonly [PoolFact, ...PoolFact[]];
  const live = pools.reduce((sum, { pool }) => sum + (pool.live ?? 0), 0);
  const at = site === null ? '' : ` at ${printable(shortSite(site, look.cwd))}`;
  const refused = pools.some(({ pool }) => connectFaultOf(pool.createError) === 'server-full');
  const failing = look.facts.failures.filter(({ why }) => connectFaultOf(why) === 'server-full');
  return {
    severity: refused || failing.length > 0 || pools.some(isPressed) ? 'bad' : 'warn',
    subject: { kind: 'application', key: `pools ${first.source} ${address}`, source: first.source },
    explains: [
      ...pools.map(({ key }) => key),
      ...failing.map(({ source }) => source),
      ...look.facts.servers
        .filter(
          ({ server }) => (server.usedConnections ?? 0) >= server.maxConnections - server.reservedConnections,
        )
        .map(({ source }) => source),
    ],
    weight: pools.length,
    words: `${printable(first.app)}: ${pools.length} pools to ${printable(address)} made${at} in one process, ${live} connections together: ${how}${refused || failing.length > 0 ? '; the database refuses connections' : ''}`,
    evidence: [
      `${pools.length} pools of process ${first.pool.app?.pid ?? '?'}, ${pools.filter(({ pool }) => (pool.counters.acquired ?? 2) <= 2).length} of them used once or twice`,
      ...(site === null ? [] : [`creation site: ${printable(site)}`]),
    ],
    driver: first.pool.driver,
    ...more,
  };
}

const isUsedOnce = ({ pool }: PoolFact): boolean => (pool.counters.acquired ?? 0) <= 3;

export const poolPerRequest: Cause = {
  id: 'pool-per-request',
  title: 'The code makes a pool for each call and never ends it',
  repair: ONE_POOL,
  avoid: ['raising max_connections', 'smaller idle timeouts as the repair'],
  find(look) {
    return repeatedPools(look)
      .filter(({ pools }) => pools.filter(isUsedOnce).length * 2 >= pools.length)
      .map((group) =>
        repeatedFound(group, look, 'a new pool for each call', {
          ruledOut: [
            'a fleet that is too large: they are pools of one process',
            'two copies of a module: there are more than two, of one place',
          ],
        }),
      );
  },
};

export const poolPerReload: Cause = {
  id: 'pool-per-reload',
  title: 'Each reload of the module makes another pool, and the old ones stay',
  repair: ONE_POOL,
  avoid: ['raising max_connections', 'a smaller pool as the repair'],
  find(look) {
    const many = repeatedPools(look).filter(
      ({ pools }) => pools.filter(isUsedOnce).length * 2 < pools.length,
    );
    const few = groupsBy(
      openPools(look),
      (fact) => `${fact.source} ${fact.pool.driver} ${addressOf(fact)} ${fact.pool.observed?.site ?? ''}`,
    )
      .filter(
        (pools) => pools.length > 1 && pools.length <= MANY_POOLS && pools[0]?.pool.observed?.site != null,
      )
      .filter((pools) => {
        // All but the newest lie idle.
        const sorted = [...pools].sort(
          (a, b) => (a.pool.observed?.ageMs ?? 0) - (b.pool.observed?.ageMs ?? 0),
        );
        return sorted.slice(1).every(({ pool }) => pool.inUse === 0);
      })
      .map(
        (pools): PoolGroup => ({
          pools,
          site: pools[0]?.pool.observed?.site ?? null,
          address: pools[0] === undefined ? '' : addressOf(pools[0]),
        }),
      );
    return [...many, ...few].map((group) =>
      repeatedFound(
        group,
        look,
        'the module that makes it runs again and again (hot reload, or a factory), and the old pools stay open',
        {
          ruledOut: ['a pool for each request: they are used more than once'],
          confidence: 'likely',
        },
      ),
    );
  },
};

/** Pools of one process and one address that are made at different places. */
function doubledPools(look: Look): readonly (readonly PoolFact[])[] {
  return groupsBy(
    openPools(look).filter(({ pool }) => pool.observed?.site != null),
    (fact) => `${fact.source} ${addressOf(fact)}`,
  ).filter((pools) => new Set(pools.map(({ pool }) => pool.observed?.site)).size > 1 && pools.length <= 8);
}

const fileOf = (site: string): string =>
  (
    site
      .replace(/:\d+(?::\d+)?$/, '')
      .split('/')
      .at(-1) ?? ''
  ).replace(/\.[cm]?[jt]sx?$/, '');
const isOfPackage = ({ pool }: PoolFact): boolean => /node_modules[/\\]/.test(pool.observed?.site ?? '');

function sumWords(pools: readonly PoolFact[]): string {
  const sizes = pools.map(({ capacity }) => capacity ?? 0);
  return `${sizes.join(' + ')} connections`;
}

function doubledFound(pools: readonly PoolFact[], look: Look, what: string): Found {
  const [first] = pools as readonly [PoolFact, ...PoolFact[]];
  const sites = [
    ...new Set(pools.map(({ pool }) => printable(shortSite(pool.observed?.site ?? null, look.cwd)))),
  ];
  return {
    severity: 'warn',
    subject: {
      kind: 'application',
      key: `doubled ${first.source} ${addressOf(first)}`,
      source: first.source,
    },
    explains: [`doubled ${first.source} ${addressOf(first)}`],
    weight: pools.length,
    words: `${printable(first.app)}: ${pools.length} pools to ${printable(addressOf(first))} in one process (${sumWords(pools)}), made at ${sites.slice(0, 3).join(' and ')}: ${what}`,
    evidence: pools.map(
      ({ pool }) =>
        `${printable(pool.name)}: ${pool.live ?? '?'} of ${pool.size ?? '?'} open, made at ${printable(pool.observed?.site ?? '?')}`,
    ),
    driver: first.pool.driver,
  };
}

export const poolMadeTwice: Cause = {
  id: 'pool-made-twice',
  title:
    'The module that makes the pool is loaded twice (CommonJS and ES module, two versions, bundled and not)',
  repair: ONE_POOL,
  avoid: ['halving both pools without finding the second'],
  find(look) {
    return doubledPools(look)
      .filter((pools) => {
        const sites = pools.filter((fact) => !isOfPackage(fact)).map(({ pool }) => pool.observed?.site ?? '');
        return sites.some((site, at) => sites.slice(at + 1).some((other) => isSameCode(site, other)));
      })
      .map((pools) => ({
        ...doubledFound(pools, look, 'the same module is loaded twice'),
        ruledOut: ['a split of reads and writes: host, database and user are the same'],
      }));
  },
};

/** The same code in two copies of a file, or loaded twice. Two lines of one file make two pools on purpose. */
function isSameCode(site: string, other: string): boolean {
  const pathOf = (one: string): string => one.replace(/(?::\d+){1,2}$/, '');
  return pathOf(site) === pathOf(other) ? site === other : fileOf(site) === fileOf(other);
}

export const secondPool: Cause = {
  id: 'second-pool-hidden',
  title: 'Libraries open pools of their own beside the main one (session store, job queue, ORM)',
  repair: {
    ...SMALLER_POOLS,
    pg: 'hand the one pool to the libraries that take it (connect-pg-simple pool, pg-boss db, graphile-worker pgPool), or give each a small max',
  },
  avoid: ['blaming the main pool'],
  find(look) {
    const { settings } = look;
    return doubledPools(look)
      .filter((pools) => {
        const key = pools[0] === undefined ? '' : `doubled ${pools[0].source} ${addressOf(pools[0])}`;
        const sum = pools.reduce((all, { capacity }) => all + (capacity ?? 0), 0);
        const over = settings?.poolSize != null && sum > settings.poolSize + (settings.maxOverflow ?? 0);
        return (
          !look.isExplained(key) &&
          (pools.some(isOfPackage) || over || new Set(pools.map(({ pool }) => pool.driver)).size > 1)
        );
      })
      .map((pools) => ({
        ...doubledFound(pools, look, 'libraries bring pools of their own, so count all of them'),
        ruledOut: ['a leak: none is above its size', 'the same module twice: the files differ'],
      }));
  },
};

/** The defaults of libraries. */
const DEFAULT_SIZES: ReadonlyMap<string, number> = new Map([
  ['pg', 10],
  ['mysql2', 10],
  ['tarn', 10],
  ['sequelize-pool', 5],
  ['generic-pool', 1],
  ['postgres', 10],
  ['postgres.js', 10],
  ['mariadb', 10],
  ['mssql', 10],
]);

export const limitNotInForce: Cause = {
  id: 'limit-not-in-force',
  title: 'The configured pool size never reached the pool',
  repair: {
    pg: 'max: Number(process.env.DB_POOL_SIZE) at the top level of the options',
    'postgres.js': 'max in the second argument',
    mysql2: 'connectionLimit',
    mongodb: 'maxPoolSize',
    knex: 'pool.max, not connection.max',
    sequelize: 'pool.max',
    typeorm: 'poolSize, or extra.max',
    prisma: '&connection_limit= in the URL (after ? or &, once)',
    'generic-pool': 'max',
    poolctl: 'size (poolctl ... --print-config shows where it comes from)',
    app: 'hand the size to the pool under the name that the library has',
    pgbouncer: 'RELOAD, then SHOW CONFIG and SHOW DATABASES',
  },
  avoid: ['raising the number that nobody reads'],
  find(look) {
    const wanted = look.settings?.poolSize ?? null;
    if (wanted === null) return [];
    return openPools(look).flatMap((fact): Found[] => {
      const { pool } = fact;
      const standard = DEFAULT_SIZES.get(pool.driver);
      if (standard === undefined || pool.size !== standard || pool.size === wanted) return [];
      return [
        {
          severity: isPressed(fact) ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: isPressed(fact) ? [fact.key] : [`size ${fact.key}`],
          weight: (pool.waiting ?? 0) + 1,
          words: ofPool(
            fact,
            `its size is ${pool.size}, which is the default of the library, and not ${wanted} as the settings say`,
          ),
          evidence: [`settings: pool size ${wanted}`, `pool: size ${pool.size}`],
          ruledOut: ['a pool that is too small: it does not have the size that was meant'],
        },
      ];
    });
  },
};

/** Above this share of acquires that open a connection, connections are hardly shared. */
const CHURN = 0.2;
const LEAST_ACQUIRES = 20;

export const connectionChurn: Cause = {
  id: 'connection-churn',
  title: 'Connections do not live long enough to be shared: nearly every use pays a log-in',
  repair: {
    ...LIVE_SHORTER_THAN_THE_CUT,
    pg: 'idleTimeoutMillis of 10 to 30 s or more, no maxUses, min for bursts',
    mysql2: 'maxIdle = connectionLimit, idleTimeout of 60 s',
    'mariadb client': 'minimumIdle = connectionLimit, idleTimeout of 1800 (seconds)',
    mongodb: 'minPoolSize, and no maxIdleTimeMS of moments',
    knex: 'idleTimeoutMillis of 10 to 30 s or more',
    sequelize: 'pool.idle of 10 s or more',
    app: 'keep idle connections for 10 to 30 s or more',
    pgbouncer:
      'between them it hides the cost from the server: server_lifetime 3600, server_idle_timeout 600',
  },
  avoid: ['a bigger pool'],
  find(look) {
    return openPools(look).flatMap((fact): Found[] => {
      const { counters, idle, setup, live } = fact.pool;
      const { created, acquired } = counters;
      const recent = look.recent(fact);
      if (created === null || acquired === null || acquired < LEAST_ACQUIRES) return [];
      // Each connection that is open now was opened once, which is necessary.
      const again = created - (live ?? 0);
      const share = again / acquired;
      if (share < CHURN || look.isExplained(fact.key) || look.isExplained(`churn ${fact.key}`)) return [];
      const rate =
        recent.acquiresPerSecond === null ? '' : ` at ${shortRate(recent.acquiresPerSecond)} acquires/s`;
      const failed = (fact.pool.observed?.queryErrors ?? []).reduce((sum, { count }) => sum + count, 0);
      if (fact.pool.driver === 'pg' && failed * 2 > again) {
        return [
          {
            severity: 'warn',
            subject: poolSubject(fact),
            explains: [`churn ${fact.key}`],
            weight: again,
            words: `${printable(fact.pool.name)}: ${created} connections opened for ${acquired} acquires${rate}: pool.query closes the connection of a statement that fails, and ${failed} have failed`,
            evidence: [`created ${created}, acquired ${acquired}, statements that failed ${failed}`],
            ruledOut: ['idle limits: connections are closed in use'],
            repair: {
              pg: 'let expected errors not happen (ON CONFLICT DO NOTHING), or run such statements on a client of pool.connect()',
            },
          },
        ];
      }
      const kept = setup?.maxIdleMs;
      const limit = typeof kept === 'number' ? `; idle ones are closed after ${shortTime(kept)}` : '';
      return [
        {
          severity: 'warn',
          subject: poolSubject(fact),
          explains: [`churn ${fact.key}`],
          weight: again,
          words: `${printable(fact.pool.name)}: ${created} connections opened for ${acquired} acquires${rate}${limit}: nearly every use pays a log-in`,
          evidence: [`created ${created}, acquired ${acquired}, idle ${idle ?? '?'}`],
          ruledOut: ['a pool for each request: it is one pool'],
        },
      ];
    });
  },
};

export const probesUsePool: Cause = {
  id: 'health-check-uses-pool',
  title:
    'A liveness or readiness probe needs a connection of the exhausted pool, so busy instances are taken for dead',
  repair: {
    app: 'liveness without the database; readiness by a connection of its own, or by the figures of the pool with a short limit',
    pg: 'pool.totalCount > 0 and pool.waitingCount for readiness, with no query through the pool',
    poolctl: 'healthOf(pool.snapshot()), which needs no lease',
  },
  avoid: ['a bigger pool', 'longer probes alone'],
  find(look) {
    return openPools(look).flatMap((fact): Found[] => {
      if (!isPressed(fact)) return [];
      const probes = (fact.pool.observed?.waiterSites ?? []).filter(({ site }) =>
        /(?:health|healthz|livez?|liveness|readyz?|readiness|heartbeat|probe)\b/i.test(site),
      );
      const [first] = probes;
      if (first === undefined) return [];
      return [
        {
          severity: 'warn',
          subject: poolSubject(fact),
          explains: [`probes ${fact.key}`],
          words: `${printable(fact.pool.name)}: a health probe waits for a connection of the exhausted pool (${printable(shortSite(first.site, look.cwd))}); a restart for that makes it worse`,
          evidence: probes.map(({ site, count }) => `${count} waiting at ${printable(site)}`),
        },
      ];
    });
  },
};

export const zombies: Cause = {
  id: 'zombies-after-connect-timeout',
  title: 'Connections that came up after their deadline are kept by nobody',
  repair: {
    pg: 'a newer pg-pool, and a longer connectionTimeoutMillis',
    'postgres.js': 'a longer connect_timeout',
    mysql2: 'a longer connectTimeout',
    mongodb: 'a longer connectTimeoutMS',
    knex: 'acquireConnectionTimeout above createTimeoutMillis',
    app: 'a longer connect timeout',
    postgres: 'idle_session_timeout for that role as a stop-gap; end those with query_start IS NULL',
  },
  avoid: ['shorter connect timeouts'],
  find(look) {
    const { facts } = look;
    if (facts.poolers.length > 0) return [];
    return facts.servers.flatMap(({ source, kind }): Found[] => {
      if (kind !== 'postgres') return [];
      const silent = facts.backends.filter(
        ({ source: of, backend }) =>
          of === source &&
          backend.state === 'idle' &&
          backend.query === null &&
          backend.queryMs === null &&
          (backend.connectedMs ?? 0) > 60_000,
      );
      const live = facts.pools.reduce((sum, { pool }) => sum + (pool.live ?? 0), 0);
      // The name has the role and the database in it, too: many sessions have no name of their own.
      const nameOf = ({ backend: { application, user, database } }: BackendFact): string =>
        JSON.stringify([application ?? '', user, database]);
      const names = new Set(silent.map(nameOf));
      const own = facts.backends.filter((one) => one.source === source && names.has(nameOf(one))).length;
      if (facts.pools.length === 0 || silent.length < 2 || own - silent.length > live || own <= live)
        return [];
      return [
        {
          severity: 'warn',
          subject: { kind: 'server', key: `zombies ${source}`, source },
          explains: [`zombies ${source}`],
          words: `${printable(source)}: ${silent.length} connections have never run a statement and belong to no pool`,
          evidence: [
            `${own} backends of those applications, ${live} connections of their pools; query_start is NULL`,
          ],
          ruledOut: ['a second pool: it would run statements'],
          confidence: 'likely',
          steps: [
            {
              kind: 'sql',
              at: source,
              text: `SELECT ${silent.map(({ backend }) => `pg_terminate_backend(${backend.pid})`).join(', ')}`,
            },
          ],
        },
      ];
    });
  },
};

export const goneConnections: Cause = {
  id: 'mysql-idle-cut',
  title: 'The server, or a proxy, ended idle connections that the pool still counts',
  repair: LIVE_SHORTER_THAN_THE_CUT,
  avoid: ['a larger connectionLimit'],
  find(look) {
    const { facts } = look;
    return openPools(look).flatMap((fact): Found[] => {
      const { pool } = fact;
      const server = facts.servers.find(({ kind }) => kind === 'mysql');
      if (server === undefined || !/mysql|mariadb/i.test(pool.driver) || (pool.live ?? 0) === 0) return [];
      const { user = null, port = null } = pool.observed?.address ?? {};
      // Another server, or one whose sessions this reader may not see, says nothing.
      if (facts.gaps.some(({ source }) => source === server.source)) return [];
      if (port !== null && !server.source.includes(`:${port}`)) return [];
      const own = facts.backends.filter(
        ({ source, backend }) => source === server.source && (user === null || backend.user === user),
      );
      if (own.length > 0 || look.isExplained(fact.key)) return [];
      return [
        {
          severity: isPressed(fact) || isFull(fact) ? 'bad' : 'warn',
          subject: poolSubject(fact),
          explains: [fact.key],
          words: `${printable(pool.name)}: the pool counts ${pool.live} connections, and the server has none of them: they were cut while idle`,
          evidence: [`pool: live ${pool.live}; process list: 0`],
          ruledOut: ['too many connections: the process list is empty'],
        },
      ];
    });
  },
};
