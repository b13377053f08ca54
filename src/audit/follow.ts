import { ts } from 'ts-morph';
import type { Entities } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';
import { type Body, isFunction, variableOf } from './code/scope.js';
import { isNothing } from './code/syntax.js';
import { Effort, type GivenUp } from './effort.js';
import { Functions } from './flow/program.js';
import type { Site } from './flow/types.js';
import { type HabitFound, habitsOf } from './habits.js';
import type { Language } from './languages/language.js';
import { judge, type Verdict } from './leaks.js';
import { type MisuseFound, misuses } from './misuse.js';
import { NameBook } from './name-book.js';
import { instancesOf, type Owner, Owners } from './owners.js';
import { callNames, findSites, needsNoEnd, type Resources } from './sites.js';
import { typedSites } from './typed.js';
import type { AuditWarning } from './types.js';
import { unclosedAttribute } from './unclosed.js';

/** A wrapper of a wrapper of a wrapper ...: more rounds than anybody has written. */
const ROUNDS = 12;

export type Judged = Map<ts.Node, Followed>;

export type ResourcesByLanguage = Readonly<Record<Language, Resources>>;

/** A lease that was followed. */
export interface Followed extends Wrapper {
  readonly misused: readonly MisuseFound[];
  readonly habits: readonly HabitFound[];
  /** The class that turned out to hold it. */
  readonly owner: Owner | null;
}

/** The outcome of one site in one round. */
export interface Entry {
  readonly site: Site;
  /** null where it was not followed: it is judged already, needs no end, or failed. */
  readonly followed: Followed | null;
  /** An instance of a class that holds leases: what was known of the call before does not count any more. */
  readonly isInstance: boolean;
  readonly givenUp: readonly GivenUp[];
}

/** The rounds of a run, in two phases: first what is known to acquire, then what was taken for it by its name. */
export type Phases = readonly [Entry[][], Entry[][]];

/** The state that a run leaves behind for the next one. */
export interface Following {
  readonly judged: Judged;
  readonly warnings: AuditWarning[];
  readonly phases: Phases;
  readonly names: NameBook;
}

/** An earlier run, and the files whose leases are followed anew. The verdicts of all others are taken from it. */
export interface Earlier {
  readonly following: Following;
  readonly active: ReadonlySet<SourceUnit>;
}

/**
 * Follows every lease; a function that hands one on makes its calls acquire calls, which are the next round. With an
 * earlier run, the verdicts of files that are not active come from that run at the same place of the sequence, so that
 * the active ones see what they would see in a whole run.
 */
export function follow(
  project: Project,
  resources: ResourcesByLanguage,
  entities: Entities,
  onProgress: ((done: number, total: number) => void) | undefined,
  earlier: Earlier | null = null,
): Following {
  const functions = new Functions(project, entities);
  const classes = new Owners(entities, functions);
  const effort = new Effort();
  const judged: Judged = new Map();
  const kept = keptOf(project, earlier);
  const warnings: AuditWarning[] = [...kept.warnings];
  const active = earlier === null ? project.files : project.files.filter((unit) => earlier.active.has(unit));
  const names = earlier?.following.names ?? new NameBook();
  names.open(project, entities, earlier === null ? null : active);
  const first = firstSites(active, project, resources, entities, warnings);
  // A call may be taken for an acquire by its name only. Following its function says more.
  const guesses = first.filter(({ isGuess }) => isGuess === true);
  let sites = first.filter((site) => !guesses.includes(site));
  let isInstance: ReadonlySet<Site> = new Set();
  const lentBy = new Map<Site, ReadonlySet<string>>();
  const phases: Phases = [[], []];
  let [phase, round]: [0 | 1, number] = [0, 0];
  for (let total = 0; total < ROUNDS; total++) {
    let old = kept.phases[phase][round] ?? [];
    if (sites.length === 0 && old.length === 0 && phase === 0) {
      [phase, round] = [1, 0];
      sites = guesses.filter(({ node }) => !judged.has(node));
      old = kept.phases[phase][round] ?? [];
    }
    if (sites.length === 0 && old.length === 0) break;
    const wrappers = new Map<Body, Wrapper>();
    const owners = new Map<ts.Node, Owner & Pick<Wrapper, 'files'>>();
    const entries: Entry[] = [];
    for (const { site } of old) functions.acquires.add(site.node);
    for (const { node } of sites) functions.acquires.add(node);
    for (const one of old) if (one.isInstance) judged.delete(one.site.node);
    for (const step of inOrder(old, sites, isInstance, project)) {
      const entry = 'site' in step ? step : followed(step);
      if ('site' in step) effort.replay(step.givenUp);
      entries.push(entry);
      if (entry.followed === null) continue;
      const { site, verdict, owner, files } = entry.followed;
      judged.set(site.node, entry.followed);
      if (owner !== null) owners.set(owner.node, { ...owner, files });
      if (verdict.returns.length > 0 && isFunction(verdict.body)) wrappers.set(verdict.body, entry.followed);
    }
    phases[phase].push(entries);
    const instances = [...owners.values()].flatMap((owner) => {
      if (!names.mayBeMade(owner.node)) return [];
      const namesOf = (made: Parameters<typeof names.ofClasses>[1]) => names.ofClasses(owner.node, made);
      const made = instancesOf(owner, { project, entities, among: active, namesOf });
      for (const site of made) lentBy.set(site, owner.files);
      return made;
    });
    for (const { node } of instances) judged.delete(node);
    isInstance = new Set(instances);
    const called = callsOf(wrappers, { project, entities, active, names, page: `${phase} ${round}` }, lentBy);
    sites = [...instances, ...called.filter(({ node }) => !judged.has(node))];
    round++;
  }
  for (const [node, one] of judged) {
    const leak = guarded(project.unitOf(node), project, warnings, () =>
      unclosedAttribute(one.site, one.verdict, classes, project, functions),
    );
    if (leak !== null) judged.set(node, { ...one, verdict: { ...one.verdict, leak } });
  }
  return { judged, warnings, phases, names };

  function followed(site: Site): Entry {
    const entry = { site, followed: null, isInstance: isInstance.has(site), givenUp: [] };
    if (judged.has(site.node) || needsNoEnd(site, entities)) return entry;
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
    const givenUp = effort.takeLog();
    if (value === null) return { ...entry, givenUp };
    if (value.verdict.gaveUp) warnings.push(undecided(site, project));
    const all = new Set([...files, ...(lentBy.get(site) ?? [])]);
    return { ...entry, followed: { site, ...value, files: all }, givenUp };
  }
}

