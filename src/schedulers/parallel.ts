import type { LoadJob, Scheduler } from './manifest.js';
import { shellLine, startLines } from './shell.js';

/** A script that runs all segments on one machine with GNU parallel. */
export const parallel: Scheduler = { manifest };

function manifest({ words, count, name, startAt, mergeWords }: LoadJob): string {
  const segment = shellLine(
    ['poolctl', ...words, '--segment', `auto/${count}`],
    ['--start-at "$START_AT" --run-id "$RUN" --format json --output "$RUN/part-$PARALLEL_SEQ.json"'],
  );
  return `${[
    '#!/bin/bash',
    `# ${count} segments of a load with GNU parallel, and their merge. Run it with: bash FILE`,
    '# Segments inherit the environment, so a password in PGPASSWORD or MYSQL_PWD reaches them.',
    'set -euo pipefail',
    '',
    `RUN=${name}-$(date -u +%Y%m%dT%H%M%SZ)`,
    ...startLines(startAt, '15 sec'),
    'export RUN START_AT',
    'mkdir "$RUN"',
    '',
    'segment() {',
    `  ${segment}`,
    '}',
    'export -f segment',
    '# All segments run at once, and a failed one is not repeated. The merge reports those that are missing.',
    `SHELL=/bin/bash parallel --will-cite --jobs ${count} --retries 1 -n0 segment ::: {1..${count}} || true`,
    '',
    shellLine(['poolctl', 'merge', ...mergeWords], ['"$RUN"/part-*.json']),
  ].join('\n')}\n`;
}
