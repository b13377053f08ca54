import type { AuditResult, Finding, TrailStep } from '../../audit/types.js';

export interface SarifOptions {
  readonly version: string;
  /** The documentation of a kind of finding; without, the rules have no help. */
  pageOf?(kind: Finding['kind']): { readonly text: string; readonly markdown: string };
}

/** SARIF 2.1.0, for code scanning: a code flow per finding, from the acquire call to what gets past the release. */
export function renderSarif(result: AuditResult, { version, pageOf }: SarifOptions): string {
  const ids = [...new Set(result.findings.map(ruleId))].sort();
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'poolctl',
            version,
            informationUri: HOME,
            rules: ids.map((id) => ruleOf(id, pageOf)),
          },
        },
        columnKind: 'utf16CodeUnits',
        originalUriBaseIds: { ROOT: { description: { text: 'The audited path.' } } },
        results: result.findings.map((finding) => resultOf(finding, ids)),
        invocations: [
          {
            executionSuccessful: true,
            toolExecutionNotifications: result.warnings.map(({ file, line, reason }) => ({
              level: 'warning',
              message: { text: reason },
              locations: [{ physicalLocation: physical({ file, line: line ?? 1, column: 1 }) }],
            })),
          },
        ],
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function ruleId({ rule, kind }: Finding): string {
  return rule === kind ? rule : `${rule}/${kind}`;
}

const RULES: Readonly<Record<Finding['kind'], string>> = {
  'never-released': 'A lease is never released.',
  'not-released-on-return': 'A lease is not released where the function returns.',
  'not-released-on-throw': 'A lease is not released if a statement between acquire and release throws.',
  overwritten: 'A lease is acquired again before the one before is released.',
  'released-twice': 'A lease is released twice.',
  'used-after-release': 'A lease is used after its release.',
  'dead-release': 'A release is named but not called.',
  'released-not-owned': 'A lease is released that belongs to the caller.',
  'pool-per-call': 'Each call creates a pool of its own.',
  'held-through-work': 'A lease is held through work that does not need it.',
  'module-session': 'A whole module shares one lease.',
};

const HABITS: ReadonlySet<Finding['kind']> = new Set([
  'pool-per-call',
  'held-through-work',
  'module-session',
]);

/** The repository in package.json, which the command line cannot read from everywhere. */
const HOME = 'https://github.com/poolctl/poolctl';

function ruleOf(id: string, pageOf: SarifOptions['pageOf']): object {
  const kind = id.split('/').at(-1) as Finding['kind'];
  const page = pageOf?.(kind);
  const isHabit = HABITS.has(kind);
  return {
    id,
    name: kind.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase()),
    shortDescription: { text: RULES[kind] },
    fullDescription: { text: page?.text.split('\n\n')[1] ?? RULES[kind] },
    ...(page === undefined ? {} : { help: page }),
    helpUri: `${HOME}/blob/main/docs/rules/${kind}.md`,
    defaultConfiguration: { level: isHabit ? 'note' : 'error' },
    properties: {
      tags: ['reliability', 'resource-leak', ...(isHabit ? [] : ['external/cwe/cwe-772'])],
      precision: isHabit ? 'medium' : 'high',
      'problem.severity': isHabit ? 'recommendation' : 'error',
    },
  };
}

function resultOf(finding: Finding, ids: readonly string[]): object {
  const {
    severity,
    confidence,
    file,
    line,
    column,
    endLine,
    endColumn,
    message,
    trail,
    fingerprint,
    resource,
    where,
  } = finding;
  const region = { startLine: line, startColumn: column, endLine, endColumn };
  const bypass = trail.filter(({ role }) => role !== 'acquire');
  return {
    ruleId: ruleId(finding),
    ruleIndex: ids.indexOf(ruleId(finding)),
    level: severity === 'error' && where !== 'test' ? 'error' : 'note',
    message: { text: message },
    locations: [{ physicalLocation: { artifactLocation: artifact(file), region } }],
    relatedLocations: bypass.map((step, id) => ({
      id,
      message: { text: step.message },
      physicalLocation: physical(step),
    })),
    codeFlows: [{ threadFlows: [{ locations: trail.map(flowLocation) }] }],
    partialFingerprints: { 'poolctl/v1': fingerprint },
    properties: { resource, confidence },
  };
}

function flowLocation(step: TrailStep): object {
  return {
    location: { message: { text: step.message }, physicalLocation: physical(step) },
    kinds: [step.role === 'acquire' ? 'acquire' : 'branch'],
  };
}

function physical({
  file,
  line,
  column,
}: {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}): object {
  return { artifactLocation: artifact(file), region: { startLine: line, startColumn: column } };
}

function artifact(file: string): object {
  return { uri: file.split('/').map(encodeURIComponent).join('/'), uriBaseId: 'ROOT' };
}
