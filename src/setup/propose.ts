import { type CiStep, GITHUB_FILE, GITLAB_FILE, githubWorkflow, gitlabJob } from './ci.js';
import type { Inspection, Proposal } from './types.js';

export const CONFIG_FILE = 'poolctl.config.json';
export const BASELINE_FILE = 'poolctl-baseline.json';

export type CiChoice = 'auto' | 'github' | 'gitlab' | 'none';

export interface Plan {
  readonly proposals: readonly Proposal[];
  /** The files that are not proposed, with the reason. */
  readonly notes: readonly string[];
}

export interface Facts {
  readonly found: Inspection;
  /** The version of poolctl, for CI. */
  readonly version: string;
  readonly ci: CiChoice;
  /** The text of the baseline. */
  readonly baseline: string;
  /** Files that are there, by their names. */
  readonly existing: ReadonlyMap<string, string>;
}

/** The files that a project should have. Pure. */
export function propose({ found, version, ci, baseline, existing }: Facts): Plan {
  const notes: string[] = [];
  const proposals: Proposal[] = [];
  const add = (file: string, purpose: Proposal['purpose'], after: string) =>
    void proposals.push({ file, purpose, before: existing.get(file) ?? null, after });

  const [config] = found.configs;
  if (config === undefined) add(CONFIG_FILE, 'config', configText(found));
  else notes.push(`${config} is left as it is.`);
  // Taking what is new as known is a decision for each leak, not for a command that sets things up.
  if (existing.has(BASELINE_FILE))
    notes.push(
      `${BASELINE_FILE} is left as it is. 'poolctl audit-leaks --baseline ${BASELINE_FILE} --update-baseline' renews it.`,
    );
  else if (config === undefined || !/\bbaseline\b/.test(existing.get(config) ?? '')) {
    add(BASELINE_FILE, 'baseline', baseline);
    if (config !== undefined) notes.push(`Add "baseline": "${BASELINE_FILE}" to audit-leaks in ${config}.`);
  }

  for (const step of ciSteps(found, version, ci, existing)) {
    if (typeof step === 'string') notes.push(step);
    else add(step.file, 'ci', step.text);
  }
  return { proposals, notes };
}

function ciSteps(
  found: Inspection,
  version: string,
  choice: CiChoice,
  existing: ReadonlyMap<string, string>,
): (CiStep | string)[] {
  if (choice === 'none') return [];
  if (found.repository !== null && found.repository !== '')
    return [`No CI step: the repository begins in ${found.repository}. Run 'poolctl init' there to get one.`];
  const systems = new Set(found.ci.map(({ system }) => system));
  const wanted =
    choice === 'auto' ? (['github', 'gitlab'] as const).filter((one) => systems.has(one)) : [choice];
  if (wanted.length === 0) {
    const others = found.ci.map(({ file }) => file).join(', ');
    return [
      `No CI step: ${others === '' ? 'no CI was found' : `${others} is not of a kind that poolctl writes`}. Run 'poolctl audit-leaks' in CI, or pass --ci github or --ci gitlab.`,
    ];
  }
  return wanted.map((system) => {
    if (system === 'gitlab') return gitlabJob(found, version, existing.get(GITLAB_FILE) ?? null);
    return existing.has(GITHUB_FILE) ? `${GITHUB_FILE} is left as it is.` : githubWorkflow(found, version);
  });
}

/** The config: the baseline, and what the project says of its pools and poolers. */
function configText(found: Inspection): string {
  const sizes = new Set(found.poolSizes.map(({ size }) => size));
  const [size] = sizes;
  const pool = sizes.size === 1 && size !== undefined && size > 0 ? { poolSize: size, maxOverflow: 0 } : {};
  const usesPooler = found.pgbouncer.length > 0 || found.services.some(({ kind }) => kind === 'pgbouncer');
  const pooler = usesPooler ? { pgbouncer: true } : {};
  const both = { ...pool, ...pooler };
  const isEmpty = Object.keys(both).length === 0;
  const content = {
    ...(found.hasPoolctl ? { $schema: './node_modules/poolctl/schemas/config.json' } : {}),
    'audit-leaks': { baseline: BASELINE_FILE },
    ...(isEmpty ? {} : { doctor: both, loadtest: both }),
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Commands that fit the project, to go on with. */
export function nextCommands(found: Inspection): readonly string[] {
  const kinds = new Set(found.services.map(({ kind }) => kind));
  const uses = (...names: readonly string[]) => found.libraries.some(({ name }) => names.includes(name));
  const variable = found.variables
    .flatMap(({ names }) => names)
    .find((name) => /^(?:DATABASE|POSTGRES(?:QL)?)_URL$/.test(name));
  const isPostgres = uses('pg', 'pg-pool', 'postgres') || kinds.has('postgres');
  return [
    'poolctl audit-leaks',
    ...(isPostgres
      ? [`poolctl doctor ${variable === undefined ? 'postgres://USER@HOST/DATABASE' : `"$${variable}"`}`]
      : []),
    ...(kinds.has('pgbouncer') || found.pgbouncer.length > 0 ? ['poolctl pgbouncer show pools'] : []),
    ...(found.libraries.length > 0 ? ['poolctl run -- node YOUR_PROGRAM.js', 'poolctl top'] : []),
  ];
}
