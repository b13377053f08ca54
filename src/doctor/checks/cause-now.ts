import type { Finding, Step } from '../../diagnosis/types.js';
import { skip } from '../outcome.js';
import type { Check, FixStep, Outcome } from '../types.js';

export const causeNow: Check = {
  id: 'cause-now',
  title: 'nothing suffers at this moment; where something does, its cause is named',
  needs: [],
  uses: ['pool', 'postgres', 'mysql', 'pgbouncer'],
  judgesUnreadable: true,
  why:
    'Many causes look alike: a pool that runs dry, and callers that wait. The first that explains the others is the one ' +
    'to repair; repairs of look-alikes change nothing, or do harm.',
  details:
    'Joins all targets that can be read, from the line of code to the backend and to those that block it, and tries the ' +
    'causes in order: the observation, the process, whether connections can be opened and in whose words they fail, the ' +
    'pooler, statements that fail, what each backend does, the numbers, and only then the size. poolctl top and poolctl ' +
    'health name the same cause. Where something waits, it looks twice, a second apart.',
  run({ targets }) {
    const { diagnosis, unreadable } = targets;
    const read = [...targets.pool, ...targets.postgres, ...targets.mysql, ...targets.pgbouncer];
    if (read.length + unreadable.length === 0 || diagnosis === undefined)
      return [{ ...skip('needs a running application, a server or a pooler'), subjects: [] }];
    const [first] = diagnosis.findings;
    // What cannot be read at all is told as the problem of that target.
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
