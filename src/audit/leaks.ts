import { ts } from 'ts-morph';
import { type Body, bodyAround, isFunction } from './code/scope.js';
import { isWithin, ownerOf, type Place, rootOf } from './flow/place.js';
import { NO_TRAIL, type State, type Trail } from './flow/state.js';
import type { Exits, Program, Site } from './flow/types.js';
import { Walk } from './flow/walk.js';
import type { LeakKind, Severity } from './types.js';

/** What becomes of the leases of one site. */
export interface Verdict {
  readonly leak: Leak | null;
  /** Where in its result the function hands the lease on, if it does: `['']`, `['.client']`. */
  readonly returns: readonly string[];
  readonly isLazy: boolean;
  /** What is true of fields of `this` whenever it does. */
  readonly when: ReadonlyMap<Place, string>;
  /** The function that the site belongs to. */
  readonly body: Body;
  readonly gaveUp: boolean;
  readonly hasReleased: boolean;
}

export interface Leak {
  readonly kind: LeakKind;
  readonly severity: Severity;
  readonly trail: Trail;
  /** The lease was handed to code that is not known, and never released here. */
  readonly isUncertain: boolean;
}

/** Follows the lease of a site and says whether it can escape its release. */
export function judge(site: Site, program: Program): Verdict {
  const body = unitOf(site.node);
  let walk = new Walk(program, site);
  let exits = walk.run(body);
  if (walk.isExhausted) {
    // Too many ways through what it calls: what these do with the lease is left out.
    walk = new Walk(program, site, { follows: false });
    exits = walk.run(body);
  }
  const ends = new Ends(body, program, exits);
  const handed = [...new Set(ends.handedOn.flatMap(({ suffixes }) => suffixes))];
  const returns = handed.length === 0 ? [] : [...handed, ...releasingParts(site, walk, ends, program)].sort();
  const isLazy = ends.handedOn.length > 0 && ends.handedOn.every(({ state }) => state.status === 'lazy');
  const leak = walk.isExhausted ? null : worst(site, walk, ends, program);
  return {
    leak,
    returns,
    isLazy,
    when: ends.commonFacts(),
    body,
    gaveUp: walk.isExhausted,
    hasReleased: walk.hasReleased,
  };
}

/** The function whose flow the site is part of: past the handlers of promises, executors and array methods. */
export function unitOf(node: ts.Node): Body {
  let body = bodyAround(node);
  while (isFunction(body) && isPartOfFlow(body)) body = bodyAround(body);
  return body;
}

function isPartOfFlow(body: ts.SignatureDeclaration): boolean {
  if (!ts.isArrowFunction(body) && !ts.isFunctionExpression(body)) return false;
  let at: ts.Node = body;
  while (ts.isParenthesizedExpression(at.parent)) at = at.parent;
  const { parent } = at;
  if (ts.isNewExpression(parent)) return parent.expression.getText() === 'Promise';
  if (!ts.isCallExpression(parent)) return false;
  if (parent.expression === at) return true;
  const callee = parent.expression;
  return ts.isPropertyAccessExpression(callee) && /^(then|catch|finally|map|forEach)$/.test(callee.name.text);
}

/** The ends of all paths, sorted by what they mean for the lease. */
class Ends {
  readonly handedOn: { readonly state: State; readonly suffixes: string[] }[] = [];
  readonly returned: State[] = [];
  readonly thrown: State[] = [];
  readonly isReleased: boolean;
  readonly #body: Body;
  readonly #program: Program;
  readonly #params: ReadonlySet<Place>;

