import { createHash } from 'node:crypto';
import { ts } from 'ts-morph';
import type { Project } from './code/project.js';
import { functionName, isFunction } from './code/scope.js';
import type { Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import { type HabitFound, LINE, type PoolFound } from './habits.js';
import { isPython } from './languages/python/raises.js';
import { isInTestFunction } from './languages/python/roles.js';
import type { Leak } from './leaks.js';
import type { MisuseFound } from './misuse.js';
import type { Finding, Habit, Misuse, TrailStep } from './types.js';

/** In the order of files and lines. */
export function byPlace(a: Finding, b: Finding): number {
  return a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;
}

const TEST_FILE =
  /(^|\/)((\w+-)?tests?(-(helpers?|utils?))?|__tests__|__mocks__|spec|e2e|examples?|fixtures|cypress|perfTest)\/|(^|[/.])(test|spec)\.[cm]?[jt]sx?$|(^|\/)(test_[^/]*|[^/]*_test|conftest|tests?)\.py$|(^|\/)test_(files|tools|suites?)\//i;

/** The finding of a leak. A leak in a test that no file name shows as such is a note: it hangs a test run at most. */
export function toFinding(
  site: Site,
  leak: Leak,
  isCoarse: boolean,
  project: Project,
  includeTests: boolean,
): Finding {
  const isDoubtful = isHiddenTest(site, project, includeTests) || !project.isUnderstood(unitOf(site.node));
  return {
    rule: 'leak',
    kind: leak.kind,
    severity: isDoubtful ? 'note' : leak.severity,
    confidence: leak.isUncertain ? 'low' : confidenceOf(site, isCoarse),
    message: messageOf(site, leak, project),
    trail: trailOf(site, leak, project),
    ...placeOf(site, project),
    fingerprint: fingerprintOf(site, null, project),
  };
}

/**
 * Findings of these kinds are right less often than others of the same origin: an instance of a class that holds a
 * lease, a client that may serve the whole process, and a function with too many paths to follow each.
 */
function confidenceOf({ confidence, arms, pattern }: Site, isCoarse: boolean): Finding['confidence'] {
  const isWhole = pattern.isWhole === true || pattern.endedBy !== undefined;
  const isDoubtful = arms !== undefined || isWhole || isCoarse;
  return isDoubtful && confidence === 'high' ? 'medium' : confidence;
}

/** The finding of a lease that is released or used wrongly. */
export function toMisuse(site: Site, misuse: MisuseFound, project: Project, includeTests: boolean): Finding {
  const { rule, severity, released, at, does } = misuse;
  const trail = [step('acquire', site.node, 'acquired here', project)];
  if (released !== null) trail.push(step('release', released, 'released here', project));
  trail.push(step('misuse', at, MISUSES[rule].here, project));
  return {
    rule,
    kind: rule,
    severity,
    confidence: site.confidence,
    message: `${site.spec.title} ${MISUSES[rule].words} (line ${placeOfNode(at, project).line}): ${does}`,
    trail,
    ...placeOf(site, project),
    fingerprint: fingerprintOf(site, rule, project),
    ...(isTest(site, project, includeTests) ? { severity: 'note' } : {}),
  };
}

/** The finding of a lease that is held in a way that empties pools. */
export function toHabit(site: Site, habit: HabitFound, project: Project): Finding {
  return noteOf(site, habit, step('acquire', site.node, 'acquired here', project), project);
}

/** The finding of a pool that is made anew in each call. */
export function toPoolHabit(found: PoolFound, project: Project): Finding {
  const made = step('acquire', found.node, 'made here', project);
  return noteOf({ ...found, confidence: 'high' }, found, made, project);
}

function noteOf(
  place: Place,
  { rule, at, here, message }: HabitFound,
  first: TrailStep,
  project: Project,
): Finding {
  return {
    rule,
    kind: rule,
    severity: 'note',
    confidence: place.confidence,
    message: message.replace(LINE, String(placeOfNode(at, project).line)),
    trail: [first, step('misuse', at, here, project)],
    ...placeOf(place, project),
    fingerprint: fingerprintOf(place, rule, project),
  };
}

/** The facts of a call that a finding needs. */
type Place = Pick<Site, 'node' | 'spec' | 'confidence'>;

const MISUSES: Readonly<Record<Misuse, { readonly words: string; readonly here: string }>> = {
  'released-twice': { words: 'is released twice', here: 'released again here' },
  'used-after-release': { words: 'is used after its release', here: 'used here' },
  'dead-release': { words: 'has a release that is not called', here: 'not called here' },
  'released-not-owned': { words: 'is released where it may be a borrowed one', here: 'released here' },
};

/** Whether what is found there counts less: in tests and examples, unless these are asked for. */
export function isTest({ node }: Pick<Site, 'node'>, project: Project, includeTests: boolean): boolean {
  return !includeTests && (TEST_FILE.test(project.unitOf(node).name) || isOfTests(node));
}

/** In a test that no file name shows as such. */
function isHiddenTest({ node }: Site, project: Project, includeTests: boolean): boolean {
  return !includeTests && isOfTests(node) && !TEST_FILE.test(project.unitOf(node).name);
}

/** A test beside the code that it tests, as Python projects have them. */
function isOfTests(node: ts.Node): boolean {
  return isPython(node) && isInTestFunction(node);
}

/** The parts of a finding that describe the acquire call. */
function placeOf(
  site: Place,
  project: Project,
): Pick<Finding, 'resource' | 'file' | 'line' | 'column' | 'endLine' | 'endColumn'> {
  const unit = project.unitOf(site.node);
  const callee = site.node.expression;
  const at = ts.isPropertyAccessExpression(callee) ? callee.name : callee;
  const start = placeOfNode(at, project);
  const end = unit.text.length < site.node.end ? start : endOf(site.node, project);
  return {
    resource: site.spec.id,
    file: unit.name,
    line: start.line,
    column: start.column,
    endLine: end.line,
    endColumn: end.column,
  };
}

function messageOf({ spec, via }: Site, { kind, trail, instance }: Leak, project: Project): string {
  const what = via === null ? spec.title : `${spec.title}, from ${via}()`;
  if (instance !== undefined)
    return `${what} stays in an attribute that no method of ${instance.owner} releases`;
  switch (kind) {
    case 'never-released':
      return `${what} is never released`;
    case 'overwritten':
      return `${what} is acquired again before it is released`;
    case 'not-released-on-return':
      return `${what} is not released where the function returns${lineOf(trail, project)}`;
    case 'not-released-on-throw':
      return `${what} is not released if this throws${lineOf(trail, project)}`;
  }
}

function lineOf({ bypass }: Trail, project: Project): string {
  return bypass === null ? '' : ` (line ${placeOfNode(bypass, project).line})`;
}

type Trail = Leak['trail'];

function trailOf(site: Site, { trail, instance }: Leak, project: Project): TrailStep[] {
  const steps: TrailStep[] = [step('acquire', site.node, 'acquired here', project)];
  if (instance !== undefined)
    return [...steps, step('exit', instance.node, 'an instance is made here, and dropped', project)];
  if (trail.bypass !== null) {
    const message =
      trail.how === 'throw' ? 'this may throw' : trail.how === 'loop' ? 'acquired again here' : 'returns';
    steps.push(step('bypass', trail.bypass, message, project));
  }
  if (trail.bypass === null) steps.push(exitOf(site, project));
  if (trail.cause) steps.push(step('bypass', trail.cause, 'from here', project));
  return steps;
}

/** The end of the function, where nothing before it turned the path away from a release. */
function exitOf({ node }: Site, project: Project): TrailStep {
  const body = unitOf(node);
  const file = node.getSourceFile();
  const end = 'body' in body && body.body !== undefined ? body.body.end : body.end;
  const at = Math.max(body.getStart(), end - 1);
  return stepAt('exit', file, at, 'the function ends here, and nothing has released it', project);
}

function step(role: TrailStep['role'], node: ts.Node, message: string, project: Project): TrailStep {
  return stepAt(role, node.getSourceFile(), node.getStart(), message, project);
}

function stepAt(
  role: TrailStep['role'],
  file: ts.SourceFile,
  at: number,
  message: string,
  project: Project,
): TrailStep {
  const unit = project.unitOf(file);
  const { line, column } = project.placeAt(file, at);
  const written = (unit.source.split('\n', line).at(-1) ?? '').replace(/\r$/, '');
  const source = unit.lineAsWritten?.(written) ?? written;
  return { role, file: unit.name, line, column, message, source };
}

function placeOfNode(node: ts.Node, project: Project): { readonly line: number; readonly column: number } {
  return project.placeAt(node.getSourceFile(), node.getStart());
}

/** The position behind a node: behind its last character, whatever a translation puts there. */
function endOf(node: ts.Node, project: Project): { readonly line: number; readonly column: number } {
  const { line, column } = project.placeAt(node.getSourceFile(), node.end - 1);
  return { line, column: column + 1 };
}

/** The same for the same code in another place of the file, or in a file of another name. */
function fingerprintOf({ node, spec }: Place, rule: Misuse | Habit | null, project: Project): string {
  const words = project.textOf(node).replace(/\s+/g, ' ');
  let name: string | null = null;
  for (let at: ts.Node | undefined = node.parent; at !== undefined && name === null; at = at.parent) {
    if (isFunction(at)) name = functionName(at);
  }
  return createHash('sha256')
    .update(`${spec.id}\n${name ?? ''}\n${words}${rule === null ? '' : `\n${rule}`}`)
    .digest('hex')
    .slice(0, 16);
}
