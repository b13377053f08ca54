import { formatMs } from '../../base/units.js';
import { poolKey } from '../../diagnosis/facts.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, skip, warn } from '../outcome.js';
import { capacityOf, forEachPool, giveBack, leaksOf, roomFor, setOption } from '../pools.js';
import type { Check, CheckContext, FixStep, PoolTarget } from '../types.js';

/** A wait for no longer is a burst, which a pool that is used well has, too. */
const BURST_MS = 50;
/** The situations in which a larger pool helps. */
const OF_SIZE: ReadonlySet<string> = new Set(['pool-too-small', 'unclear', 'limit-not-in-force']);

export const poolRoom: Check = {
  id: 'pool-room',
  title: 'pools have free leases, and no caller waits',
  needs: ['pool'],
  why:
    'Callers wait while the pool is empty, and their timeouts keep running. From outside, that looks like ' +
    'a slow database.',
  details:
    'Fails if all leases are out and callers wait. Warns if callers wait although the pool may open more ' +
    'connections. A wait below 50 ms is a burst. A full pool without waiting callers has the right size. ' +
    'If another cause is named (see cause-now), its repair replaces a larger pool.',
  run: forEachPool(judge),
};

function judge(pool: PoolReading, { targets }: CheckContext, { label }: PoolTarget): Finding | null {
  // A feed with all connections in use is healthy: feed-capacity counts its symbols.
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
  if (inUse === null) return skip('nothing reports how many leases are out');
  const waits = waiting === 0 ? '' : `, ${waiting} waiting${waitText(longestWaitMs)}`;
  const summary = `${inUse} of ${capacity} lent${waits}`;
  if (isBurst || (waiting === 0 && inUse <= capacity)) return pass(summary);
  const leaked = leaksOf(pool).length;
  const evidence = [
    `size ${pool.size} + ${pool.maxOverflow} overflow, ${pool.idle} idle`,
    ...(leaked === 0 ? [] : [`${leaked} of them held too long: run the check pool-leaks first`]),
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
  'More connections put more load on the server, which needs room for them: run the check fleet-sum. If ' +
  'queries wait for locks or for the CPU, a larger pool gains nothing. poolctl top shows what they wait ' +
  'for.';

const RISK_OF_GIVING_BACK = 'None, if the work is finished by then.';

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
      `pool '${name}': find out why connects are slow (pool-connects); ${creating ?? 'some'} are in ` +
        'progress',
    ),
  ];
}

function waitText(ms: number | null): string {
  return ms === null ? '' : `, the longest for ${formatMs(ms)}`;
}
