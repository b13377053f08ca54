import { formatCount } from '../../base/units.js';
import { changeIni, envStep, type Finding, fail, forEach, knownOrNull, pass, warn } from '../outcome.js';
import { configLine, pooledDatabases, speaksPostgres } from '../pooler-facts.js';
import type { Check, CheckContext, PgBouncerTarget } from '../types.js';
import { Unknowable } from '../unknowable.js';

/** Of the pool before a pooler: 5 + 10 (the profile `pgbouncer`). */
const [SIZE, OVERFLOW] = [5, 10];

export const doublePooling: Check = {
  id: 'double-pooling',
  title: "the application's pool and PgBouncer do not work against each other",
  needs: ['pgbouncer'],
  uses: ['settings', 'pool'],
  why:
    "In session mode every connection that idles in the application's pool keeps a server of PgBouncer's: the second pool " +
    'shares nothing, and clients beyond its size wait until others disconnect, which pools never do.',
  details:
    'Session mode passes only without a pool before it. In transaction mode one process should not be able to take all ' +
    `servers of a database: pool size + overflow must not be above the pool size of PgBouncer (${SIZE} + ${OVERFLOW} before 25 is usual).`,
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
      'nothing is known of the application: say --pool-size and --max-overflow, or name pool:',
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
      'What lives in a session does not outlive a transaction any more: SET, LISTEN, advisory locks, temporary tables, ' +
      'cursors WITH HOLD, and before 1.21 named statements. A database with a mode of its own keeps it.',
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
      : warn(`${where} behind a pool, which shares nothing`, evidence, toTransaction);
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
        risk: 'Under load, queries wait in the application instead of in PgBouncer, where other processes get their turn.',
      },
    );
  return pass(
    `up to ${formatCount(each)} connections each, on ${Number.isFinite(least) ? formatCount(least) : 'so far no'} servers`,
    evidence,
  );
}
