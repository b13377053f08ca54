import { formatCount, formatMs } from '../../base/units.js';
import { DEFAULT_TARGET_MS, sizeRecordings } from '../../sizing/size.js';
import type { PoolSizing } from '../../sizing/types.js';
import { about, codeStep, type Finding, pass, skip, warn } from '../outcome.js';
import type { Check, Outcome, RecordingTarget } from '../types.js';

/** A pool that is this many times larger than it needs to be, by at least LEAST_SPARE connections. */
const FAR_LARGER = 2;
const LEAST_SPARE = 5;

export const recordedPoolSize: Check = {
  id: 'recorded-pool-size',
  title: 'the recorded pools have the size that their load needs',
  needs: ['recording'],
  why:
    'In a pool that is too small, callers wait for each other. One that is too large takes connections from other ' +
    'programs, and the server works on more queries at once than it can.',
  details:
    'Replays the leases of a recording (poolctl run --record-leases) in pools of other sizes. Warns if the p99 wait ' +
    `was above ${formatMs(DEFAULT_TARGET_MS)}, or if half the connections would have been enough. Leases that never ` +
    'came back are left out of the size and listed. poolctl size shows the whole table.',
  run: ({ targets, options }) => targets.recording.flatMap((target) => judge(target, options.instances)),
};

function judge(target: RecordingTarget, instances: number | null): readonly Outcome[] {
  const { result, unsized } = sizeRecordings([{ file: target.label, recording: target.recording }], {
    ...{ targetMs: DEFAULT_TARGET_MS, growth: 1, sizes: [], reserved: 3 },
    ...{ instances, maxConnections: null, pgbouncerPoolSize: null },
  });
  return [
    ...result.pools.map((pool) => about([target], verdict(pool))),
    ...unsized.map(({ name, why }) => about([target], skip(`${name}: ${why}`))),
  ];
}

function verdict(pool: PoolSizing): Finding {
  const { name, recordedSize, waits, recommendation, replayed, acquires, timeouts } = pool;
  const { size, p99Ms, shorten, targetMs } = recommendation;
  const evidence = [
    `${formatCount(acquires)} acquires, p99 wait ${formatMs(waits.p99Ms)}, ${formatCount(timeouts)} gave up`,
    ...(size === null ? [] : [`at size ${size} the p99 wait is ${formatMs(p99Ms)}`]),
    ...pool.excluded.map(
      ({ kind, count, site }) =>
        `${count === 1 ? `1 ${kind}` : `${count} ${kind}s`} at ${site ?? 'an unknown place'}`,
    ),
  ];
  if (recordedSize === null) return skip(`${name} has no limit`);
  if (replayed !== null && !replayed.isClose)
    return skip(`${name}: the replay does not fit the recording, so it says nothing about other sizes`);
  if (waits.p99Ms > targetMs) {
    const steps = [
      ...(size === null || size <= recordedSize
        ? []
        : [codeStep(`raise the size of the pool ${name} from ${recordedSize} to ${size}`)]),
      ...(shorten === null ? [] : [codeStep(`or hold connections for a shorter time at ${shorten.site}`)]),
    ];
    return warn(
      `${name} is too small: 1 of 100 acquires waits for more than ${formatMs(targetMs)}`,
      evidence,
      {
        steps:
          steps.length > 0
            ? steps
            : [codeStep('shorten the queries: no pool size makes the waits short enough')],
        risk: 'Each further connection costs the server memory. The sum of all pools must fit into max_connections.',
      },
    );
  }
  if (size !== null && recordedSize >= FAR_LARGER * size && recordedSize - size >= LEAST_SPARE) {
    return warn(
      `${name} is larger than it needs to be: ${size} of ${recordedSize} connections are enough`,
      evidence,
      {
        steps: [codeStep(`lower the size of the pool ${name} from ${recordedSize} to ${size}`)],
        risk: 'The recording may not have had the highest load. Record an hour that has it before you lower the size.',
      },
    );
  }
  return pass(`${name} waits for ${formatMs(waits.p99Ms)} at p99 with ${recordedSize} connections`, evidence);
}
