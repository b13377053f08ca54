import { formatDuration } from '../../base/units.js';
import { about, envStep, type Finding, fail, judged, knownOrNull, pass, skip, warn } from '../outcome.js';
import { configMs } from '../pooler-facts.js';
import { settingMs } from '../postgres-settings.js';
import { SETTINGS_LABEL } from '../targets.js';
import type { Check, CheckContext } from '../types.js';

export const staleConnections: Check = {
  id: 'stale-connections',
  title: 'the application does not use connections that something else has closed',
  needs: ['settings'],
  uses: ['pgbouncer', 'postgres'],
  why:
    'A restart of the pooler, a failover or an idle limit ends connections while they are in the pool. The ' +
    'next query on each of them fails, although the database is healthy.',
  details:
    'Pre-ping (DB_POOL_PRE_PING) must be on. DB_POOL_RECYCLE should be below every limit on the age of ' +
    'connections: client_idle_timeout and server_lifetime of PgBouncer, idle_session_timeout of ' +
    'PostgreSQL. The limit server_lifetime ends no client by itself, but a pool that recycles later defeats it.',
  run: async (context) => [about([{ label: SETTINGS_LABEL }], await judged(() => judge(context)))],
};

interface Limit {
  readonly name: string;
  readonly ms: number;
}

function judge({ targets }: CheckContext): Finding {
  const { prePing = null, poolRecycleMs = null } = targets.settings ?? {};
  if (prePing === null && poolRecycleMs === null)
    return skip('neither DB_POOL_PRE_PING nor DB_POOL_RECYCLE is known');
  const limits = limitsOf(targets);
  const shortest = limits.reduce<Limit | null>(
    (least, one) => (least === null || one.ms < least.ms ? one : least),
    null,
  );
  const evidence = [
    `DB_POOL_PRE_PING = ${prePing === null ? 'unknown' : prePing ? 'on' : 'off'}`,
    `DB_POOL_RECYCLE = ${poolRecycleMs === null ? 'unknown' : Number.isFinite(poolRecycleMs) ? formatDuration(poolRecycleMs) : 'never'}`,
    ...limits.map(({ name, ms }) => `${name} = ${formatDuration(ms)}`),
  ];
  const recycles =
    (shortest === null && poolRecycleMs === null) ||
    (poolRecycleMs ?? Number.POSITIVE_INFINITY) < (shortest?.ms ?? Number.POSITIVE_INFINITY);
  const steps = [
    ...(prePing === true ? [] : [envStep('DB_POOL_PRE_PING=true')]),
    ...(recycles || shortest === null
      ? []
      : [envStep(`DB_POOL_RECYCLE=${Math.max(1, Math.floor(shortest.ms / 2000))}`)]),
  ];
  const fix = {
    steps,
    risk: 'Pre-ping costs a round trip for a connection that was idle. Recycling costs a login now and then.',
  };
  if (prePing !== true && (prePing === false || !recycles))
    return fail('connections are not tested before use', evidence, fix);
  if (!recycles && shortest !== null)
    return warn(`the pool keeps connections longer than ${shortest.name} allows`, evidence, fix);
  return pass(
    prePing === true ? 'connections are tested before use' : 'the pool replaces connections in time',
    evidence,
  );
}

function limitsOf({ pgbouncer, postgres, settings }: CheckContext['targets']): readonly Limit[] {
  const poolers = settings?.usePgbouncer === false ? [] : pgbouncer;
  const found = poolers
    .filter(({ config }) => knownOrNull(config) !== null)
    .flatMap((target) => [
      { name: 'client_idle_timeout', ms: configMs(target, 'client_idle_timeout') },
      { name: 'server_lifetime', ms: configMs(target, 'server_lifetime') },
    ]);
  const direct = poolers.length > 0 ? [] : postgres;
  const ended = direct
    .filter((target) => target.settings.has('idle_session_timeout'))
    .map((target) => ({ name: 'idle_session_timeout', ms: settingMs(target, 'idle_session_timeout') }));
  return [...found, ...ended].filter(({ ms }) => ms > 0);
}
