import { ValueError } from '../base/units.js';
import type { Segment } from './api.js';

/** Variables in which a scheduler tells a job its place among its siblings. */
interface Source {
  readonly name: string;
  readonly index: string;
  /** The index of the first one. */
  readonly first: 0 | 1;
  /** null where the scheduler does not tell how many there are. */
  readonly count: string | null;
  /** A variable that has another value than `firstTry` in a job that was started again; null: there is none. */
  readonly retry: { readonly variable: string; readonly firstTry: string } | null;
}

/**
 * From the documentation of each scheduler. Slurm's arrays are apart, because their indexes may begin anywhere. Whether a
 * scheduler counts from 0 or from 1 is known by the name of its variable, and is never guessed.
 */
const SOURCES: readonly Source[] = [
  {
    ...{ name: 'a Kubernetes Indexed Job', index: 'JOB_COMPLETION_INDEX', first: 0 },
    count: null,
    retry: null,
  },
  {
    ...{ name: 'AWS Batch', index: 'AWS_BATCH_JOB_ARRAY_INDEX', first: 0, count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
    retry: { variable: 'AWS_BATCH_JOB_ATTEMPT', firstTry: '1' },
  },
  {
    ...{ name: 'Cloud Run', index: 'CLOUD_RUN_TASK_INDEX', first: 0, count: 'CLOUD_RUN_TASK_COUNT' },
    retry: { variable: 'CLOUD_RUN_TASK_ATTEMPT', firstTry: '0' },
  },
  { ...{ name: 'GitLab', index: 'CI_NODE_INDEX', first: 1, count: 'CI_NODE_TOTAL' }, retry: null },
  { ...{ name: 'CircleCI', index: 'CIRCLE_NODE_INDEX', first: 0, count: 'CIRCLE_NODE_TOTAL' }, retry: null },
  {
    ...{
      name: 'Buildkite',
      index: 'BUILDKITE_PARALLEL_JOB',
      first: 0,
      count: 'BUILDKITE_PARALLEL_JOB_COUNT',
    },
    retry: { variable: 'BUILDKITE_RETRY_COUNT', firstTry: '0' },
  },
  {
    ...{
      name: 'Bitbucket',
      index: 'BITBUCKET_PARALLEL_STEP',
      first: 0,
      count: 'BITBUCKET_PARALLEL_STEP_COUNT',
    },
    retry: null,
  },
  {
    ...{ name: 'Azure Pipelines', index: 'SYSTEM_JOBPOSITIONINPHASE', first: 1 },
    ...{ count: 'SYSTEM_TOTALJOBSINPHASE', retry: null },
  },
  { ...{ name: 'GNU parallel', index: 'PARALLEL_SEQ', first: 1 }, count: null, retry: null },
];

export interface FoundSegment {
  readonly segment: Segment;
  /** The variables that it was read from, for a remark. */
  readonly from: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The segment that a scheduler has told in the environment; `count` is what the user said of their number, or null. Throws
 * a ValueError if there is no known variable, if two schedulers match, if the number is not known or disagrees, and for a
 * job that was started again, because a segment must not run twice.
 */
export function segmentFrom(env: Env, count: number | null): FoundSegment {
  const found: Found[] = [
    ...SOURCES.flatMap((source) => (isSet(env[source.index]) ? [foundIn(source, env)] : [])),
    ...(isSet(env.SLURM_ARRAY_TASK_ID) ? [slurmArray(env)] : []),
  ];
  const [only, second] = found;
  if (only === undefined) {
    const known = [...SOURCES.map(({ index }) => index), 'SLURM_ARRAY_TASK_ID'].join(', ');
    throw new ValueError(`no scheduler tells which segment this is; none of these is set: ${known}`);
  }
  if (second !== undefined) {
    throw new ValueError(
      `two schedulers match, ${only.name} (${only.from}) and ${second.name} (${second.from}); write --segment I/N`,
    );
  }
  if (only.retried !== null)
    throw new ValueError(
      `${only.name} has started this job again (${only.retried}), and a segment must not run twice`,
    );
  const total = only.count ?? count;
  if (total === null)
    throw new ValueError(`${only.name} does not tell how many segments there are; write --segment auto/N`);
  if (count !== null && count !== total)
    throw new ValueError(
      `--segment auto/${count} disagrees with ${only.name}, which has ${total} (${only.from})`,
    );
  if (only.index < 1 || only.index > total)
    throw new ValueError(`${only.from} is segment ${only.index} of ${total}, which does not exist`);
  return { segment: { index: only.index, count: total }, from: only.from };
}

interface Found {
  readonly name: string;
  /** From 1. */
  readonly index: number;
  readonly count: number | null;
  readonly from: string;
  readonly retried: string | null;
}

function foundIn({ name, index, first, count, retry }: Source, env: Env): Found {
  const tried = retry === null ? undefined : env[retry.variable];
  return {
    name,
    index: wholeIn(env, index) - first + 1,
    count: count === null || !isSet(env[count]) ? null : wholeIn(env, count),
    from: wordsFor(env, count === null ? [index] : [index, count]),
    retried:
      retry === null || !isSet(tried) || tried === retry.firstTry ? null : wordsFor(env, [retry.variable]),
  };
}

/** An array may be a list with gaps, whose places cannot be told from its bounds. */
function slurmArray(env: Env): Found {
  const variables = [
    'SLURM_ARRAY_TASK_ID',
    'SLURM_ARRAY_TASK_MIN',
    'SLURM_ARRAY_TASK_MAX',
    'SLURM_ARRAY_TASK_COUNT',
  ];
  const [id, least, most, count] = variables.map((name) => wholeIn(env, name)) as [
    number,
    number,
    number,
    number,
  ];
  const step = count === 1 ? 1 : (most - least) / (count - 1);
  const place = (id - least) / step;
  const from = wordsFor(env, variables);
  if (!Number.isInteger(step) || !Number.isInteger(place)) {
    throw new ValueError(
      `the array of Slurm is no plain range (${from}); use one such as --array=1-${count}`,
    );
  }
  const restarts = env.SLURM_RESTART_COUNT;
  const retried = isSet(restarts) && restarts !== '0' ? wordsFor(env, ['SLURM_RESTART_COUNT']) : null;
  return { name: 'Slurm', index: place + 1, count, from, retried };
}

function wordsFor(env: Env, names: readonly string[]): string {
  return names
    .filter((name) => isSet(env[name]))
    .map((name) => `${name}=${env[name]}`)
    .join(' ');
}

function wholeIn(env: Env, name: string): number {
  const text = env[name];
  if (text === undefined || !/^\d{1,9}$/.test(text)) {
    throw new ValueError(
      `${name} is ${text === undefined ? 'not set' : `'${text}'`}, which is no whole number`,
    );
  }
  return Number(text);
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== '';
}
