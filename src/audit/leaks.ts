import { ts } from 'ts-morph';
import { halfWatched, heldByClosures, isKnownToClosures, releasingParts } from './closures.js';

import { type Body, functionName, isFunction, variableOf } from './code/scope.js';
import { bare, classAround, resultsOf } from './code/syntax.js';
import { Effort } from './effort.js';
import { isValueOfUsing } from './flow/lower/statements.js';
import { functionOf, isPlace, isWithin, ownerOf, type Place, rootOf } from './flow/place.js';
import { factOf, LEASE, START_STATE, type State, type Trail } from './flow/state.js';
import type { Exits, Program, Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import { Walk } from './flow/walk.js';
import { isPython } from './languages/python/raises.js';
import { failsProgram, isCalledOnce, runsOnce, SCRIPTS } from './startup.js';
import type { LeakKind, Severity } from './types.js';

/** The outcome of the leases of one site. */
export interface Verdict {
  readonly leak: Leak | null;
  /** The places in its result in which the function hands the lease on, if it does: `['']`, `['.client']`. */
  readonly returns: readonly string[];
  readonly isLazy: boolean;
  /** The facts about the lease and the other parts of the result whenever it does: `.error` is nothing. */
  readonly facts: ReadonlyMap<string, string>;
  /** The fields of `this` in which it stays. */
  readonly stored: readonly Stored[];
  /** The facts about fields of `this` whenever it does. */
  readonly when: ReadonlyMap<Place, string>;
  /** The parameter that is returned instead where it is given: `runner ?? createQueryRunner()`; null for none. */
  readonly unlessGiven: number | null;
  /** The callback to which the lease is lent where one is given, and which ends it then: `transaction(work?)`. */
  readonly unlessFunction: number | null;
  /** The function that the site belongs to. */
  readonly body: Body;
  readonly gaveUp: boolean;
  /** There were too many paths to tell all of them apart. */
  readonly isCoarse: boolean;
  readonly hasReleased: boolean;
}

/** A lease that stays in a field of `this`: `.client`. */
export interface Stored {
  readonly path: string;
  /** It holds nothing yet. */
  readonly isLazy: boolean;
}

export interface Leak {
  readonly kind: LeakKind;
  readonly severity: Severity;
  readonly trail: Trail;
  /** The lease was handed to code that is not known, and never released here. */
  readonly isUncertain: boolean;
  /** The lease stays in an attribute: the class, and where an instance of it is made and dropped. */
  readonly instance?: { readonly owner: string; readonly node: ts.Node };
}

/** Follows the lease of a site and says whether it can escape its release. */
export function judge(site: Site, program: Program, effort = new Effort()): Verdict {
  const body = unitOf(site.node);
  const { walk, exits, isExhausted, isCoarse } = effort.follow(site, program, body);
  const ends = new Ends(body, walk, exits, site.pattern.isWhole === true);
  const handed = [...new Set(ends.handedOn.flatMap(({ suffixes }) => suffixes))];
  const isPersonal = site.pattern.isWhole !== true && site.pattern.endedBy === undefined;
  // If the lease itself stays inside, the returned value may be the only way to end it.
  const given = handed.length > 0 ? ends.handedOn.map(({ state }) => state) : isPersonal ? ends.returned : [];
  const returns = [...handed, ...releasingParts(site, given, program)].sort();
  const isLazy = ends.handedOn.length > 0 && ends.handedOn.every(({ state }) => state.status === 'lazy');
  const leak = isExhausted ? null : worst(site, walk, ends, program);
  return {
    leak,
    returns,
    isLazy,
    facts: ends.partsBeside(),
    stored: ends.stored,
    when: ends.commonFacts(),
    unlessGiven: handed.length === 0 || !isFunction(body) ? null : returnedParameter(body),
    unlessFunction: handed.length === 0 || !isFunction(body) ? null : optionalCallback(body),
    body,
    gaveUp: isExhausted,
    isCoarse,
    hasReleased: walk.hasReleased,
  };
}

/** The parameter that a function gives back on one of its ways; null if there is none. */
function returnedParameter(body: ts.SignatureDeclaration): number | null {
  const parametersIn = (value: ts.Expression, depth: number): number[] => {
    const inner = bare(value);
    if (depth > 4) return [];
    if (ts.isConditionalExpression(inner))
      return [inner.whenTrue, inner.whenFalse].flatMap((one) => parametersIn(one, depth + 1));
    if (ts.isBinaryExpression(inner)) return parametersIn(inner.left, depth + 1);
    const declaration = ts.isIdentifier(inner) ? variableOf(inner)?.declaration : undefined;
    if (declaration === undefined) return [];
    if (ts.isParameter(declaration)) return [body.parameters.indexOf(declaration)];
    const initializer = ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
    return initializer === undefined ? [] : parametersIn(initializer, depth + 1);
  };
  return (
    resultsOf(body)
      .flatMap((one) => parametersIn(one, 0))
      .find((index) => index >= 0) ?? null
  );
}

/** The parameter that a function calls where it is there; null if there is none. */
function optionalCallback(body: ts.SignatureDeclaration): number | null {
  const text = 'body' in body && body.body !== undefined ? body.body.getText() : '';
  const index = body.parameters.findIndex(({ name }) => {
    if (!ts.isIdentifier(name)) return false;
    const word = `(?<![\\w$.])${name.text.replace(/\$/g, '\\$')}`;
    const isCalled = new RegExp(`${word}\\s*\\(`).test(text);
    return isCalled && new RegExp(`(typeof\\s+|if\\s*\\(!?)${word}\\b|${word}\\s*(\\?(?!\\.)|&&)`).test(text);
  });
  return index < 0 ? null : index;
}

/** The ends of all paths, sorted by what they mean for the lease. */
class Ends {
  readonly handedOn: { readonly state: State; readonly suffixes: string[] }[] = [];
  readonly returned: State[] = [];
  /** The states in which something that outlives the function has the lease. */
  readonly kept: State[] = [];
  readonly thrown: State[] = [];
  readonly stored: Stored[] = [];
  readonly isReleased: boolean;
  /** On some paths it is somebody else's. */
  readonly isGivenAway: boolean;
  readonly #body: Body;
  readonly #program: Program;
  readonly #walk: Walk;
  readonly #isWhole: boolean;
  readonly #params: ReadonlySet<Place>;

  constructor(body: Body, walk: Walk, exits: Exits, isWhole: boolean) {
    this.#isWhole = isWhole;
    this.#body = body;
    this.#walk = walk;
    const { program } = walk;
    this.#program = program;
    const { result, params } = program.graphOf(body);
    this.#params = new Set(params);
    this.isReleased = exits.returned.some(({ status }) => status === 'released');
    this.isGivenAway = exits.returned.some(({ status }) => status === 'escaped');
    for (const state of exits.returned) {
      if (state.status !== 'held' && state.status !== 'lazy') continue;
      const suffixes = state.holders.flatMap((one) => {
        const mark = one.startsWith('!') ? '!' : '';
        const place = one.slice(mark.length);
        return isWithin(place, result) ? [mark + place.slice(result.length)] : [];
      });
      const isStored = this.#isStored(state, suffixes.length > 0);
      for (const one of state.holders)
        if (one.startsWith('this.'))
          this.stored.push({ path: one.slice('this'.length), isLazy: state.status === 'lazy' });
      if (this.#isWhole && suffixes.length > 0 && suffixes.every((one) => one.startsWith('.wrapped'))) {
        // A part of a client uses the client.
        this.kept.push(state);
      } else if (suffixes.length > 0) {
        if (!isStored) this.handedOn.push({ state, suffixes });
      } else if (isStored) this.kept.push(state);
      else if (state.status === 'held') this.returned.push(state);
    }
    for (const state of exits.thrown) {
      if (state.status !== 'held') continue;
      // A field that this function empties itself is its own business.
      if (!this.isReleased && this.#isStored(state)) continue;
      this.thrown.push(ts.isSourceFile(body) ? { ...state, unlikely: true } : state);
    }
  }

  /**
   * Whether something that outlives the function has the lease, or a function that ends it: `this.close = () => ...`.
   * `isReturned`: what was made of it, `createDb(pool)`, is no other place then.
   */
  #isStored(state: State, isReturned = false): boolean {
    const places = isReturned ? state.holders.filter((one) => !one.includes('.wrapped')) : state.holders;
    if (places.some((one) => this.#outlives(one))) return true;
    return [...state.facts.keys()].some((place) => {
      const id = this.#outlives(place) ? functionOf(factOf(state, place)) : null;
      const body = id === null ? null : this.#program.bodyOf(id);
      return body !== null && this.#walk.isEndedBy(body, state);
    });
  }

  commonFacts(): ReadonlyMap<Place, string> {
    const [first, ...others] = this.handedOn.map(({ state }) => state.facts);
    return new Map(
      [...(first ?? [])].filter(
        ([place, fact]) => rootOf(place) === 'this' && others.every((facts) => facts.get(place) === fact),
      ),
    );
  }

  /**
   * The facts that hold wherever the lease is handed on: `{ client }` has no `error`, and a session is in a
   * transaction.
   */
  partsBeside(): ReadonlyMap<string, string> {
    const { result } = this.#program.graphOf(this.#body);
    const known = this.handedOn.map(({ state }) => {
      const parts = [...state.facts].filter(([place]) => isWithin(place, result) || isWithin(place, LEASE));
      return new Map(
        parts.map(([place]) => [
          isWithin(place, LEASE) ? place : place.slice(result.length),
          factOf(state, place) ?? '',
        ]),
      );
    });
    const [first, ...others] = known;
    return new Map(
      [...(first ?? [])].filter(
        ([part, fact]) => /^(=|~)/.test(fact) && others.every((parts) => parts.get(part) === fact),
      ),
    );
  }

  /** Whether a place has what another call gave: `state(id).file = handle` puts the lease where others find it. */
  #isGiven(root: Place): boolean {
    const { nodes } = this.#program.graphOf(this.#body);
    const sources = nodes.flatMap(({ op }) => (op.kind === 'copy' && op.to === root ? [op.from] : []));
    const given = sources.filter((one) => one.includes('|%')).map(rootOf);
    if (
      !root.includes('|%') &&
      given.length > 0 &&
      sources.every((one) => !isPlace(one) || given.includes(rootOf(one)))
    )
      return given.every((one) => this.#isGiven(one));
    return nodes.some(
      ({ op }) =>
        op.kind === 'call' &&
        op.call.to === root &&
        !op.call.isNew &&
        !this.#program.acquires.has(op.call.node) &&
        op.call.receiver !== 'global|Promise',
    );
  }

  /** Whether a holder is still there after the function: a field, a variable outside, a property of an argument. */
  #outlives(holder: Place): boolean {
    const place = holder.replace('!', '');
    const root = rootOf(place);
    if (root === 'this' || root === '^this' || root.startsWith('global|')) return true;
    if (/\|(self|that|_this|me|module|exports)@/.test(root) && root !== place) return true;
    if (this.#params.has(root)) return root !== place;
    if (root !== place && this.#isGiven(root)) return true;
    const owner = ownerOf(root);
    for (let at: ts.Node | undefined = this.#body.parent; at !== undefined; at = at.parent) {
      if ((isFunction(at) || ts.isSourceFile(at)) && this.#program.idOf(at) === owner) return true;
    }
    return ts.isSourceFile(this.#body) && owner === this.#program.idOf(this.#body) && !root.includes('|%');
  }
}

function worst(site: Site, walk: Walk, ends: Ends, program: Program): Leak | null {
  const { returned, owner } = heldByClosures(site, walk, ends.returned, program);
  const isNever = !walk.hasReleased && !ends.isGivenAway && owner === null;
  const candidates: Leak[] = [];
  const add = (kind: LeakKind, { unlikely, trail }: State) => {
    // An object that is made when the program starts lives as long as the program.
    const isKept =
      kind === 'never-released' && site.arms !== undefined && (walk.wentOut || runsOnce(unitOf(site.node)));
    // A session in an object of Python is mostly there for as long as the object: its own methods end it.
    const isOfPythonClass = site.arms !== undefined && isPython(site.node);
    const isMinor = site.isUnlikely === true || site.spec.isReclaimed === true;
    // An object that keeps the lease to itself may be there for as long as the program runs.
    const isSealed = kind === 'never-released' && site.at.every((part) => part.startsWith('!'));
    // A function of the project that was not followed may have released or kept it.
    const isUnseen = walk.wentUnseen && !walk.hasReleased;
    candidates.push({
      kind,
      severity: unlikely || isUnseen || isKept || isSealed || isOfPythonClass || isMinor ? 'note' : 'error',
      trail,
      isUncertain: walk.wentOut && !walk.hasReleased,
    });
  };
  if (!walk.hasReleased && isLeftByBlock(site)) add('never-released', START_STATE);
  for (const state of returned) {
    const kind = isNever
      ? 'never-released'
      : state.trail.how === 'throw'
        ? 'not-released-on-throw'
        : 'not-released-on-return';
    add(kind, state);
  }
  // An error that ends the program leaves nothing open.
  const isFatal = failsProgram(unitOf(site.node));
  for (const thrown of ends.thrown) {
    const state = isFatal ? { ...thrown, unlikely: true } : thrown;
    const explicit = isNever && ends.handedOn.length === 0 && returned.length > 0;
    add(explicit ? 'never-released' : 'not-released-on-throw', state);
  }
  for (const state of halfWatched(site, walk, [...ends.returned, ...ends.kept], program))
    add('not-released-on-throw', state);
  for (const state of walk.looped) add(isNever ? 'never-released' : 'overwritten', state);
  for (const state of replaced(site, walk, ends, program)) add('overwritten', state);
  const leak = candidates.sort((a, b) => rank(a) - rank(b))[0] ?? null;
  if (leak === null || (site.pattern.isWhole !== true && site.pattern.endedBy === undefined)) return leak;
  const isHandedOn = ends.handedOn.length > 0 || ends.kept.length > 0 || owner !== null;
  return ofWhole(leak, site, walk, program, isHandedOn);
}

/** `with sqlite3.connect(path) as connection:` of a script: who writes that takes the connection for closed. */
function isLeftByBlock({ node, spec }: Site): boolean {
  if (!isPython(node) || spec.release.isKeptByBlock !== true || !ts.isSourceFile(unitOf(node))) return false;
  let at: ts.Node = node;
  while (ts.isAwaitExpression(at.parent) || ts.isParenthesizedExpression(at.parent)) at = at.parent;
  return isValueOfUsing(at);
}

/**
 * A service of which there is one instance keeps the lease in a field. A second request puts another one there before
 * the first has released its own, unless the method looks at the field before.
 */
function replaced(site: Site, walk: Walk, ends: Ends, program: Program): State[] {
  const body = unitOf(site.node);
  const owner = classAround(site.node);
  if (owner === null || site.spec.isPersonal !== true || walk.hasReleased || !isFunction(body)) return [];
  if (!isSingleton(owner) || HOOKS.test(functionName(body) ?? 'constructor')) return [];
  const [field] = ends.stored.filter(({ path }) => !path.includes('[]'));
  if (field === undefined) return [];
  const again = new Walk(program, site);
  again.run(body, [{ ...START_STATE, status: 'held', holders: [`this${field.path}`] }]);
  const [first] = again.replaced;
  return first === undefined ? [] : [first];
}

/** Called once, by the framework or when the program starts. */
const HOOKS =
  /^(constructor|connect|open|listen|subscribe|bootstrap|setup|onModuleInit|onApplicationBootstrap|(on|after|before)?_?init\w*)$/i;

/** A class that a container makes one instance of: `@Injectable()`, with no other scope. */
function isSingleton(owner: ts.ClassLikeDeclaration): boolean {
  return (ts.canHaveDecorators(owner) ? (ts.getDecorators(owner) ?? []) : []).some(({ expression }) => {
    const text = expression.getText();
    return (
      /^(Injectable|Service|Singleton|singleton|Controller|Component)\b/.test(text) &&
      !/REQUEST|TRANSIENT|transient|request/.test(text)
    );
  });
}

/** Names of functions that start things and keep them for as long as the process runs. */
const STARTS =
  /^(connect|init|setup|start|boot|listen|serve|register|subscribe|consume|configure)|^run\w*(app|server|service|worker|daemon)|^(get|create|make|build|open|load|provide)\w*(app|server|client|connection|db|database|pool|source|orm|instance|prisma|redis|context|container|module|service|broker|queue|channel|producer|consumer|browser|worker|hub)s?$/i;

/**
 * A leak of what serves a whole process: nothing where it is kept. A note where the function runs once, or makes it
 * for others: where a program fails to start, nobody goes on without what it has opened.
 */
function ofWhole(leak: Leak, site: Site, walk: Walk, program: Program, isHandedOn: boolean): Leak | null {
  const body = unitOf(site.node);
  if (!isFunction(body)) return null;
  const isOnce = isCalledOnce(body) || SCRIPTS.test(body.getSourceFile().fileName);
  const isStart = STARTS.test(functionName(body) ?? '');
  if (leak.kind === 'never-released' && site.pattern.isWhole === true) {
    const isKept = walk.wentOut || isStart || isKnownToClosures(site, walk, program);
    if (isKept || isOnce || runsOnce(body)) return null;
  }
  return isOnce || isStart || isHandedOn ? { ...leak, severity: 'note' } : leak;
}

const KINDS: readonly LeakKind[] = [
  'never-released',
  'overwritten',
  'not-released-on-return',
  'not-released-on-throw',
];

function rank({ severity, kind }: Leak): number {
  return (severity === 'error' ? 0 : 10) + KINDS.indexOf(kind);
}