const byFile = new WeakMap<Following, ReadonlyMap<string, readonly Entry[]>>();

/** The entries of a run by the paths of their files. */
export function entriesByFile(following: Following, project: Project): ReadonlyMap<string, readonly Entry[]> {
  const known = byFile.get(following);
  if (known !== undefined) return known;
  const found = new Map<string, Entry[]>();
  for (const entry of following.phases.flat(2)) {
    const { path } = project.unitOf(entry.site.node);
    const own = found.get(path);
    if (own === undefined) found.set(path, [entry]);
    else own.push(entry);
  }
  byFile.set(following, found);
  return found;
}

/** Selects the part of an earlier run that still holds. */
function keptOf(
  project: Project,
  earlier: Earlier | null,
): { readonly phases: Phases; readonly warnings: readonly AuditWarning[] } {
  if (earlier === null) return { phases: [[], []], warnings: [] };
  const { active, following } = earlier;
  const holds = (unit: SourceUnit | null) =>
    unit !== null && !active.has(unit) && project.unitAt(unit.path) === unit;
  const byName = new Map(project.files.map((unit) => [unit.name, unit]));
  const rounds = (phase: 0 | 1) =>
    following.phases[phase].map((entries) => entries.filter(({ site }) => holds(project.ownerOf(site.node))));
  const warnings = following.warnings.filter(({ file }) => holds(byName.get(file) ?? null));
  for (const { file, reason } of warnings) if (!reason.startsWith(UNDECIDED)) project.skipped.add(file);
  return { phases: [rounds(0), rounds(1)], warnings };
}

/** The sites of a round in the order of a whole run: instances first, then by files. */
function inOrder(
  old: readonly Entry[],
  sites: readonly Site[],
  isInstance: ReadonlySet<Site>,
  project: Project,
): readonly (Entry | Site)[] {
  if (old.length === 0) return sites;
  const rank = (step: Entry | Site): readonly [number, number] =>
    'site' in step
      ? [Number(!step.isInstance), project.placeOf(step.site.node)]
      : [Number(!isInstance.has(step)), project.placeOf(step.node)];
  return [...old, ...sites]
    .map((step) => ({ step, at: rank(step) }))
    .sort((a, b) => a.at[0] - b.at[0] || a.at[1] - b.at[1])
    .map(({ step }) => step);
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

export const UNDECIDED = 'not decided';

/** Turns a failure in one file, such as code nested too deep for the stack, into a warning. */
export function guarded<T>(
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
  among: readonly SourceUnit[],
  project: Project,
  resources: ResourcesByLanguage,
  entities: Entities,
  warnings: AuditWarning[],
): Site[] {
  return among.flatMap(
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

export interface Wrapper {
  readonly site: Site;
  readonly verdict: Verdict;
  /** The files that its verdict depends on. */
  readonly files: ReadonlySet<string>;
}

interface CallSearch {
  readonly project: Project;
  readonly entities: Entities;
  readonly active: readonly SourceUnit[];
  readonly names: NameBook;
  /** The place in the sequence. */
  readonly page: string;
}

/** The calls of the project's own functions that hand a lease on: each acquires one. */
function callsOf(
  wrappers: ReadonlyMap<Body, Wrapper>,
  { project, entities, active, names: book, page }: CallSearch,
  lentBy: Map<Site, ReadonlySet<string>>,
): Site[] {
  const names = book.ofFunctions(page, new Set([...wrappers.keys()].filter(isFunction)));
  if (names.size === 0) return [];
  const pattern = callNames(names);
  return active.flatMap((unit) =>
    project.callsNamed(unit, pattern).flatMap((node) => {
      const bodies = ts.isCallExpression(node) ? entities.bodiesOf(node) : [];
      // If several classes implement an interface, one that lends is enough.
      const wrapper = bodies.map((body) => wrappers.get(body)).find((one) => one !== undefined);
      if (wrapper === undefined || !ts.isCallExpression(node)) return [];
      if (isGivenFunction(node, wrapper.verdict.unlessFunction, entities)) return [];
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

/** Whether a call hands over the function that works with the lease: `client.transaction(async (trx) => ...)`. */
function isGivenFunction(
  { arguments: given }: ts.CallExpression,
  index: number | null,
  entities: Entities,
): boolean {
  const argument = index === null ? undefined : given[index];
  if (argument === undefined) return false;
  if (ts.isArrowFunction(argument) || ts.isFunctionExpression(argument)) return true;
  if (entities.of(argument)?.kind === 'function') return true;
  // `typeof work === 'function' ? client.transaction(work) : client.transaction()`
  const declaration = ts.isIdentifier(argument) ? variableOf(argument)?.declaration : undefined;
  return declaration !== undefined && ts.isParameter(declaration);
}

function calledName(node: ts.CallExpression): string {
  const callee = node.expression;
  if (ts.isIdentifier(callee)) return callee.text;
  return ts.isPropertyAccessExpression(callee) ? callee.name.text : '';
}
