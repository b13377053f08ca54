import type { RecordedPool } from '../leases/recording.js';
import { algorithmOf } from './algorithm.js';
import type { Workload } from './load.js';
import type { Recommendation } from './types.js';

/** The assumptions behind the figures, the most important first. */
export function assumptionsOf(
  pool: RecordedPool,
  { slowdown, leakingMs }: Workload,
  {
    recommendation: { size },
    growth,
    fewChecks,
  }: { recommendation: Recommendation; growth: number; fewChecks: number | null },
): string[] {
  const { connects, library } = pool;
  const { kind, observedUpTo } = slowdown;
  const beyond = size !== null && size > observedUpTo;
  const limit = Math.round(observedUpTo);
  return [
    'Acquires arrive as recorded, also when waits are longer or shorter.',
    ...(kind === 'unknown'
      ? [
          'Holds do not change with the number of leases out: the recording varies too little to measure that.',
        ]
      : []),
    ...(kind === 'none' && beyond
      ? [`Beyond ${limit} leases out at once, the most in the recording, holds stay as long as they are.`]
      : []),
    ...(kind === 'measured' && beyond
      ? [`Beyond ${limit} leases out at once, the most in the recording, holds grow at the measured rate.`]
      : []),
    ...(growth === 1
      ? []
      : [`Growth of ${growth}x means that the same acquires arrive in 1/${growth} of the time.`]),
    ...(leakingMs === null ? [] : ['Leaks and outliers hold as long as other leases of their call site.']),
    ...(fewChecks === null
      ? []
      : [
          `Checks of idle connections take ${fewChecks === 0 ? 'no time' : 'as long as recorded'}: too few were recorded to know more. The ranges allow for none and for as much as a connect.`,
        ]),
    ...(algorithmOf(pool).pings
      ? [`${library} pings a connection each time before it lends it: pings take as long as recorded.`]
      : []),
    ...(connects.some(({ tookMs }) => tookMs !== null)
      ? []
      : [`Connects take no time: ${library} does not report how long they take.`]),
  ];
}
