import { ts } from 'ts-morph';
import { namesOfCalls } from './code/callers.js';
import { Entities } from './code/entities.js';
import { findFiles, type LocatedFile } from './code/files.js';
import { Project, type SourceUnit } from './code/project.js';
import { type Body, isFunction, variableOf } from './code/scope.js';
import { bare, isNothing } from './code/syntax.js';
import { Effort } from './effort.js';
import { byPlace, isTest, toFinding, toHabit, toMisuse, toPoolHabit } from './findings.js';
import { Functions } from './flow/program.js';
import type { Site } from './flow/types.js';
import { type HabitFound, habitsOf, PoolMakers, poolsPerCall } from './habits.js';
import type { Language } from './languages/language.js';
import { PYTHON_RESOURCES } from './languages/python/resources.js';
import { judge, type Verdict } from './leaks.js';
import { type MisuseFound, misuses } from './misuse.js';
import { instancesOf, type Owner, Owners } from './owners.js';
import { RESOURCES } from './resources/index.js';
import { callNames, findSites, needsNoEnd, packagesOf, Resources } from './sites.js';
import { suppress } from './suppress.js';
import { surroundingsOf } from './surroundings.js';
import { typedSites } from './typed.js';
import type { AuditResult, AuditWarning, Finding, ResourceSpec } from './types.js';

