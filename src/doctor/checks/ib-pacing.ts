import { formatMs, formatShare } from '../../base/units.js';
import type { IbPacingReading } from '../../snapshot/broker.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, CheckContext, Fix } from '../types.js';

/**
 * This part of the gateway's limit stays free: for cancels, and because the gateway may count seconds differently.
 */
const HEADROOM = 0.1;
const LONG_WAIT_MS = 1000;

export const ibPacing: Check = {
  id: 'ib-pacing',
  title: 'messages stay below the rate limit of the gateway',
  needs: ['pool'],
  why:
    'Above 50 messages per second, a gateway answers with error 100, and disconnects if that goes on. All ' +
    'clients of a gateway count together.',
  details:
    'Fails if one second had more messages than the gateway allows. Warns if the pool may use more than ' +
    `${formatShare(1 - HEADROOM, 0)} of the limit, and if messages waited for more than ` +
    `${formatMs(LONG_WAIT_MS)}, because demand then exceeds the limit. Processes on the same gateway count ` +
    'together. Pools that share a pacer count as one.',
  run: forEachPool((pool, context) => {
    const pacing = pool.ib?.pacing;
    return pacing == null ? null : judge(pool, pacing, budgetsAt(pool, context));
  }, 'no application has a pool of a broker that has sent anything'),
};

/** The messages that each user of this pool's gateway may send per second. */
function budgetsAt({ ib }: PoolReading, { targets }: CheckContext): readonly number[] {
  const budgets = new Map<string, number>();
  for (const { app, ib: other } of targets.pool.flatMap(({ reading }) => reading.pools)) {
    if (other?.pacing == null || other.host !== ib?.host || other.port !== ib.port) continue;
    const { messagesPerSecond, sent, peakSecond } = other.pacing;
    // Entries of one process with equal counts share one pacer.
    budgets.set(`${app?.host} ${app?.pid} ${sent} ${peakSecond}`, messagesPerSecond);
  }
  return [...budgets.values()];
}

function judge(pool: PoolReading, pacing: IbPacingReading, budgets: readonly number[]): Finding {
  const { limitPerSecond, messagesPerSecond, peakSecond, waiting, longestWaitMs } = pacing;
  const peak = `at most ${peakSecond} of ${limitPerSecond} messages per second`;
  const evidence = [peak, `the pool sends up to ${messagesPerSecond} per second`];
  if (peakSecond > limitPerSecond)
    return fail(
      `${peakSecond} messages in one second; the limit is ${limitPerSecond}`,
      evidence,
      slower(pool, limitPerSecond),
    );
  const together = budgets.reduce((sum, one) => sum + one, 0);
  if (budgets.length > 1 && together > limitPerSecond)
    return warn(
      `${budgets.length} clients of the gateway may send ${together} messages per second; the limit is ` +
        `${limitPerSecond}`,
      evidence,
      slower(pool, limitPerSecond / budgets.length),
    );
  if (messagesPerSecond > limitPerSecond * (1 - HEADROOM))
    return warn(
      `the pool may send ${messagesPerSecond} of ${limitPerSecond} messages per second`,
      evidence,
      slower(pool, limitPerSecond),
    );
  if (longestWaitMs !== null && longestWaitMs > LONG_WAIT_MS)
    return warn(`${waiting} messages wait, the longest for ${formatMs(longestWaitMs)}`, evidence, {
      steps: [
        codeStep(
          `pool '${pool.name}': send fewer requests. Subscribe once instead of polling, share one request ` +
            'for the same history, and spread requests that are not urgent.',
        ),
      ],
      risk: 'None for the gateway.',
    });
  return pass(peak);
}

function slower(pool: PoolReading, limit: number): Fix {
  const step = setOption(pool, 'messagesPerSecond', Math.max(1, Math.floor(limit * (1 - HEADROOM))));
  return {
    steps: step === null ? [] : [step],
    risk: 'Bursts take slightly longer. Other clients of the same gateway count too: share the pacer with them.',
  };
}
