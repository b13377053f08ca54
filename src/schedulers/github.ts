import { isAbsolute } from 'node:path';
import { type LoadJob, ManifestError, type Scheduler } from './manifest.js';
import { shellLine } from './shell.js';

/** A workflow with a matrix of jobs, and a job that merges their results. */
export const github: Scheduler = { manifest };

function manifest(job: LoadJob): string {
  const { words, count, name, startAt, mergeWords, secrets, files, version, packages } = job;
  const outside = files.find((file) => isAbsolute(file) || file.startsWith('..'));
  if (outside !== undefined)
    throw new ManifestError(`${outside} is outside of the repository that the workflow checks out`);
  const expression = [...words, ...mergeWords].find((word) => word.includes(`\${{`));
  if (expression !== undefined)
    throw new ManifestError(`GitHub would evaluate the expression in ${JSON.stringify(expression)}`);
  const segment = shellLine(
    ['poolctl', ...words],
    [
      '--segment "$SEGMENT" --start-at "$START_AT" --run-id "$RUN_ID" --format json --output "part-$PART.json"',
    ],
  );
  const install = shellLine(['npm', 'install', '--global', `poolctl@${version}`, ...packages]);
  const node = ['      - uses: actions/setup-node@v4', '        with:', '          node-version: 22'];
  const start =
    startAt === null
      ? `echo "at=$(date -u -d '+3 min' +%FT%TZ)" >> "$GITHUB_OUTPUT"`
      : `echo ${shellLine([`at=${startAt}`])} >> "$GITHUB_OUTPUT"`;
  return `${[
    `# ${count} segments of a load as jobs of a workflow, and their merge. Save it in .github/workflows.`,
    ...(secrets.length > 0
      ? [`# The password is the secret ${secrets.join(' or ')} of the repository.`]
      : []),
    `name: ${name}`,
    'on: workflow_dispatch',
    'permissions:',
    '  contents: read',
    'jobs:',
    '  start:',
    '    runs-on: ubuntu-latest',
    '    outputs:',
    `      at: \${{ steps.start.outputs.at }}`,
    '    steps:',
    '      # A segment that is not ready by then does not run.',
    '      - id: start',
    '        run: |',
    `          ${start}`,
    '  segment:',
    '    needs: start',
    '    runs-on: ubuntu-latest',
    '    strategy:',
    '      fail-fast: false',
    `      max-parallel: ${count}`,
    '      matrix:',
    `        part: [${Array.from({ length: count }, (_, at) => at + 1).join(', ')}]`,
    '    steps:',
    ...(files.length > 0 ? ['      - uses: actions/checkout@v4'] : []),
    ...node,
    `      - run: ${install}`,
    '      - run: |',
    `          ${segment.replaceAll('\n', '\n          ')}`,
    '        env:',
    `          PART: \${{ matrix.part }}`,
    `          SEGMENT: \${{ matrix.part }}/${count}`,
    `          START_AT: \${{ needs.start.outputs.at }}`,
    '          # Jobs that are repeated are another run, which the merge refuses to mix with the first.',
    `          RUN_ID: \${{ github.run_id }}-\${{ github.run_attempt }}`,
    ...secrets.map((one) => `          ${one}: \${{ secrets.${one} }}`),
    '      - uses: actions/upload-artifact@v4',
    '        with:',
    `          name: part-\${{ matrix.part }}`,
    `          path: part-\${{ matrix.part }}.json`,
    '  merge:',
    '    needs: segment',
    '    # The merge reports segments that are missing.',
    `    if: \${{ !cancelled() }}`,
    '    runs-on: ubuntu-latest',
    '    steps:',
    ...node,
    `      - run: ${install}`,
    '      - uses: actions/download-artifact@v4',
    '        with:',
    '          pattern: part-*',
    '          merge-multiple: true',
    '      - run: |',
    `          ${shellLine(['poolctl', 'merge', ...mergeWords], ['part-*.json'])}`,
  ].join('\n')}\n`;
}
