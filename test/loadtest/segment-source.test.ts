import { describe, expect, it } from 'vitest';
import { segmentFrom } from '../../src/loadtest/segment-source.js';

type Env = Readonly<Record<string, string>>;
const SLURM: Env = {
  SLURM_ARRAY_TASK_ID: '3',
  SLURM_ARRAY_TASK_MIN: '1',
  SLURM_ARRAY_TASK_MAX: '8',
  SLURM_ARRAY_TASK_COUNT: '8',
};

describe('the segment that a scheduler tells', () => {
  it.each<[what: string, env: Env, count: number | null, segment: string, from: string]>([
    ['a Kubernetes Indexed Job', { JOB_COMPLETION_INDEX: '0' }, 8, '1/8', 'JOB_COMPLETION_INDEX=0'],
    ['the last of them', { JOB_COMPLETION_INDEX: '7' }, 8, '8/8', 'JOB_COMPLETION_INDEX=7'],
    [
      'AWS Batch',
      { AWS_BATCH_JOB_ARRAY_INDEX: '2', AWS_BATCH_JOB_ARRAY_SIZE: '4', AWS_BATCH_JOB_ATTEMPT: '1' },
      ...([null, '3/4', 'AWS_BATCH_JOB_ARRAY_INDEX=2 AWS_BATCH_JOB_ARRAY_SIZE=4'] as const),
    ],
    [
      'GitLab, which counts from 1',
      { CI_NODE_INDEX: '1', CI_NODE_TOTAL: '4' },
      null,
      '1/4',
      'CI_NODE_INDEX=1 CI_NODE_TOTAL=4',
    ],
    [
      'CircleCI',
      { CIRCLE_NODE_INDEX: '1', CIRCLE_NODE_TOTAL: '4' },
      null,
      '2/4',
      'CIRCLE_NODE_INDEX=1 CIRCLE_NODE_TOTAL=4',
    ],
    [
      'Buildkite',
      { BUILDKITE_PARALLEL_JOB: '0', BUILDKITE_PARALLEL_JOB_COUNT: '2' },
      ...([null, '1/2', 'BUILDKITE_PARALLEL_JOB=0 BUILDKITE_PARALLEL_JOB_COUNT=2'] as const),
    ],
    ['GNU parallel', { PARALLEL_SEQ: '8' }, 8, '8/8', 'PARALLEL_SEQ=8'],
    [
      'Slurm',
      SLURM,
      ...([
        null,
        '3/8',
        'SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=8 SLURM_ARRAY_TASK_COUNT=8',
      ] as const),
    ],
    [
      'Slurm from 0 with a step',
      {
        ...SLURM,
        SLURM_ARRAY_TASK_ID: '4',
        SLURM_ARRAY_TASK_MIN: '0',
        SLURM_ARRAY_TASK_MAX: '6',
        SLURM_ARRAY_TASK_COUNT: '4',
      },
      ...([
        4,
        '3/4',
        'SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=6 SLURM_ARRAY_TASK_COUNT=4',
      ] as const),
    ],
  ])('is read from the variables of %s', (_, env, count, segment, from) => {
    const found = segmentFrom(env, count);
    expect([`${found.segment.index}/${found.segment.count}`, found.from]).toEqual([segment, from]);
  });

  it.each<[why: string, env: Env, count: number | null, message: RegExp]>([
    ['no variable is set', { CI_NODE_TOTAL: '1' }, null, /none of these is set: JOB_COMPLETION_INDEX/],
    [
      'two match',
      { JOB_COMPLETION_INDEX: '1', PARALLEL_SEQ: '1' },
      4,
      /two schedulers match, a Kubernetes .* and GNU parallel/,
    ],
    [
      'the number is not known',
      { JOB_COMPLETION_INDEX: '1' },
      null,
      /does not tell how many .* write --segment auto\/N/,
    ],
    [
      'the number disagrees',
      { CI_NODE_INDEX: '1', CI_NODE_TOTAL: '4' },
      8,
      /auto\/8 disagrees with GitLab, which has 4/,
    ],
    ['there are more jobs than segments', { PARALLEL_SEQ: '9' }, 8, /segment 9 of 8, which does not exist/],
    ['an index is no number', { CI_NODE_INDEX: 'x', CI_NODE_TOTAL: '4' }, null, /CI_NODE_INDEX is 'x'/],
    [
      'a job was started again',
      { AWS_BATCH_JOB_ARRAY_INDEX: '2', AWS_BATCH_JOB_ARRAY_SIZE: '4', AWS_BATCH_JOB_ATTEMPT: '2' },
      ...([null, /AWS Batch has started this job again \(AWS_BATCH_JOB_ATTEMPT=2\)/] as const),
    ],
    ['Slurm has requeued it', { ...SLURM, SLURM_RESTART_COUNT: '1' }, null, /SLURM_RESTART_COUNT=1/],
    ['the array of Slurm has gaps', { ...SLURM, SLURM_ARRAY_TASK_MAX: '9' }, null, /is no plain range/],
  ])('is refused where %s', (_, env, count, message) => {
    expect(() => segmentFrom(env, count)).toThrow(message);
  });
});
