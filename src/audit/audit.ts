import { ts } from 'ts-morph';
import { namesOfCalls } from './code/callers.js';
import { Entities } from './code/entities.js';
import { findFiles } from './code/files.js';
import { Project } from './code/project.js';
import { type Body, isFunction } from './code/scope.js';
import { byPlace, isTest, toFinding, toHabit, toMisuse, toPoolHabit } from './findings.js';
import { Functions } from './flow/program.js';
import type { Site } from './flow/types.js';
import { type HabitFound, habitsOf, PoolMakers, poolsPerCall } from './habits.js';
import { judge, type Verdict } from './leaks.js';
import { type MisuseFound, misuses } from './misuse.js';
import { instancesOf, type Owner, Owners } from './owners.js';
import { RESOURCES } from './resources/index.js';
import { callNames, findSites, packagesOf, Resources } from './sites.js';
import { suppress } from './suppress.js';
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
  /** Report test files like any other; without, what is found in them is a note. */
  readonly includeTests?: boolean;
  /** Told of every file that is read, and of every acquire call that is followed. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A wrapper of a wrapper of a wrapper ...: more rounds than anybody has written. */
const ROUNDS = 12;

/** Audits the source files below `paths`. Throws only where a path is not there. */
export function audit(paths: readonly string[], options: AuditOptions): AuditResult {
  const found = findFiles(paths, options.cwd, {
    exclude: options.exclude ?? [],
    honourIgnoreFiles: options.honourIgnoreFiles ?? true,
  });
  const specs = [...(options.resources ?? []), ...RESOURCES];
  const project = new Project(found.files, packagesOf(specs));
  const entities = new Entities(project);
  const { judged, warnings } = follow(project, new Resources(specs), entities, options);
  const raised: Finding[] = [];
  for (const { site, verdict, misused, habits } of judged.values()) {
    const includeTests = options.includeTests === true;
    if (verdict.leak !== null) raised.push(toFinding(site, verdict.leak, project, includeTests));
    for (const one of misused) raised.push(toMisuse(site, one, project, includeTests));
    if (!isTest(site, project, includeTests))
      for (const one of habits) raised.push(toHabit(site, one, project));
  }
  const makers = new PoolMakers(specs);
  for (const unit of project.files) {
    const found = guarded(unit.name, warnings, () => poolsPerCall(unit, project, makers, entities)) ?? [];
    for (const one of found) {
      if (!isTest(one, project, options.includeTests === true)) raised.push(toPoolHabit(one, project));
    }
  }
  const { findings, suppressed, problems } = suppress(raised.sort(byPlace), project.files);
  return {
    schema: 1,
    findings,
    warnings: [
      ...found.unreadable.map(({ name, reason }) => ({ file: name, line: null, reason })),
      ...project.warnings,
      ...warnings,
      ...problems,
    ],
    summary: {
      files: found.files.length,
      parsed: project.parsedCount,
      acquireCalls: judged.size,
      suppressed,
      undecided: warnings.filter(({ reason }) => reason.startsWith(UNDECIDED)).length,
      baselined: 0,
    },
  };
}

type Judged = Map<ts.Node, Followed>;

interface Followed extends Wrapper {
  readonly misused: readonly MisuseFound[];
  readonly habits: readonly HabitFound[];
}

