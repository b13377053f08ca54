import type { LoadJob, Scheduler } from './manifest.js';
import { shellLine, startLines } from './shell.js';

/** A script that submits itself as a job array of Slurm, waits for it, and merges the results. */
export const slurm: Scheduler = { manifest };

function manifest({ words, count, name, startAt, mergeWords, secrets }: LoadJob): string {
  const segment = shellLine(
    ['poolctl', ...words, '--segment', `auto/${count}`],
    [
      '--start-at "$START_AT" --run-id "$SLURM_ARRAY_JOB_ID"',
      '--format json --output "$RESULTS/part-$SLURM_ARRAY_TASK_ID.json"',
    ],
  );
  const exported = ['PATH', 'HOME', 'RESULTS', 'START_AT', ...secrets].join(',');
  return `${[
    '#!/bin/bash',
    `# ${count} segments of a load as a job array of Slurm, and their merge. Run it where sbatch is: bash FILE`,
    '# The folder must be on a file system that all nodes share.',
    ...(secrets.length > 0
      ? [
          `# The array receives ${secrets.join(' and ')} from your environment. Leave it unset to use a password file in`,
          '# your home folder instead.',
        ]
      : []),
    'set -euo pipefail',
    '',
    `if [ -n "\${LOAD_SEGMENT:-}" ]; then`,
    `  exec ${segment}`,
    'fi',
    '',
    `RESULTS=$PWD/${name}-$(date -u +%Y%m%dT%H%M%SZ)`,
    ...startLines(startAt, '2 min'),
    'export RESULTS START_AT',
    'mkdir "$RESULTS"',
    '# A segment must not run twice, so Slurm must not requeue it. The merge reports those that are missing.',
    `sbatch --wait --job-name=${name} --array=1-${count} --ntasks=1 --cpus-per-task=1 --no-requeue \\`,
    `  --output="$RESULTS/segment-%a.log" --export=LOAD_SEGMENT=1,${exported} "$0" || true`,
    '',
    shellLine(['poolctl', 'merge', ...mergeWords], ['"$RESULTS"/part-*.json']),
  ].join('\n')}\n`;
}
