import { formatCount, formatDuration, formatMs } from '../../base/units.js';
import type { Backend } from '../../snapshot/server.js';
import { changeIni, codeStep, type Finding, fail, forEach, known, knownOrNull, pass } from '../outcome.js';
import { configNumber, figureOf, type PooledDatabase, pooledDatabases, textOf } from '../pooler-facts.js';
import type { Check, CheckContext, ConsoleRow, FixStep, PgBouncerTarget } from '../types.js';

export const poolerQueue: Check = {
  id: 'pooler-queue',
  title: 'no client waits long for a server of PgBouncer at this moment',
  needs: ['pgbouncer'],
  uses: ['postgres'],
  why:
    'Queries wait here before the database sees them, so the database looks idle. Applications reach their ' +
    'timeouts, and their own pools run empty.',
  details:
    'Compares the longest wait (maxwait and maxwait_us of SHOW POOLS) with --queue-wait. In session mode, ' +
    'a client waits until another one disconnects. If the server is a target too, the check looks for the ' +
    'cause first. If servers are idle in a transaction or wait for locks, more servers would wait as well.',
  run: forEach('pgbouncer', judge),
};

function judge(target: PgBouncerTarget, { targets, options }: CheckContext): Finding {
  const pools = known(target.pools);
  const waiting = pools.filter((row) => figureOf(row.cl_waiting) > 0);
  // Clients at log-in wait for 0 ms all the time: where there is no server at all, the wait says nothing.
  const starved = waiting.filter(isStarved);
  const longest = [...waiting].sort((a, b) => waitOf(b) - waitOf(a))[0];
  const clients = waiting.reduce((all, row) => all + figureOf(row.cl_waiting), 0);
  if (longest === undefined || (starved.length === 0 && waitOf(longest) <= options.queueWaitMs)) {
    const limit = formatDuration(options.queueWaitMs);
    return pass(clients === 0 ? 'nobody waits' : `${formatCount(clients)} wait, none longer than ${limit}`);
  }
  const database = pooledDatabases(target).find(({ name }) => name === textOf(longest.database));
  const backends = behind(
    target,
    textOf(longest.database),
    targets.postgres.flatMap((one) => knownOrNull(one.reading)?.backends ?? []),
  );
  const stuck = backends.filter(({ state }) => state?.startsWith('idle in transaction'));
  const blocked = backends.filter(({ waitType }) => waitType === 'Lock');
  const causes = [
    ...(stuck.length === 0
      ? []
      : [`${stuck.length} of its ${backends.length} servers are idle in a transaction`]),
    ...(blocked.length === 0 ? [] : [`${blocked.length} of its ${backends.length} servers wait for locks`]),
  ];
  const summary = `${formatCount(clients)} ${clients === 1 ? 'client waits' : 'clients wait'}, the oldest for ${formatMs(waitOf(longest))}`;
  const keys = waiting.map((row) => `${target.label} ${textOf(row.database)} ${textOf(row.user)}`);
  const cause = targets.diagnosis?.findings.find(
    ({ explains, cause: id }) => id !== 'pooler-pool-too-small' && explains.some((key) => keys.includes(key)),
  );
  if (cause !== undefined && cause.steps.length > 0)
    return fail(summary, [...waiting.map(poolText), `${cause.cause}: ${cause.words}`, ...causes], {
      steps: cause.steps,
      risk: `Do not use: ${cause.avoid.join('; ')}.`,
    });
  return fail(summary, [...waiting.map(poolText), ...causes], {
    steps: stepsFor(target, database, causes),
    risk:
      'The server gets more connections: run the check fleet-sum first. If the CPU or the disk is at its ' +
      'limit, more connections make each one slower.',
  });
}

function stepsFor(
  target: PgBouncerTarget,
  database: PooledDatabase | undefined,
  causes: readonly string[],
): readonly FixStep[] {
  const advice = causes.map((cause) =>
    codeStep(
      `Do this first, because ${cause}: ` +
        `${/locks/.test(cause) ? 'see the check lock-waits-now' : 'see the check idle-transactions-now'}.`,
    ),
  );
  const standard = configNumber(target, 'default_pool_size');
  if (database !== undefined && database.size !== standard)
    return [
      ...advice,
      codeStep(
        `In the line of database ${database.name}, section [databases]: pool_size=${database.size * 2}; ` +
          'then RELOAD.',
        target,
      ),
    ];
  const cap = database?.cap ?? null;
  return [
    ...advice,
    ...changeIni(target, {
      default_pool_size: standard * 2,
      ...(cap !== null && cap < standard * 2 ? { max_db_connections: standard * 4 } : {}),
    }),
  ];
}

function behind(target: PgBouncerTarget, database: string, backends: readonly Backend[]): readonly Backend[] {
  const rows = (knownOrNull(target.servers) ?? []).filter((row) => textOf(row.database) === database);
  return backends.filter(({ pid }) => rows.some((row) => figureOf(row.remote_pid) === pid));
}

function isStarved(row: ConsoleRow): boolean {
  return figureOf(row.sv_active) + figureOf(row.sv_idle) + figureOf(row.sv_used) === 0;
}

function waitOf(row: ConsoleRow): number {
  return figureOf(row.maxwait) * 1000 + figureOf(row.maxwait_us) / 1000;
}

function poolText(row: ConsoleRow): string {
  const busy = figureOf(row.sv_active);
  return (
    `pool ${textOf(row.database)}/${textOf(row.user)} (${textOf(row.pool_mode)}): ${figureOf(row.cl_waiting)} waiting, ` +
    `${busy} ${busy === 1 ? 'server' : 'servers'} busy, ${figureOf(row.sv_idle) + figureOf(row.sv_used)} free, for ${formatMs(waitOf(row))}`
  );
}
