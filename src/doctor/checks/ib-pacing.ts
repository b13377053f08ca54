import { formatMs, formatShare } from '../../base/units.js';
import type { IbPacingReading, PoolReading } from '../../sources/types.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, Fix } from '../types.js';

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
${formatShare(1 - HEADROOM, 0)} of it, and where messages have waited for more than ${formatMs(LONG_WAIT_MS)}: then more is asked than may be.`,
  run: forEachPool((pool) => {
    const pacing = pool.ib?.pacing;
    return pacing == null ? null : judge(pool, pacing);
  }, 'no application has a pool of a broker that has sent anything'),
};

function judge(pool: PoolReading, pacing: IbPacingReading): Finding {
  const { limitPerSecond, messagesPerSecond, peakSecond, waiting, longestWaitMs } = pacing;
  const peak = `at most ${peakSecond} of ${limitPerSecond} messages in a second`;
  const evidence = [peak, `the pool sends up to ${messagesPerSecond} a second`];
  if (peakSecond > limitPerSecond)
    return fail(
      `${peakSecond} messages in a second, where ${limitPerSecond} are allowed`,
      evidence,
      slower(pool, limitPerSecond),
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
