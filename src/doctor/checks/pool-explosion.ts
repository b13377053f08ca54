import { formatCount } from '../../base/units.js';
import { about, changeIni, type Finding, fail, judged, pass, warn } from '../outcome.js';
import { databaseTexts, isOn, pooledDatabases, sharesPort } from '../pooler-facts.js';
import { capSteps, raiseSteps } from '../pooler-steps.js';
import { serverCapacity } from '../server-capacity.js';
import type { Check, CheckContext, PgBouncerTarget } from '../types.js';

export const poolExplosion: Check = {
  id: 'pool-explosion',
  title: 'the pools of PgBouncer cannot grow beyond the limit of the server',
  needs: ['pgbouncer'],
  uses: ['postgres'],
  why:
    'default_pool_size applies to each pair of database and user. A third user or a second database ' +
    'multiplies the connections to the server, and one day all of them are busy at once.',
  details:
    'Counts (pool size + reserve) x users x databases, for the users and databases that PgBouncer knows ' +
    'now. max_db_connections and max_user_connections limit the sum. If the server is a target too, it ' +
    'must have room for the sum. Otherwise, a database with several users needs max_db_connections.',
  run: ({ targets, ...context }) =>
    Promise.all(
      targets.pgbouncer.map(async (target) =>
        about([target], await judged(() => judge(target, { targets, ...context }))),
      ),
    ),
};

function judge(target: PgBouncerTarget, { targets }: CheckContext): Finding {
  const databases = pooledDatabases(target);
  if (databases.length === 0) return pass('no database has been used yet');
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
    risk:
      'All users of a database then share these connections. One user can take all of them, and the others ' +
      'wait.',
  };
  if (capacity !== null) {
    const summary = `up to ${formatCount(sum)} connections; the server has ${formatCount(capacity.usable)}`;
    const lines = [...evidence, capacity.text];
    return sum <= capacity.usable ? pass(summary, lines) : fail(summary, lines, fix);
  }
  if (open.length === 0) return pass(`up to ${formatCount(sum)} connections`, evidence);
  return warn(`up to ${formatCount(sum)} connections, with no limit per database`, evidence, fix);
}
