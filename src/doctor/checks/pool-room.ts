import { formatMs } from '../../base/units.js';
import { poolKey } from '../../diagnosis/facts.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, skip, warn } from '../outcome.js';
import { capacityOf, forEachPool, giveBack, leaksOf, roomFor, setOption } from '../pools.js';
import type { Check, CheckContext, FixStep, PoolTarget } from '../types.js';

/** A wait for no longer is a burst, which a pool that is used well has, too. */
const BURST_MS = 50;
/** What a larger pool may help against. */
const OF_SIZE: ReadonlySet<string> = new Set(['pool-too-small', 'unclear', 'limit-not-in-force']);

export const poolRoom: Check = {
  id: 'pool-room',
  title: 'pools have room, and nobody waits',
  needs: ['pool'],
  why:
    'Whoever finds the pool empty waits, and the time-outs of all callers run on meanwhile. From the outside that looks ' +
    'like a slow database.',
  details:
    'Fails where all of a pool is lent and somebody waits, warns where somebody waits though it could open more. A wait ' +
    'below 50 ms is a burst. A full pool in which nobody waits has just the right size. Where another cause is named (see ' +
    'cause-now), its repair stands in the place of a larger pool.',
  run: forEachPool(judge),
};

function judge(pool: PoolReading, { targets }: CheckContext, { label }: PoolTarget): Finding | null {
  // That all connections of a feed are in use is how it should be: feed-capacity counts its symbols.
  if (pool.feed !== undefined) return null;
  const { inUse, longestWaitMs } = pool;
  const waiting = pool.waiting ?? 0;
  const key = poolKey(label, pool);
  // A burst makes callers wait for a moment in a pool that is used well: they are gone at the second look.
  const isBurst =
    waiting > 0 &&
    longestWaitMs !== null &&
    longestWaitMs < BURST_MS &&
    targets.diagnosis?.pressed.has(key) === false;
  const capacity = capacityOf(pool);
  if (capacity === null || capacity === 0) return waiting === 0 ? null : pass(`${waiting} waiting, no limit`);
  if (inUse === null) return skip('nothing reports how many are lent');
  const waits = waiting === 0 ? '' : `, ${waiting} waiting${waitText(longestWaitMs)}`;
  const summary = `${inUse} of ${capacity} lent${waits}`;
  if (isBurst || (waiting === 0 && inUse <= capacity)) return pass(summary);
  const leaked = leaksOf(pool).length;
  const evidence = [
    `size ${pool.size} + ${pool.maxOverflow} overflow, ${pool.idle} idle`,
    ...(leaked === 0 ? [] : [`${leaked} of them out for too long: first look at pool-leaks`]),
  ];
  const cause = targets.diagnosis?.findings.find(
    ({ explains, cause: id }) => explains.includes(key) && !OF_SIZE.has(id),
  );
  if (cause !== undefined && leaked === 0) evidence.push(`${cause.cause}: ${cause.words}`);
  const fix =
    cause !== undefined && cause.steps.length > 0 && leaked === 0
      ? { steps: cause.steps, risk: `Do not use: ${cause.avoid.join('; ')}.` }
      : { steps: steps(pool), risk: leaked > 0 ? RISK_OF_GIVING_BACK : RISK };
  return waiting > 0 && inUse >= capacity ? fail(summary, evidence, fix) : warn(summary, evidence, fix);
}

const RISK =
  'More connections are more load on the server, and it must have room for them: look at fleet-sum. Where queries wait ' +
  'for locks or for the processor, more of them gain nothing: poolctl top shows what they wait for.';

const RISK_OF_GIVING_BACK = 'None, where the work is over by then.';

/** How much larger a pool is made at once: a queue has grown for as long as it stands, and says little of what is needed. */
const MOST_GROWTH = 4;

function steps(pool: PoolReading): readonly FixStep[] {
  const { name, inUse, waiting, creating } = pool;
  // A larger pool would be drained by the same leak, a little later.
  const given = giveBack(pool);
  if (given !== null) return [given];
  const wanted = Math.max(1, (inUse ?? 0) + (waiting ?? 0));
  const most = MOST_GROWTH * (capacityOf(pool) ?? wanted) - (pool.maxOverflow ?? 0);
  const size = Math.min(roomFor(wanted, pool), most);
  if (size > (pool.size ?? 0)) return [setOption(pool, 'size', size)].filter((step) => step !== null);
  return [
    codeStep(
      `pool '${name}': see why connections take long to open (pool-connects); ${creating ?? 'some'} are being opened`,
    ),
  ];
}

function waitText(ms: number | null): string {
  return ms === null ? '' : `, the longest for ${formatMs(ms)}`;
}
