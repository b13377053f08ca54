import { formatCount } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { about, codeStep, envStep, type Finding, fail, judged, knownOrNull, pass, skip } from '../outcome.js';
import { databaseTexts, isOn, pooledDatabases, sharesPort, speaksPostgres } from '../pooler-facts.js';
import { capSteps, raiseSteps } from '../pooler-steps.js';
import { setOption } from '../pools.js';
import { serverCapacity } from '../server-capacity.js';
import type {
  AppSettings,
  Check,
  CheckContext,
  FixStep,
  PgBouncerTarget,
  PoolTarget,
  PostgresTarget,
  Targets,
} from '../types.js';

export const fleetSum: Check = {
  id: 'fleet-sum',
  title: 'the sum of all pools, when full, fits within max_connections',
  needs: ['postgres'],
  uses: ['pgbouncer', 'pool', 'settings'],
  why:
    'Each pool is small, but nobody adds them up. With one more instance, or on the first day when all ' +
    'pools are busy, the server refuses connections ("too many clients already").',
  details:
    'Adds up the connections that may reach the server. For each PgBouncer it is the sum of its pools. For ' +
    'applications that connect directly it is (pool size + overflow) x instances, from the settings and ' +
    '--instances, or from the pools they publish. The sum must not exceed max_connections minus ' +
    'superuser_reserved_connections and reserved_connections.',
  run: (context) =>
    Promise.all(
      context.targets.postgres.map(async (target) => {
        const demands = context.targets.pgbouncer.filter((one) => serves(one, target));
        return about([target, ...demands], await judged(() => judge(target, context)));
      }),
    ),
};

interface Demand {
  /** null: without limit. */
  readonly count: number | null;
  readonly text: string;
  /** The address of a pool that an application publishes. */
  readonly pool?: PoolReading;
}

function judge(server: PostgresTarget, context: CheckContext): Finding {
  const { usable, text } = serverCapacity(server);
  const poolers = context.targets.pgbouncer.filter((one) => serves(one, server));
  const pooled = poolers.map((one) => pooledBy(one, server, poolers.length > 1));
  const direct = directDemands(server, context);
  if (pooled.length + direct.length === 0)
    return skip('nothing is known to connect to it: name its PgBouncer, or pass --pool-size and --instances');
  const evidence = [
    ...pooled.flatMap(({ texts }) => texts),
    ...direct.map((one) => one.text),
    ...poolers.flatMap(sharesPort),
    text,
  ];
  const unlimited = direct.some(({ count }) => count === null);
  const forPoolers = pooled.reduce((all, { count }) => all + count, 0);
  const sum = direct.reduce((all, { count }) => all + (count ?? 0), forPoolers);
  const summary = unlimited
    ? `unlimited connections; the server has ${formatCount(usable)}`
    : `up to ${formatCount(sum)} connections; the server has ${formatCount(usable)}`;
  if (!unlimited && sum <= usable) return pass(summary, evidence);
  return fail(summary, evidence, {
    steps: [
      ...poolerSteps(poolers, server, Math.max(1, usable - directLeast(direct, context, usable))),
      ...(direct.length === 0
        ? []
        : directSteps(direct, context, usable - Math.min(forPoolers, Math.floor(usable / 2)))),
    ],
    risk:
      'When all connections are busy, further queries wait in the pool instead of failing at the server. ' +
      'Check that their timeouts allow that. The alternative, a higher max_connections, costs memory and a ' +
      'restart.',
  });
}

function serves(pooler: PgBouncerTarget, server: PostgresTarget): boolean {
  return (knownOrNull(pooler.databases) ?? []).some(({ name, host, port }) =>
    isOn(server, pooler, {
      name: String(name),
      host: host === null || host === undefined || host === '' ? null : String(host),
      port: Number(port),
    }),
  );
}

interface Pooled {
  readonly count: number;
  readonly texts: readonly string[];
}

function pooledBy(pooler: PgBouncerTarget, server: PostgresTarget, isOneOfSeveral: boolean): Pooled {
  const databases = pooledDatabases(pooler).filter((database) => isOn(server, pooler, database));
  const texts = databaseTexts(databases);
  return {
    count: databases.reduce((all, { most }) => all + most, 0),
    texts: isOneOfSeveral ? texts.map((text) => `${pooler.label} ${text}`) : texts,
  };
}

/** The applications that connect without a pooler, as far as that is known. */
function directDemands(server: PostgresTarget, { targets, options }: CheckContext): readonly Demand[] {
  const { settings } = targets;
  if (settings?.poolSize !== null && settings !== null) {
    const isPooled = settings.usePgbouncer ?? targets.pgbouncer.length > 0;
    return isPooled ? [] : [settingsDemand(settings, options.instances)];
  }
  return targets.pool.flatMap((target) => poolDemands(target, server, targets));
}

