import type { IbReading } from '../../snapshot/broker.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { sumOf } from '../../snapshot/sums.js';
import { codeStep, type Finding, fail, pass, skip, warn } from '../outcome.js';
import { forEachPool } from '../pools.js';
import { isStorm, reconnectText, STORM_TEXT } from '../reconnects.js';
import type { Check, FixStep } from '../types.js';

/** After so many failed attempts, a connection does not come up by itself. */
const MOST_ATTEMPTS = 5;

export const ibReconnects: Check = {
  id: 'ib-reconnects',
  title: 'connections to the gateway stay open',
  needs: ['pool'],
  why:
    'While a connection is down, no data arrives and no order leaves. Each reconnect repeats all ' +
    'subscriptions, which count against the rate limit. A storm of reconnects therefore keeps itself going.',
  details:
    `Warns if connections are lost again and again. ${STORM_TEXT} Fails if a connection does not come up, or ` +
    'if the gateway has lost its own connection to the broker. A gateway restarts once a day by itself.',
  run: forEachPool(
    (pool) => (pool.ib === undefined ? null : judge(pool, pool.ib)),
    'no application has a pool of a broker',
  ),
};

function judge(pool: PoolReading, ib: IbReading): Finding {
  const { connections } = ib;
  const lost = connections.length === 0 ? 0 : sumOf(connections.map((one) => one.lost));
  const missed = sumOf(connections.map((one) => one.heartbeatsMissed));
  const down = connections.filter(
    ({ state, attempts, ready }) =>
      state !== 'ready' && attempts !== null && ready !== null && attempts - ready >= MOST_ATTEMPTS,
  );
  const cutOff = connections.filter(({ upstream }) => upstream === 'down');
  const summary =
    lost === null ? 'losses are unknown' : `lost ${reconnectText(lost, pool.app, pool.takenAtMs)}`;
  const evidence = [
    summary,
    ...(missed === null || missed === 0 ? [] : [`${missed} of them after a missed heartbeat`]),
    ...down.map(
      ({ clientId, attempts, state }) => `client id ${clientId}: ${state}, tried ${attempts} times`,
    ),
  ];
  const fix = { steps: stepsFor(ib), risk: 'Counts start again with the application.' };
  if (down.length > 0)
    return fail(`${down.length} of ${connections.length} connections do not come up`, evidence, fix);
  if (cutOff.length > 0) return fail('the gateway has no connection to the broker', evidence, fix);
  if (lost === null) return skip('its version of poolctl does not report lost connections');
  return isStorm(lost, pool.app, pool.takenAtMs) ? warn(summary, evidence, fix) : pass(summary);
}

function stepsFor({ host, port }: IbReading): readonly FixStep[] {
  return [
    codeStep(
      `repair the gateway at ${host}:${port} or the network path to it (run poolctl ib ping ` +
        `${host}:${port} to see whether it is usable), then restart the application`,
    ),
  ];
}
