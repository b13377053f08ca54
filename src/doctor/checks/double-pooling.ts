import { formatCount } from '../../base/units.js';
import { changeIni, envStep, type Finding, fail, forEach, knownOrNull, pass, warn } from '../outcome.js';
import { configLine, pooledDatabases, speaksPostgres } from '../pooler-facts.js';
import type { Check, CheckContext, PgBouncerTarget } from '../types.js';
import { Unknowable } from '../unknowable.js';

/** The usual pool in front of a pooler: 5 + 10 (the profile `pgbouncer`). */
const [SIZE, OVERFLOW] = [5, 10];

export const doublePooling: Check = {
  id: 'double-pooling',
  title: "the application's pool and PgBouncer do not work against each other",
  needs: ['pgbouncer'],
  uses: ['settings', 'pool'],
  why:
    "In session mode, each idle connection in the application's pool occupies a server of PgBouncer. The " +
    'second pool then shares nothing. Clients beyond its size wait until others disconnect, and pools ' +
    'never disconnect.',
  details:
    'Session mode passes only if no application pool is in front of it. In transaction mode, one process ' +
    'must not be able to take all servers of a database. Its pool size + overflow must not exceed the pool ' +
    `size of PgBouncer (${SIZE} + ${OVERFLOW} in front of 25 is usual).`,
  run: forEach('pgbouncer', judge),
};

function judge(target: PgBouncerTarget, { targets, options }: CheckContext): Finding {
  const { settings, pool } = targets;
  const isBefore = settings?.usePgbouncer !== false;
  const clientPorts = new Set((knownOrNull(target.clients) ?? []).map(({ port }) => Number(port)));
  const published = pool
    .flatMap(({ reading }) => reading.pools)
    .filter(({ driver, holders }) => {
      const ports = holders.flatMap(({ localPort }) => localPort ?? []);
      // Only lent connections tell their port; a pool of which none is lent is taken for one before this pooler.
      return ports.length > 0 ? ports.some((port) => clientPorts.has(port)) : speaksPostgres(driver);
    })
    .map(({ size, maxOverflow }) => (size ?? 0) + (maxOverflow ?? 0));
  const each =
    settings?.poolSize !== null && settings !== null && isBefore
      ? settings.poolSize + Math.max(0, settings.maxOverflow ?? 0)
      : published.length > 0
        ? Math.max(...published)
        : null;
  if (each === null)
    throw new Unknowable(
      "the size of the application's pool is not known: pass --pool-size and --max-overflow, or a pool: " +
        'target',
    );
  const all =
    published.length > 0 && settings?.poolSize == null
      ? published.reduce((a, b) => a + b, 0)
      : each * (options.instances ?? 1);
  const databases = pooledDatabases(target);
  const sessions = databases.filter(({ mode }) => mode === 'session');
  const evidence = [
    configLine(target, 'pool_mode'),
    configLine(target, 'default_pool_size'),
    `application: ${formatCount(all)} connections at most`,
  ];
  const toTransaction = {
    steps: changeIni(target, { pool_mode: 'transaction' }),
    risk:
      'State of a session no longer outlives a transaction: SET, LISTEN, advisory locks, temporary tables, ' +
      'cursors WITH HOLD, and named statements before 1.21. A database with its own pool_mode keeps it.',
  };
  if (databases.length === 0 ? evidence[0]?.endsWith('session') : sessions.length > 0) {
    const size = Math.min(...sessions.map(({ size: one }) => one));
    const names = sessions.map(({ name }) => name).join(', ');
    const where = names === '' ? 'session mode' : `session mode for ${names}`;
    return all > size
      ? fail(
          `${where}: ${formatCount(all)} connections of pools on ${formatCount(size)} servers`,
          evidence,
          toTransaction,
        )
      : warn(`${where} behind an application pool, so it shares nothing`, evidence, toTransaction);
  }
  const least = Math.min(...databases.map(({ size, reserve }) => size + reserve), Number.POSITIVE_INFINITY);
  if (each > least)
    return warn(
      `one process may take all ${formatCount(least)} servers (it has up to ${formatCount(each)} connections)`,
      evidence,
      {
        steps: [
          envStep(`DB_POOL_SIZE=${Math.max(1, Math.min(SIZE, Math.floor(least / 3)))}`),
          envStep(`DB_MAX_OVERFLOW=${Math.max(0, Math.min(OVERFLOW, Math.floor((least * 2) / 3)))}`),
        ],
        risk:
          'Under load, queries wait in the application instead of in PgBouncer, where other processes get ' +
          'their turn.',
      },
    );
  return pass(
    `up to ${formatCount(each)} connections each, on ${Number.isFinite(least) ? formatCount(least) : 'so far no'} servers`,
    evidence,
  );
}