function settingsDemand({ poolSize, maxOverflow }: AppSettings, instances: number | null): Demand {
  const [size, overflow, count] = [poolSize ?? 0, maxOverflow ?? 0, instances ?? 1];
  const extra = maxOverflow === null ? 'not given' : overflow === -1 ? 'without limit' : String(overflow);
  const each = `(pool size ${size} + overflow ${extra})`;
  const text = `application: ${each} x ${count} ${count === 1 ? 'instance' : 'instances'}`;
  return overflow === -1
    ? { count: null, text }
    : { count: (size + overflow) * count, text: `${text} = ${(size + overflow) * count}` };
}

/**
 * Pools of which a connection is seen at this server, and at no pooler. Only lent connections tell their port: where none
 * is lent, a pool for PostgreSQL is taken for one of this server's if there is no other that it could belong to.
 */
function poolDemands(
  { reading, label }: PoolTarget,
  server: PostgresTarget,
  { postgres, pgbouncer }: Targets,
): readonly Demand[] {
  const ports = new Set((knownOrNull(server.reading)?.backends ?? []).map(({ clientPort }) => clientPort));
  const pooledPorts = new Set(
    pgbouncer.flatMap((one) => knownOrNull(one.clients) ?? []).map(({ port }) => Number(port)),
  );
  const isOnly = postgres.length === 1 && pgbouncer.length === 0;
  return reading.pools.flatMap((pool): Demand[] => {
    const { name, driver, size, maxOverflow, holders } = pool;
    const known = holders.flatMap(({ localPort }) => localPort ?? []);
    const isSeen = known.some((port) => ports.has(port) && !pooledPorts.has(port));
    if (!isSeen && !(isOnly && known.length === 0 && speaksPostgres(driver))) return [];
    const count = size === null || maxOverflow === null ? null : size + maxOverflow;
    const limit = `${size ?? 'no limit'}${maxOverflow === 0 ? '' : ` + ${maxOverflow ?? 'no limit'}`}`;
    const text = `${label}, pool ${name}: ${limit}${isSeen ? '' : ', assumed to use this server'}`;
    return [{ count, text, pool }];
  });
}

/** The connections that the application keeps after its own steps. */
function directLeast(direct: readonly Demand[], { options }: CheckContext, usable: number): number {
  if (direct.length === 0) return 0;
  const sum = direct.reduce((all, { count }) => all + (count ?? usable), 0);
  return Math.max(options.instances ?? 1, Math.min(sum, Math.floor(usable / 2)));
}

/** One limit for all databases of a pooler, so that they fit together, with a tenth left for people. */
function poolerSteps(
  poolers: readonly PgBouncerTarget[],
  server: PostgresTarget,
  room: number,
): readonly FixStep[] {
  const each = Math.floor(room / Math.max(1, poolers.length));
  const databases = poolers.map((pooler) =>
    pooledDatabases(pooler).filter((database) => isOn(server, pooler, database)),
  );
  if (databases.some(({ length }) => length > each * 0.9)) {
    const sum = databases.flat().reduce((all, { most }) => all + most, 0);
    return raiseSteps(server, sum + serverCapacity(server).usable - room);
  }
  return poolers.flatMap((pooler, at) => capSteps(pooler, databases[at] ?? [], each));
}

/** For settings twice as much overflow as pool, as 5 + 10 before a pooler; for pools that are there, their own options. */
function directSteps(direct: readonly Demand[], { options }: CheckContext, room: number): readonly FixStep[] {
  const pools = direct.flatMap(({ pool }) => pool ?? []);
  const share = (count: number): number => Math.max(1, Math.floor((room * 0.9) / count));
  if (pools.length > 0) return pools.flatMap((pool) => poolSteps(pool, share(pools.length)));
  const each = share(options.instances ?? 1);
  const size = Math.max(1, Math.floor(each / 3));
  return [
    envStep(`DB_POOL_SIZE=${size}`),
    envStep(`DB_MAX_OVERFLOW=${Math.max(0, Math.min(each - size, size * 2))}`),
  ];
}

function poolSteps(pool: PoolReading, most: number): readonly FixStep[] {
  const overflow = Math.min(pool.maxOverflow ?? 0, Math.max(0, most - 1));
  const size = Math.max(1, most - overflow);
  const step =
    setOption(pool, 'size', size) ?? codeStep(`pool '${pool.name}': limit it to ${size} connections`);
  const wasMore = pool.maxOverflow === null || pool.maxOverflow > overflow;
  return wasMore
    ? [step, codeStep(`pool '${pool.name}', in the same options: set maxOverflow: ${overflow}`)]
    : [step];
}
