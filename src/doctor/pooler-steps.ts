import { alterSystem, changeIni, codeStep } from './outcome.js';
import { configNumber, type PooledDatabase } from './pooler-facts.js';
import { settingNumber } from './postgres-settings.js';
import { serverCapacity } from './server-capacity.js';
import type { FixStep, PgBouncerTarget, PostgresTarget } from './types.js';

/**
 * The steps that bound each of these databases of a pooler, so that they fit into `room` connections together, with a tenth
 * left for people. One with a limit of its own in its line keeps that, so it is changed there.
 */
export function capSteps(
  target: PgBouncerTarget,
  databases: readonly PooledDatabase[],
  room: number,
): readonly FixStep[] {
  const limit = Math.max(1, Math.floor((room * 0.9) / Math.max(1, databases.length)));
  const standard = configNumber(target, 'max_db_connections') || null;
  const own = databases.filter(({ cap }) => cap !== null && cap !== standard && cap > limit);
  return [
    ...own.map(({ name }) =>
      codeStep(
        `In the line of database ${name}, section [databases]: max_db_connections=${limit}; then RELOAD.`,
        target,
      ),
    ),
    ...(own.length === databases.length ? [] : changeIni(target, { max_db_connections: limit })),
  ];
}

/** For more databases than connections no limit is low enough: the server has to have more. */
export function raiseSteps(server: PostgresTarget, wanted: number): readonly FixStep[] {
  const most = settingNumber(server, 'max_connections');
  const reserved = most - serverCapacity(server).usable;
  return alterSystem(server, { max_connections: String(Math.ceil((wanted * 1.1 + reserved) / 10) * 10) });
}