/** Follows every lease; a function that hands one on makes its calls acquire calls, which are the next round. */
function follow(
  project: Project,
  resources: Resources,
  entities: Entities,
  { onProgress }: AuditOptions,
): { judged: Judged; warnings: AuditWarning[] } {
  const functions = new Functions(project, entities);
  const classes = new Owners(entities, functions);
  const judged: Judged = new Map();
  const warnings: AuditWarning[] = [];
  const first = firstSites(project, resources, entities, warnings);
  // Where a call was taken for an acquire by its name only, what its function does says more.
  const guesses = first.filter(
    ({ node, pattern }) => pattern.usedAs !== undefined && entities.calledBy(node) !== null,
  );
  let sites = first.filter((site) => !guesses.includes(site));
  for (let round = 0; round < ROUNDS; round++) {
    if (sites.length === 0) sites = guesses.splice(0).filter(({ node }) => !judged.has(node));
    if (sites.length === 0) break;
    const wrappers = new Map<Body, Wrapper>();
    const owners = new Map<ts.Node, Owner>();
    for (const { node } of sites) functions.acquires.add(node);
    for (const site of sites) {
      if (judged.has(site.node)) continue;
      onProgress?.(judged.size, Math.max(sites.length, judged.size));
      const verdict = guarded(project.unitOf(site.node).name, warnings, () => judge(site, functions));
      if (verdict === null) continue;
      if (verdict.gaveUp) warnings.push(undecided(site, project));
      const misused = guarded(project.unitOf(site.node).name, warnings, () =>
        misuses(site, verdict, functions),
      );
      const habits = guarded(project.unitOf(site.node).name, warnings, () =>
        habitsOf(site, verdict, functions),
      );
      judged.set(site.node, { site, verdict, misused: misused ?? [], habits: habits ?? [] });
      const owner = guarded(project.unitOf(site.node).name, warnings, () => classes.add(site, verdict));
      if (owner !== null) owners.set(owner.node, owner);
      if (verdict.returns.length === 0 || !isFunction(verdict.body)) continue;
      wrappers.set(verdict.body, { site, verdict });
    }
    const instances = [...owners.values()].flatMap((owner) => instancesOf(owner, project, entities));
    // What was known of a class before does not count any more.
    for (const { node } of instances) judged.delete(node);
    sites = [...instances, ...callsOf(wrappers, project, entities).filter(({ node }) => !judged.has(node))];
  }
  return { judged, warnings };
}

/** A lease that has too many paths to be followed: the audit says so, and finds nothing. */
function undecided({ node }: Site, project: Project): AuditWarning {
  const line = node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;
  return {
    file: project.unitOf(node).name,
    line,
    reason: `${UNDECIDED}: the function has too many paths to follow this lease along all of them`,
  };
}

const UNDECIDED = 'not decided';

/** What goes wrong in one file (code nested too deep for the stack) is said, and the rest is audited. */
function guarded<T>(file: string, warnings: AuditWarning[], work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    const reason =
      error instanceof RangeError
        ? 'not audited in full: it is nested too deeply'
        : `not audited in full, by a defect in poolctl: ${error instanceof Error ? error.message : error}`;
    if (!warnings.some((one) => one.file === file)) warnings.push({ file, line: null, reason });
    return null;
  }
}

function firstSites(
  project: Project,
  resources: Resources,
  entities: Entities,
  warnings: AuditWarning[],
): Site[] {
  return project.files.flatMap(
    (unit) => guarded(unit.name, warnings, () => findSites(unit, project, resources, entities)) ?? [],
  );
}

interface Wrapper {
  readonly site: Site;
  readonly verdict: Verdict;
}

/** The calls of the project's own functions that hand a lease on: each acquires one. */
function callsOf(wrappers: ReadonlyMap<Body, Wrapper>, project: Project, entities: Entities): Site[] {
  const names = namesOfCalls(new Set([...wrappers.keys()].filter(isFunction)), project, entities);
  if (names.size === 0) return [];
  const pattern = callNames(names);
  return project.files.flatMap((unit) =>
    project.callsNamed(unit, pattern).flatMap((node) => {
      const bodies = ts.isCallExpression(node) ? entities.bodiesOf(node) : [];
      // Of several that implement an interface, one that lends is enough.
      const wrapper = bodies.map((body) => wrappers.get(body)).find((one) => one !== undefined);
      return wrapper === undefined || !ts.isCallExpression(node) ? [] : [wrapperSite(node, wrapper)];
    }),
  );
}

function wrapperSite(node: ts.CallExpression, { site, verdict }: Wrapper): Site {
  const { lazy, armedBy } = site.pattern;
  return {
    node,
    spec: site.spec,
    pattern: {
      kind: 'function',
      name: calledName(node),
      from: [],
      ...(verdict.isLazy && lazy !== undefined ? { lazy } : {}),
      ...(verdict.isLazy && armedBy !== undefined ? { armedBy } : {}),
    },
    at: verdict.returns,
    facts: verdict.facts,
    confidence: site.confidence,
    when: verdict.when,
    via: calledName(node),
    ...(site.arms === undefined ? {} : { arms: site.arms }),
    ...(site.enters === undefined ? {} : { enters: site.enters }),
  };
}

function calledName(node: ts.CallExpression): string {
  const callee = node.expression;
  if (ts.isIdentifier(callee)) return callee.text;
  return ts.isPropertyAccessExpression(callee) ? callee.name.text : '';
}
