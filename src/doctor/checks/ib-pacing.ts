import { formatMs, formatShare } from '../../base/units.js';
import type { IbPacingReading } from '../../snapshot/broker.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, CheckContext, Fix } from '../types.js';

/** Of the gateway's limit so much is left free: for cancels, and for seconds that the gateway counts otherwise. */
const HEADROOM = 0.1;
const LONG_WAIT_MS = 1000;

export const ibPacing: Check = {
  id: 'ib-pacing',
  title: 'messages stay below the limit of the gateway',
  needs: ['pool'],
  why:
    'Above 50 messages in a second a gateway answers with error 100, and hangs up if that goes on. All clients of one ' +
    'gateway count together.',
  details: `Fails where more was sent in one second than the gateway allows. Warns where the pool may send more than \
${formatShare(1 - HEADROOM, 0)} of it, and where messages have waited for more than ${formatMs(LONG_WAIT_MS)}: then more is asked than may be. \
Processes that use the same gateway are counted together; pools of one process that share a pacer are one.`,
  run: forEachPool((pool, context) => {
    const pacing = pool.ib?.pacing;
    return pacing == null ? null : judge(pool, pacing, budgetsAt(pool, context));
  }, 'no application has a pool of a broker that has sent anything'),
};

/** What each of those who use the gateway of this pool may send in a second. */
function budgetsAt({ ib }: PoolReading, { targets }: CheckContext): readonly number[] {
  const budgets = new Map<string, number>();
  for (const { app, ib: other } of targets.pool.flatMap(({ reading }) => reading.pools)) {
    if (other?.pacing == null || other.host !== ib?.host || other.port !== ib.port) continue;
    const { messagesPerSecond, sent, peakSecond } = other.pacing;
    // Of one process those that have counted the same have counted together.
    budgets.set(`${app?.host} ${app?.pid} ${sent} ${peakSecond}`, messagesPerSecond);
  }
  return [...budgets.values()];
}

function judge(pool: PoolReading, pacing: IbPacingReading, budgets: readonly number[]): Finding {
  const { limitPerSecond, messagesPerSecond, peakSecond, waiting, longestWaitMs } = pacing;
  const peak = `at most ${peakSecond} of ${limitPerSecond} messages in a second`;
  const evidence = [peak, `the pool sends up to ${messagesPerSecond} a second`];
  if (peakSecond > limitPerSecond)
    return fail(
      `${peakSecond} messages in a second, where ${limitPerSecond} are allowed`,
      evidence,
      slower(pool, limitPerSecond),
    );
  const together = budgets.reduce((sum, one) => sum + one, 0);
  if (budgets.length > 1 && together > limitPerSecond)
    return warn(
      `${budgets.length} clients of the gateway may send ${together} messages a second, of ${limitPerSecond}`,
      evidence,
      slower(pool, limitPerSecond / budgets.length),
    );
  if (messagesPerSecond > limitPerSecond * (1 - HEADROOM))
    return warn(
      `the pool may send ${messagesPerSecond} of ${limitPerSecond} messages a second`,
      evidence,
      slower(pool, limitPerSecond),
    );
  if (longestWaitMs !== null && longestWaitMs > LONG_WAIT_MS)
    return warn(`${waiting} messages wait, the longest for ${formatMs(longestWaitMs)}`, evidence, {
      steps: [
        codeStep(
          `pool '${pool.name}': ask for less: subscribe once in the place of asking again, share one request for the same history, and spread what is not urgent`,
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
    risk: 'Bursts take a little longer. Other clients of the same gateway count too: share the pacer with them.',
  };
}
