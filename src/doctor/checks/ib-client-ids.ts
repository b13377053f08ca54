import type { IbReading } from '../../snapshot/broker.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { sumOf } from '../../snapshot/sums.js';
import { type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, CheckContext, Fix } from '../types.js';

/** A gateway serves so many clients, and a pool takes its ids from so long a range. */
const RANGE = 32;

export const ibClientIds: Check = {
  id: 'ib-client-ids',
  title: 'each connection to a gateway has its own client id',
  needs: ['pool'],
  why:
    'A gateway disconnects the second client with the same id (error 326). Two applications with the same ' +
    'first id then block each other in turn.',
  details:
    'Looks at the refusals of the gateway, and at all pools of the same gateway together. A pool uses up to ' +
    `${RANGE} ids, starting with its clientId. Warns if the pool has no id left, or the gateway no place.`,
  run: forEachPool(
    (pool, context) => (pool.ib === undefined ? null : judge(pool, pool.ib, context)),
    'no application has a pool of a broker',
  ),
};

function judge(pool: PoolReading, ib: IbReading, context: CheckContext): Finding {
  const refused = /client id (\d+) is in use/.exec(pool.createError ?? '');
  const collisions = sumOf(ib.connections.map(({ idCollisions }) => idCollisions));
  const others = poolsAt(ib, context).filter((one) => one !== ib);
  const shared = ib.clientIds.filter((id) => others.some(({ clientIds }) => clientIds.includes(id)));
  const evidence = [
    `its ids: ${ib.clientIds.join(', ') || 'none open'}`,
    ...(others.length === 0
      ? []
      : [
          `ids of other pools at ${ib.host}:${ib.port}: ${others.flatMap(({ clientIds }) => clientIds).join(', ') || 'none'}`,
        ]),
  ];
  const fix = fixOf(pool, [ib, ...others], refused === null ? [] : [Number(refused[1])]);
  if (refused !== null)
    return fail(`client id ${refused[1]} is in use at ${ib.host}:${ib.port}`, evidence, fix);
  if (collisions !== null && collisions > 0)
    return fail(`the gateway refused an id ${collisions} times (326)`, evidence, fix);
  if (shared.length > 0) return fail(`another pool uses client id ${shared.join(', ')} too`, evidence, fix);
  if (ib.clientIdsFree === 0)
    return warn('no client id is left', evidence, {
      steps: fix.steps,
      risk: 'The gateway sets the limit: more pools with their own ids share its 32 places.',
    });
  return pass(`${ib.clientIds.length} in use, ${ib.clientIdsFree ?? '-'} free`);
}

function poolsAt({ host, port }: IbReading, { targets }: CheckContext): readonly IbReading[] {
  return targets.pool
    .flatMap(({ reading }) => reading.pools.flatMap(({ ib }) => ib ?? []))
    .filter((one) => one.host === host && one.port === port);
}

/** The first range in which no id is known to be taken. */
function fixOf(pool: PoolReading, known: readonly IbReading[], refused: readonly number[]): Fix {
  const taken = [...known.flatMap(({ clientIds }) => clientIds), ...refused];
  let first = 1;
  while (taken.some((id) => id >= first && id < first + RANGE)) first += RANGE;
  const step = setOption(pool, 'clientId', first);
  return {
    steps: step === null ? [] : [step],
    risk:
      'Orders belong to the id that placed them. Only that id or the master client can see and change open ' +
      'orders.',
  };
}