  constructor(body: Body, program: Program, exits: Exits) {
    this.#body = body;
    this.#program = program;
    const { result, params } = program.graphOf(body);
    this.#params = new Set(params);
    this.isReleased = exits.returned.some(({ status }) => status === 'released');
    for (const state of exits.returned) {
      if (state.status !== 'held' && state.status !== 'lazy') continue;
      const suffixes = state.holders.flatMap((one) => {
        const mark = one.startsWith('!') ? '!' : '';
        const place = one.slice(mark.length);
        return isWithin(place, result) ? [mark + place.slice(result.length)] : [];
      });
      const isStored = state.holders.some((one) => this.#outlives(one));
      if (suffixes.length > 0) {
        if (!isStored) this.handedOn.push({ state, suffixes });
      } else if (!isStored && state.status === 'held') this.returned.push(state);
    }
    for (const state of exits.thrown) {
      if (state.status !== 'held') continue;
      // A field that this function empties itself is its own business.
      const isStored = state.holders.some((one) => this.#outlives(one));
      if (isStored && !this.isReleased) continue;
      this.thrown.push(ts.isSourceFile(body) ? { ...state, unlikely: true } : state);
    }
  }

  commonFacts(): ReadonlyMap<Place, string> {
    const [first, ...others] = this.handedOn.map(({ state }) => state.facts);
    return new Map(
      [...(first ?? [])].filter(
        ([place, fact]) => rootOf(place) === 'this' && others.every((facts) => facts.get(place) === fact),
      ),
    );
  }

  /** Whether a holder is still there after the function: a field, a variable outside, a property of an argument. */
  #outlives(holder: Place): boolean {
    const place = holder.replace('!', '');
    const root = rootOf(place);
    if (root === 'this' || root === '^this' || root.startsWith('global|')) return true;
    if (/\|(self|that|_this|me|module|exports)@/.test(root) && root !== place) return true;
    if (this.#params.has(root)) return root !== place;
    const owner = ownerOf(root);
    for (let at: ts.Node | undefined = this.#body.parent; at !== undefined; at = at.parent) {
      if ((isFunction(at) || ts.isSourceFile(at)) && this.#program.idOf(at) === owner) return true;
    }
    return ts.isSourceFile(this.#body) && owner === this.#program.idOf(this.#body) && !root.includes('|%');
  }
}

function worst(site: Site, walk: Walk, ends: Ends, program: Program): Leak | null {
  const { returned, owner } = heldByClosures(site, walk, ends, program);
  const isNever = !walk.hasReleased && owner === null;
  const candidates: Leak[] = [];
  const add = (kind: LeakKind, { unlikely, trail }: State) => {
    candidates.push({
      kind,
      severity: unlikely ? 'note' : 'error',
      trail,
      isUncertain: walk.wentOut && !walk.hasReleased,
    });
  };
  for (const state of returned) {
    const kind = isNever
      ? 'never-released'
      : state.trail.how === 'throw'
        ? 'not-released-on-throw'
        : 'not-released-on-return';
    add(kind, state);
  }
  for (const state of ends.thrown) {
    const explicit = isNever && ends.handedOn.length === 0 && returned.length > 0;
    add(explicit ? 'never-released' : 'not-released-on-throw', state);
  }
  for (const state of walk.looped) add(isNever ? 'never-released' : 'overwritten', state);
  return candidates.sort((a, b) => rank(a) - rank(b))[0] ?? null;
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

/**
 * A function literal that is left behind may release the lease of a path: `stream.on('end', () => client.release())`,
 * `return { close: () => client.end() }`. One that does so on all its own paths owns the lease.
 */
function heldByClosures(
  site: Site,
  walk: Walk,
  ends: Ends,
  program: Program,
): { readonly returned: readonly State[]; readonly owner: 'whole' | 'partly' | null } {
  const left = leftBehind(site, walk);
  let owner: 'whole' | 'partly' | null = null;
  const returned = ends.returned.flatMap((state) => {
    let partly: State[] | null = null;
    for (const closure of left) {
      // What was given to a call counts on the paths that made the call.
      if (isArgument(closure) && !state.leftBehind) continue;
      const open = leftOpenBy(closure, [state], site, program);
      if (open === null) continue;
      owner = open.length === 0 ? 'whole' : (owner ?? 'partly');
      if (open.length === 0) return [];
      partly ??= open;
    }
    return partly ?? [state];
  });
  return { returned, owner };
}

function isArgument(closure: Body): boolean {
  return ts.isCallExpression(closure.parent) && closure.parent.expression !== closure;
}

/** The paths of a function literal on which it does not release; null if it never does. */
function leftOpenBy(closure: Body, before: readonly State[], site: Site, program: Program): State[] | null {
  const walk = new Walk(program, site);
  const exits = walk.run(
    closure,
    before.map((state) => ({ ...state, trail: NO_TRAIL })),
  );
  // `resolve(client)`: the promise around has it now.
  const known = new Set(before.flatMap(({ holders }) => holders));
  const isResolved = ({ holders }: State) => holders.some((one) => one.includes('|%') && !known.has(one));
  const isOut = (state: State) => state.status === 'held' && !state.unlikely && !isResolved(state);
  const ends = (state: State) => state.status === 'escaped' || isResolved(state);
  if (!walk.hasReleased && !exits.returned.some(ends)) return null;
  const isAsync = program.traitsOf(closure).isAsync;
  return [...exits.returned.filter(isOut), ...(isAsync ? exits.thrown.filter(isOut) : [])];
}

/** `return { client, done: () => client.release() }`: the properties of what is returned that release when called. */
function releasingParts(site: Site, walk: Walk, ends: Ends, program: Program): string[] {
  const found: string[] = [];
  for (const closure of leftBehind(site, walk)) {
    const { parent } = closure;
    const named = ts.isMethodDeclaration(closure)
      ? closure.name
      : ts.isPropertyAssignment(parent)
        ? parent.name
        : null;
    if (named === null || !ts.isIdentifier(named)) continue;
    const open = leftOpenBy(
      closure,
      ends.handedOn.map(({ state }) => state),
      site,
      program,
    );
    if (open?.length === 0) found.push(`!.${named.text}`);
  }
  return found;
}

/** Function literals of the site's function that no path went through, outermost first. */
function leftBehind(site: Site, walk: Walk): Body[] {
  const found: Body[] = [];
  const visit = (node: ts.Node): void => {
    if (isFunction(node) && !walk.invoked.has(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(unitOf(site.node), visit);
  return found;
}
