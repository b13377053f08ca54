import { formatCount } from '../../base/units.js';
import { about, changeIni, type Finding, fail, judged, pass, warn } from '../outcome.js';
import { databaseTexts, isOn, pooledDatabases, sharesPort } from '../pooler-facts.js';
import { capSteps, raiseSteps } from '../pooler-steps.js';
import { serverCapacity } from '../server-capacity.js';
import type { Check, CheckContext, PgBouncerTarget } from '../types.js';

export const poolExplosion: Check = {
  id: 'pool-explosion',
  title: 'the pools of PgBouncer cannot multiply beyond what the server has',
  needs: ['pgbouncer'],
  uses: ['postgres'],
  why:
    'default_pool_size is for each pair of database and user. A third user or a second database multiplies what the server ' +
    'gets, and one day all of them are busy at once.',
  details:
    'Counts (pool size + reserve) x users x databases, by the users and databases that PgBouncer knows at the moment, ' +
    'with max_db_connections and max_user_connections. With the server at hand it must have room for the sum; without, ' +
    'several users of one database need a max_db_connections.',
  run: ({ targets, ...context }) =>
    Promise.all(
      targets.pgbouncer.map(async (target) =>
        about([target], await judged(() => judge(target, { targets, ...context }))),
      ),
    ),
};

function judge(target: PgBouncerTarget, { targets }: CheckContext): Finding {
  const databases = pooledDatabases(target);
  if (databases.length === 0) return pass('no database is in use yet');
  const evidence = [...databaseTexts(databases), ...sharesPort(target)];
  const open = databases.filter(({ cap, users }) => cap === null && users > 1);
  const server = targets.postgres.find((one) => databases.some((database) => isOn(one, target, database)));
  const there =
    server === undefined ? databases : databases.filter((database) => isOn(server, target, database));
  const sum = there.reduce((all, { most }) => all + most, 0);
  const capacity = server === undefined ? null : serverCapacity(server);
  const twice = 2 * Math.max(...databases.map(({ size }) => size));
  const fix = {
    // As fleet-sum has it, for this pooler alone; without the server, what is usual.
    steps:
      capacity === null || server === undefined
        ? changeIni(target, { max_db_connections: twice })
        : there.length > capacity.usable * 0.9
          ? raiseSteps(server, sum)
          : capSteps(target, there, capacity.usable),
    risk: 'All users of a database share these connections then: one of them can use them up, and the others wait.',
  };
  if (capacity !== null) {
    const summary = `${formatCount(sum)} connections at most, of ${formatCount(capacity.usable)} that the server has`;
    const lines = [...evidence, capacity.text];
    return sum <= capacity.usable ? pass(summary, lines) : fail(summary, lines, fix);
  }
  if (open.length === 0) return pass(`${formatCount(sum)} connections at most`, evidence);
  return warn(`${formatCount(sum)} connections at most, with no limit for a database`, evidence, fix);
}