export interface AuditOptions {
  /** What relative paths are relative to. */
  readonly cwd: string;
  /** Globs of what is left out; one without a slash is a name in any folder. */
  readonly exclude?: readonly string[];
  /** Whether .gitignore files count. Default true. */
  readonly honourIgnoreFiles?: boolean;
  /** Kinds of leases besides those that are known. */
  readonly resources?: readonly ResourceSpec[];
  /** Report test files like any other. Without, leaks in them are marked `test`, and misuses are notes. */
  readonly includeTests?: boolean;
  /** Told of every file that is read, and of every acquire call that is followed. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A wrapper of a wrapper of a wrapper ...: more rounds than anybody has written. */
const ROUNDS = 12;

/** Audits the source files below `paths`. Throws only where a path is not there. */
export function audit(paths: readonly string[], options: AuditOptions): AuditResult {
  return auditInDetail(paths, options).result;
}

export interface DetailedAudit {
  readonly result: AuditResult;
  /** The files by the names that findings give them. */
  readonly files: ReadonlyMap<string, LocatedFile>;
  /** The files that a finding depends on, as real paths; see Reads for what else is among them. */
  readsOf(finding: Finding): ReadonlySet<string>;
}

/** Audits, and says where the files lie and which of them each finding depends on. */
export function auditInDetail(paths: readonly string[], options: AuditOptions): DetailedAudit {
  const found = findFiles(paths, options.cwd, {
    exclude: options.exclude ?? [],
    honourIgnoreFiles: options.honourIgnoreFiles ?? true,
  });
  const own = options.resources ?? [];
  const specs = [...own, ...RESOURCES];
  const project = new Project(found.files, packagesOf([...specs, ...PYTHON_RESOURCES]));
  const entities = new Entities(project);
  const { judged, warnings } = follow(
    project,
    { typescript: new Resources(specs), python: new Resources([...own, ...PYTHON_RESOURCES]) },
    entities,
    options,
  );
  const includeTests = options.includeTests === true;
  const raised: Finding[] = [];
  const reads = new Map<Finding, ReadonlySet<string>>();
  const raise = (finding: Finding, at: Pick<Site, 'node'>, files: ReadonlySet<string>): void => {
    const where = isTest(at, project, includeTests) ? 'test' : surroundingsOf(at.node, finding.file);
    const placed = where === null ? finding : { ...finding, where };
    raised.push(placed);
    reads.set(placed, files);
  };
  for (const { site, verdict, misused, habits, files } of judged.values()) {
    if (verdict.leak !== null && !isPartOfLeak(site, judged))
      raise(toFinding(site, verdict.leak, verdict.isCoarse, project), site, files);
    for (const one of misused) raise(toMisuse(site, one, project, includeTests), site, files);
    if (isTest(site, project, includeTests)) continue;
    for (const one of habits) raise(toHabit(site, one, project), site, files);
  }
  const makers = new PoolMakers(specs);
  for (const unit of project.files) {
    const found = guarded(unit, project, warnings, () => poolsPerCall(unit, project, makers, entities)) ?? [];
    for (const one of found) {
      // A leak says more than that the pool is made anew.
      if (judged.get(one.node)?.verdict.leak != null) continue;
      if (!isTest(one, project, includeTests)) raise(toPoolHabit(one, project), one, new Set([unit.path]));
    }
  }
  const { findings, suppressed, problems } = suppress(raised.sort(byPlace), project.files);
  const unreadable = found.unreadable.map(({ name, reason }) => ({
    file: name,
    line: null,
    reason: `skipped: ${reason}`,
  }));
  const result: AuditResult = {
    schema: 1,
    findings,
    warnings: [...unreadable, ...project.warnings, ...warnings, ...problems],
    summary: {
      files: project.files.length,
      parsed: project.parsedCount,
      acquireCalls: judged.size,
      suppressed,
      undecided: warnings.filter(({ reason }) => reason.startsWith(UNDECIDED)).length,
      baselined: 0,
      skipped: unreadable.length + project.skipped.size,
    },
  };
  const reals = new Map(found.files.map(({ path, real }) => [path, real]));
  return {
    result,
    files: new Map(found.files.map((file) => [file.name, file])),
    readsOf: (finding) => {
      const files = project.reads.closure(reads.get(finding) ?? []);
      return new Set([...files].map((path) => reals.get(path) ?? path));
    },
  };
}

/** `browser.newPage()`, where the browser itself leaks, and `client.query(new Cursor(sql))`, where the client does. */
function isPartOfLeak({ node, spec }: Site, judged: Judged): boolean {
  const user = ts.isCallExpression(node.parent) && ts.isNewExpression(node) ? node.parent : node;
  if (spec.isPart !== true || !ts.isPropertyAccessExpression(user.expression)) return false;
  const lender = user.expression.expression;
  const declaration = ts.isIdentifier(lender) ? variableOf(lender)?.declaration : undefined;
  const value =
    declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return value !== undefined && judged.get(bare(value))?.verdict.leak != null;
}

type Judged = Map<ts.Node, Followed>;

type ResourcesByLanguage = Readonly<Record<Language, Resources>>;

interface Followed extends Wrapper {
  readonly misused: readonly MisuseFound[];
  readonly habits: readonly HabitFound[];
}

/** Follows every lease; a function that hands one on makes its calls acquire calls, which are the next round. */
function follow(
  project: Project,
  resources: ResourcesByLanguage,
  entities: Entities,
  { onProgress }: AuditOptions,
): { judged: Judged; warnings: AuditWarning[] } {
  const functions = new Functions(project, entities);
  const classes = new Owners(entities, functions);
  const effort = new Effort();
  const judged: Judged = new Map();
  const warnings: AuditWarning[] = [];
  const first = firstSites(project, resources, entities, warnings);
  // Where a call was taken for an acquire by its name only, what its function does says more.
  const guesses = first.filter(({ isGuess }) => isGuess === true);
  let sites = first.filter((site) => !guesses.includes(site));
  const lentBy = new Map<Site, ReadonlySet<string>>();
  for (let round = 0; round < ROUNDS; round++) {
    if (sites.length === 0) sites = guesses.splice(0).filter(({ node }) => !judged.has(node));
    if (sites.length === 0) break;
    const wrappers = new Map<Body, Wrapper>();
    const owners = new Map<ts.Node, Owner & Pick<Wrapper, 'files'>>();
    for (const { node } of sites) functions.acquires.add(node);
    for (const site of sites) {
      if (judged.has(site.node) || needsNoEnd(site, entities)) continue;
      onProgress?.(judged.size, Math.max(sites.length, judged.size));
      const unit = project.unitOf(site.node);
      const { value, files } = project.reads.during(() => {
        project.reads.touch(unit.path);
        const verdict = guarded(unit, project, warnings, () => judge(site, functions, effort));
        if (verdict === null) return null;
        const misused = guarded(unit, project, warnings, () => misuses(site, verdict, functions)) ?? [];
        const habits = verdict.isCoarse
          ? []
          : (guarded(unit, project, warnings, () => habitsOf(site, verdict, functions)) ?? []);
        const owner = guarded(unit, project, warnings, () => classes.add(site, verdict));
        return { verdict, misused, habits, owner };
      });
      if (value === null) continue;
      if (value.verdict.gaveUp) warnings.push(undecided(site, project));
      const followed = { site, ...value, files: new Set([...files, ...(lentBy.get(site) ?? [])]) };
      judged.set(site.node, followed);
      if (followed.owner !== null)
        owners.set(followed.owner.node, { ...followed.owner, files: followed.files });
      const { body, returns } = followed.verdict;
      if (returns.length > 0 && isFunction(body)) wrappers.set(body, followed);
    }
    const instances = [...owners.values()].flatMap((owner) => {
      const made = instancesOf(owner, project, entities);
      for (const site of made) lentBy.set(site, owner.files);
      return made;
    });
    // What was known of a class before does not count any more.
    for (const { node } of instances) judged.delete(node);
    const calls = callsOf(wrappers, project, entities, lentBy);
    sites = [...instances, ...calls.filter(({ node }) => !judged.has(node))];
  }
  return { judged, warnings };
}

/** A lease that has too many paths to be followed: the audit says so, and finds nothing. */
function undecided({ node }: Site, project: Project): AuditWarning {
  const { line } = project.placeAt(node.getSourceFile(), node.getStart());
  return {
    file: project.unitOf(node).name,
    line,
    reason: `${UNDECIDED}: the function has too many paths to follow this lease along all of them`,
  };
}

const UNDECIDED = 'not decided';

/** What goes wrong in one file (code nested too deep for the stack) is said, and the rest is audited. */
function guarded<T>(
  { name: file }: SourceUnit,
  { skipped }: Project,
  warnings: AuditWarning[],
  work: () => T,
): T | null {
  try {
    return work();
  } catch (error) {
    const reason =
      error instanceof RangeError
        ? 'not audited in full: it is nested too deeply'
        : `not audited in full, by a defect in poolctl: ${error instanceof Error ? error.message : error}`;
    skipped.add(file);
    if (!warnings.some((one) => one.file === file)) warnings.push({ file, line: null, reason });
    return null;
  }
}

function firstSites(
  project: Project,
  resources: ResourcesByLanguage,
  entities: Entities,
  warnings: AuditWarning[],
): Site[] {
  return project.files.flatMap(
    (unit) =>
      guarded(unit, project, warnings, () => sitesIn(unit, project, resources[unit.language], entities)) ??
      [],
  );
}

/** By the resources that are known; then by the types of what calls give. */
function sitesIn(unit: SourceUnit, project: Project, resources: Resources, entities: Entities): Site[] {
  const known = findSites(unit, project, resources, entities);
  const typed = unit.language === 'typescript' ? typedSites(unit, project, entities) : [];
  return [...known, ...typed.filter(({ node }) => !known.some((site) => site.node === node))];
}

interface Wrapper {
  readonly site: Site;
  readonly verdict: Verdict;
  /** The files that its verdict depends on. */
  readonly files: ReadonlySet<string>;
}

/** The calls of the project's own functions that hand a lease on: each acquires one. */
function callsOf(
  wrappers: ReadonlyMap<Body, Wrapper>,
  project: Project,
  entities: Entities,
  lentBy: Map<Site, ReadonlySet<string>>,
): Site[] {
  const names = namesOfCalls(new Set([...wrappers.keys()].filter(isFunction)), project, entities);
  if (names.size === 0) return [];
  const pattern = callNames(names);
  return project.files.flatMap((unit) =>
    project.callsNamed(unit, pattern).flatMap((node) => {
      const bodies = ts.isCallExpression(node) ? entities.bodiesOf(node) : [];
      // Of several that implement an interface, one that lends is enough.
      const wrapper = bodies.map((body) => wrappers.get(body)).find((one) => one !== undefined);
      if (wrapper === undefined || !ts.isCallExpression(node)) return [];
      const site = wrapperSite(node, wrapper);
      lentBy.set(site, wrapper.files);
      return [site];
    }),
  );
}

function wrapperSite(node: ts.CallExpression, { site, verdict }: Wrapper): Site {
  const { lazy, armedBy, isWhole, holdsOnFailure, disarmedBy } = site.pattern;
  return {
    node,
    spec: site.spec,
    pattern: {
      kind: 'function',
      name: calledName(node),
      from: [],
      ...(isWhole === true ? { isWhole } : {}),
      ...(verdict.isLazy && lazy !== undefined ? { lazy } : {}),
      ...(verdict.isLazy && armedBy !== undefined ? { armedBy } : {}),
      ...(holdsOnFailure === undefined ? {} : { holdsOnFailure }),
      ...(disarmedBy === undefined ? {} : { disarmedBy }),
    },
    at: verdict.returns,
    facts: verdict.facts,
    confidence: site.confidence,
    when: verdict.when,
    ...(isGiven(node, verdict.unlessGiven) ? { isUnlikely: true } : {}),
    via: calledName(node).replace(/\$next$/, ''),
    ...(site.arms === undefined ? {} : { arms: site.arms }),
    ...(site.enters === undefined ? {} : { enters: site.enters }),
  };
}

/** Whether a call hands over what its function would otherwise acquire: `this.getRunner(runner)`. */
function isGiven({ arguments: given }: ts.CallExpression, index: number | null): boolean {
  const argument = index === null ? undefined : given[index];
  return argument !== undefined && !isNothing(argument);
}

function calledName(node: ts.CallExpression): string {
  const callee = node.expression;
  if (ts.isIdentifier(callee)) return callee.text;
  return ts.isPropertyAccessExpression(callee) ? callee.name.text : '';
}
