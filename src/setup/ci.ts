import { parse } from 'yaml';
import { isObject, objectIn } from './packages.js';
import type { Inspection, PackageManager } from './types.js';

/** A CI step for a project: the file, and what is in it. */
export interface CiStep {
  readonly file: string;
  readonly text: string;
}

export const GITHUB_FILE = '.github/workflows/poolctl.yml';
export const GITLAB_FILE = '.gitlab-ci.yml';

/** The commands that CI runs for an audit: those that install poolctl where the project has it, then the audit. */
function auditCommands(
  { packageManager, hasPoolctl }: Inspection,
  version: string,
  options: string,
): readonly string[] {
  if (!hasPoolctl) return [`${WITHOUT_INSTALL}@${version} audit-leaks ${options}`];
  const { install, run } = INSTALLED[packageManager];
  return [...install, `${run} audit-leaks ${options}`];
}

/** npm is on every machine that has Node; another manager would have to be set up for one command. */
const WITHOUT_INSTALL = 'npx --yes poolctl';

const INSTALLED: Readonly<
  Record<PackageManager, { readonly install: readonly string[]; readonly run: string }>
> = {
  npm: { install: ['npm ci'], run: 'npx --no-install poolctl' },
  pnpm: { install: ['corepack enable', 'pnpm install --frozen-lockfile'], run: 'pnpm exec poolctl' },
  yarn: { install: ['corepack enable', 'yarn install --immutable'], run: 'yarn run poolctl' },
  'yarn-classic': {
    install: ['corepack enable', 'yarn install --frozen-lockfile'],
    run: 'yarn -s run poolctl',
  },
  bun: { install: ['npm install --global bun', 'bun install --frozen-lockfile'], run: 'bun run poolctl' },
};

export function githubWorkflow(found: Inspection, version: string): CiStep {
  const commands = auditCommands(found, version, '--format github');
  return {
    file: GITHUB_FILE,
    text: `name: poolctl
on:
  pull_request:
  push:
    branches: [${JSON.stringify(found.branch)}]
permissions:
  contents: read
jobs:
  audit-leaks:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 22
${commands.map((command) => `      - run: ${command}\n`).join('')}`,
  };
}

/** The file with the job at its end; a text says why it cannot be added. */
export function gitlabJob(found: Inspection, version: string, before: string | null): CiStep | string {
  const pipeline = before === null ? {} : objectIn(before, parse);
  if (pipeline === null) return `${GITLAB_FILE} is not YAML that poolctl understands.`;
  if ('poolctl' in pipeline) return `${GITLAB_FILE} has a job named poolctl already.`;
  const commands = auditCommands(found, version, '--format junit --output poolctl-report.xml');
  const job = `poolctl:
  stage: ${stageOf(pipeline.stages)}
  image: node:22
  before_script: []
  script:
${commands.map((command) => `    - ${command}\n`).join('')}  artifacts:
    when: always
    reports:
      junit: poolctl-report.xml
`;
  const text = before === null || before.trim() === '' ? job : `${before.trimEnd()}\n\n${job}`;
  const after = objectIn(text, parse);
  // A file that ends in something open, such as a block of text, would take the job in.
  const isSame = JSON.stringify({ ...after, poolctl: undefined }) === JSON.stringify(pipeline);
  if (!isSame || !isObject(after?.poolctl)) return `a job cannot be added to ${GITLAB_FILE} at its end.`;
  return { file: GITLAB_FILE, text };
}

/** The stage that tests are in; GitLab has `test` by itself where a pipeline names no stages. */
function stageOf(stages: unknown): string {
  if (!Array.isArray(stages)) return 'test';
  const names = stages.filter((one) => typeof one === 'string');
  const wanted =
    names.find((name) => name === 'test') ??
    names.find((name) => /test|lint|check|quality|verify/i.test(name));
  return JSON.stringify(wanted ?? names[0] ?? 'test');
}
