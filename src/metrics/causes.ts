import { poolKey } from '../diagnosis/facts.js';
import type { Finding } from '../diagnosis/types.js';
import type { Reading } from '../snapshot/reading.js';
import { type Family, gauge, type Labelled } from './metric.js';
import { POOL_LABELS, poolLabels } from './pool-labels.js';

/** The causes that the diagnosis of all sources together names. The scraper knows them, a single reading does not. */
export const causes = {
  labels: ['cause', 'severity', ...POOL_LABELS, 'database', 'user'],
  subjectsOf: (): readonly Labelled<Finding>[] => [],
  metrics: {
    diagnosis: gauge<Finding>({
      name: 'poolctl_diagnosis',
      unit: 'yes or no',
      help: '1 while this cause is found; severity is critical where callers suffer, else warning.',
      together: 'max',
      read: () => 1,
    }),
  },
} satisfies Family<Finding>;

/** The series of these findings. One cause that is found twice at the same place, as two chains of locks, is one. */
export function labelledCauses(findings: readonly Finding[], reading: Reading | null): Labelled<Finding>[] {
  const all = findings.map((finding) => labelledCause(finding, reading));
  return [...new Map(all.map((one) => [JSON.stringify(one.labels), one])).values()];
}

/** A pool, or a pool of PgBouncer, has the labels that its own metrics have. */
function labelledCause(finding: Finding, reading: Reading | null): Labelled<Finding> {
  const { cause, severity, subject } = finding;
  const pool = reading?.pools.find((one) => poolKey(subject.source, one) === subject.key);
  const queue = reading?.pooler?.pools.find(
    ({ database, user }) => `${subject.source} ${database} ${user}` === subject.key,
  );
  const of = pool === undefined ? ['', ''] : poolLabels(pool);
  return {
    labels: [
      cause,
      severity === 'bad' ? 'critical' : 'warning',
      ...of,
      queue?.database ?? '',
      queue?.user ?? '',
    ],
    subject: finding,
  };
}
