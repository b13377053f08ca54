import type { Finding, Step } from '../../diagnosis/types.js';
import { skip } from '../outcome.js';
import type { Check, FixStep, Outcome } from '../types.js';

export const causeNow: Check = {
  id: 'cause-now',
  title: 'nothing is failing or waiting at this moment; otherwise the cause is named',
  needs: [],
  uses: ['pool', 'postgres', 'mysql', 'pgbouncer'],
  judgesUnreadable: true,
  why:
    'Many causes look alike, for example a pool that is empty and callers that wait. Repair the first ' +
    'cause that explains the others. The repair of a look-alike changes nothing, or does harm.',
  details:
    'Joins all readable targets: the line of code, the pooler, the backend and the sessions that block it. ' +
    'Then it tries the causes in a fixed order. The order is: the observation itself, the process, failed ' +
    'connects, the pooler, failing statements, the state of each backend, counters, and last the size. ' +
    'poolctl top and poolctl health name the same cause. If something waits, the check reads twice, one ' +
    'second apart.',
  run({ targets }) {
    const { diagnosis, unreadable } = targets;
    const read = [...targets.pool, ...targets.postgres, ...targets.mysql, ...targets.pgbouncer];
    if (read.length + unreadable.length === 0 || diagnosis === undefined)
      return [{ ...skip('needs a running application, a server or a pooler'), subjects: [] }];
    const [first] = diagnosis.findings;
    // A target that cannot be read at all is reported as a problem of that target.
    if (read.length === 0) {
      const why = first === undefined ? '' : `; ${first.cause}: ${first.words}`;
      return [{ ...skip(`no target could be read${why}`), subjects: [] }];
    }
    if (first !== undefined) return diagnosis.findings.map(outcomeOf);
    const subjects = read.map(({ label }) => label);
    return [
      {
        status: 'pass',
        subjects,
        summary: 'nothing waits for long, and nothing fails',
        evidence: [],
        fix: null,
      },
    ];
  },
};

function outcomeOf(finding: Finding): Outcome {
  const { cause, severity, subject, words, evidence, ruledOut, confidence, missing, steps, avoid } = finding;
  return {
    status: severity === 'bad' ? 'fail' : 'warn',
    subjects: [subject.source],
    summary: `${cause}: ${words}`,
    evidence: [
      ...evidence,
      ...ruledOut.map((what) => `ruled out: ${what}`),
      ...(confidence === 'certain' ? [] : [`confidence: ${confidence}`]),
      ...(missing === null ? [] : [`would decide: ${missing}`]),
    ],
    fix: {
      steps: steps.map(stepOf),
      risk: avoid.length === 0 ? 'None.' : `Do not use: ${avoid.join('; ')}.`,
    },
  };
}

function stepOf({ kind, at, text }: Step): FixStep {
  return { kind, at, text };
}
