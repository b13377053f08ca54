import { ts } from 'ts-morph';
import { type Body, isFunction } from '../code/scope.js';
import { bare, resultsOf } from '../code/syntax.js';
import { acquireLease, callElsewhere } from './calls/acquiring.js';
import { combinePromises } from './calls/combining.js';
import { disposeOf, entersItself } from './calls/disposing.js';
import { callBack, invokeInline, mentions } from './calls/entering.js';
import { branchOfLender } from './calls/lenders.js';
import { asEscaped, handsOff, isRelease, releaseBy } from './calls/releasing.js';
import { saying } from './calls/saying.js';
import { callWithLease, noteCall, openInstance } from './calls/using.js';
import { COARSE_STATES_AT_A_NODE, isOut, STATES_AT_A_NODE, withFewerFacts, withLiveFacts } from './frames.js';
import { type Call, type FlowNode, RETURNED, START, type Test, THROWN } from './graph.js';
import { calleeName } from './lower/calls.js';
import { CALLBACK, COMBINES } from './names.js';
import { isTemporary, lastSegment, ownerOf, type Place, rootOf, UNKNOWN } from './place.js';
import {
  assign,
  contains,
  counted,
  decide,
  factOf,
  holds,
  type Knowledge,
  keyOf,
  NO_TRAIL,
  START_STATE,
  type State,
  StateKeys,
  threw,
  withFact,
} from './state.js';
import type { Exits, Outcome, Program, Site } from './types.js';

/** How deep calls are followed; a function literal counts for less than a function of the project. */
export const CALL_DEPTH = 100;
export const DEPTH = 8 * CALL_DEPTH;
/** The steps of one walk: a part for what it calls, and a part for each node of the function itself. */
const BUDGET = 24_000;
const STEPS_PER_NODE = { fine: 6, coarse: 60 };

/** The database of an application goes to each of its hundred stores. */
const MANY_HOLDERS = 32;

/** How a walk goes about it. */
export interface WalkOptions {
  /** Whether functions that are called are walked, too. */
  readonly follows?: boolean;
  /** Still knows the lease after its release, which costs more paths. */
  readonly remembers?: boolean;
  /** Tells few paths apart that come to the same place: for functions of thousands of branches. */
  readonly isCoarse?: boolean;
  /** Answers a question of another walk, and asks none itself. */
  readonly isNested?: boolean;
  /** Begins at the acquire call and ends with the release: for functions of thousands of leases. */
  readonly isLocal?: boolean;
}

/** Follows one lease along every path of the function that acquires it, and of what that calls. */
export class Walk {
  /** States in which a loop acquires again while the lease is still out. */
  readonly looped: State[] = [];
  /** States in which it acquires again, while the one before is still out and in a field. */
  readonly replaced: State[] = [];
  /** Function literals that a path went through. */
  readonly invoked = new Set<Body>();
  hasReleased = false;
  /** The lease went to code that is not known. */
  wentOut = false;
  /** It went to a function of the project that was not followed, because there were too many paths. */
  wentUnseen = false;
  isExhausted = false;
  /** Calls on the lease, each with the releases that came before it; null for a path where none did. */
  readonly calls = new Map<ts.Node, { readonly call: Call; readonly after: Set<ts.Node | null> }>();
  readonly program: Program;
  readonly site: Site;
  readonly knowledge: Knowledge;
  readonly follows: boolean;
  readonly remembers: boolean;
  readonly isNested: boolean;
  readonly isRepeated: boolean;
  /** The site gives a promise, which goes to a variable. */
  readonly isPromised: boolean;
  readonly active = new Set<string>();
  readonly known = new Map<string, Exits>();
  /** The functions that are being walked, each within the one before. */
  readonly around: Body[] = [];
  steps = 0;
  isByCallback = false;
  /** Functions that were handed to functions of the project, by the parameter that has them. */
  readonly given = new Map<Place, Body>();
  parents = new Set<Place>();
  /** The places of which something was known when the lease was acquired. */
  readonly owning = new Set<Place>();

  readonly statesAtNode: number;
  readonly #stepsPerNode: number;
  readonly #isLocal: boolean;
  readonly #keys = new StateKeys();
  #budget = BUDGET;

  constructor(
    program: Program,
    site: Site,
    {
      follows = true,
      remembers = false,
      isCoarse = false,
      isLocal = false,
      isNested = false,
    }: WalkOptions = {},
  ) {
    this.statesAtNode = isCoarse ? COARSE_STATES_AT_A_NODE : STATES_AT_A_NODE;
    this.#stepsPerNode = STEPS_PER_NODE[isCoarse ? 'coarse' : 'fine'];
    this.remembers = remembers;
    this.isNested = isNested;
    this.#isLocal = isLocal;
    this.program = program;
    this.site = site;
    this.follows = follows;
    this.isRepeated = isInLoop(site.node);
    this.isPromised = isPromised(site, program);
    this.knowledge = {
      releasers: new Set(site.spec.release.methods),
      interest: program.interest,
      isOf: (type) => isOfClass(site, type),
    };
  }

  run(body: Body, entries: readonly State[] = [START_STATE]): Exits {
    this.program.prepare(body);
    const ofNodes = this.#isLocal ? 0 : this.#stepsPerNode * this.program.graphOf(body).nodes.length;
    this.#budget = BUDGET + ofNodes;
    return this.walk(body, entries, 0);
  }

  walk(body: Body, entries: readonly State[], depth: number): Exits {
    const id = this.program.idOf(body);
    const key = `${id}:${entries
      .map((one) => this.#keys.of(one))
      .sort()
      .join('/')}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (this.active.has(key)) return { returned: [], thrown: [] }; // recursion: what it adds, the outer round adds
    this.active.add(key);
    this.around.push(body);
    const exits = this.explore(body, entries, depth);
    this.around.pop();
    this.active.delete(key);
    this.known.set(key, exits);
    return exits;
  }

  explore(body: Body, entries: readonly State[], depth: number): Exits {
    const { nodes } = this.program.graphOf(body);
    const isLive = this.program.liveIn(body);
    const seen = new Map<number, Set<string>>();
    const ends = new Map<number, State[]>([
      [RETURNED, []],
      [THROWN, []],
    ]);
    const queue: { at: number; state: State }[] = [];
    const go = (at: number | undefined, given: State): void => {
      if (at === undefined) return;
      // A lease in that many places is shared, and nobody ends it here.
      const state = given.holders.length > MANY_HOLDERS ? asEscaped(given) : given;
      const keys = seen.get(at) ?? new Set<string>();
      seen.set(at, keys);
      const live = withLiveFacts(state, at, isLive);
      const reduced =
        keys.size < this.statesAtNode
          ? live
          : withFewerFacts(live, keys.size < 2 * this.statesAtNode, this.owning);
      const key = keyOf(reduced, this.#keys);
      if (keys.has(key)) return;
      keys.add(key);
      const end = ends.get(at);
      // A promise that was returned and then rejects: for who awaits the call, the function has thrown.
      if (at === RETURNED && reduced.pending) ends.get(THROWN)?.push({ ...reduced, pending: false });
      else if (end !== undefined) end.push(reduced);
      else queue.push({ at, state: reduced });
    };
    const isWhole = !this.#isLocal || depth > 0;
    const start = isWhole ? START : (this.program.nodeOfCall(body, this.site.node) ?? START);
    for (const entry of entries) go(start, entry);
    for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
      // A state with many names and facts takes longer to carry on.
      this.steps += 1 + ((one.state.holders.length + one.state.facts.size) >> 2);
      if (this.steps > this.#budget) {
        this.isExhausted = true;
        break;
      }
      const isOver = !isWhole && (one.state.status === 'released' || one.state.status === 'escaped');
      if (isOver) go(RETURNED, one.state);
      else this.step(nodes[one.at] as FlowNode, one.state, depth, go);
    }
    return { returned: ends.get(RETURNED) ?? [], thrown: ends.get(THROWN) ?? [] };
  }

  /**
   * Whether a function that is left behind ends the lease on each of its paths, whenever it is called; without
   * `countsErrors`, on each that returns.
   */
  isEndedBy(body: Body, state: State, countsErrors = true): boolean {
    if (!this.#mayEnd(body, state)) return false;
    const walk = new Walk(this.program, this.site, { isCoarse: true, isNested: true });
    const { returned, thrown } = walk.run(body, [{ ...state, trail: NO_TRAIL }]);
    const ends = countsErrors ? [...returned, ...thrown] : returned;
    const open = ends.filter(({ status, unlikely }) => status === 'held' && !unlikely);
    return walk.hasReleased && !walk.isExhausted && open.length === 0;
  }

  /** Whether the text of a function has the name of something that releases: the others need not be followed. */
  #mayEnd(body: Body, { holders }: State): boolean {
    const { methods, takes } = this.site.spec.release;
    const text = body.getText();
    return (
      [...methods, ...takes].some((name) => text.includes(name)) ||
      holders.some((one) => one.startsWith('!') && text.includes(lastSegment(one))) ||
      ENDS.test(text)
    );
  }

  step(
    node: FlowNode,
    state: State,
    depth: number,
    go: (at: number | undefined, state: State) => void,
  ): void {
    const { op, next, thrown, ast } = node;
    switch (op.kind) {
      case 'nop':
        go(next[0], state);
        return;
      case 'copy':
        go(next[0], assign(state, op.to, op.from, op.move, this.knowledge));
        return;
      case 'branch': {
        if (op.test.kind === 'each') {
          this.each(op.test.place, op.test.loop, next, state, go);
          return;
        }
        if (depth === 0 && isFlagLeftOut(ast) && decide(state, op.test, this.knowledge).no !== null) {
          go(next[0], state);
          return;
        }
        const { yes, no } = decide(state, op.test, this.knowledge);
        const only = this.asksForCallback(state, op.test) ?? branchOfLender(this, state, op.test, node);
        // The listeners of an abort finish what the abort leaves undone.
        const isAbort = op.test.kind === 'truthy' && op.test.place.endsWith('.aborted');
        if (yes !== null && only !== 'no') go(next[0], isAbort ? { ...yes, unlikely: true } : yes);
        if (no !== null && only !== 'yes') go(next[1], no);
        return;
      }
      case 'await':
        // The promise of the lease itself: where it rejects, there is none.
        if (isOut(state) && holds(state, op.from)) go(thrown, { ...state, status: 'none', holders: [] });
        else go(thrown, state.status === 'held' ? { ...state, trail: threw(state, ast) } : state);
        go(next[0], state);
        return;
      case 'dispose': {
        const outcome = disposeOf(this, state, op, ast, depth);
        for (const one of outcome.thrown ?? []) go(thrown, one);
        for (const one of outcome.next) go(next[0], one);
        return;
      }
      case 'return': {
        const leaves = isOut(state) && state.trail.how === null;
        go(next[0], leaves ? { ...state, trail: { ...state.trail, bypass: ast, how: 'return' } } : state);
        return;
      }
      case 'throw': {
        const rethrows = state.trail.how === 'throw';
        const trail = !isOut(state) || rethrows ? state.trail : threw(state, ast);
        go(thrown, { ...state, trail });
        return;
      }
      case 'reject': {
        const rethrows = state.trail.how === 'throw';
        go(next[0], {
          ...state,
          rejecting: true,
          trail: !isOut(state) || rethrows ? state.trail : threw(state, ast),
        });
        return;
      }
      case 'count':
        go(next[0], counted(state, op.place, op.by));
        return;
      case 'call': {
        const outcome = this.call(state, op.call, depth);
        // The way that does not throw is gone first: where both come to the same, it is not the throw that leaks.
        for (const one of outcome.detached ?? []) go(THROWN, one);
        for (const one of outcome.thrown ?? []) go(thrown, one);
        for (const one of outcome.next) go(next[0], one);
        return;
      }
    }
  }

  /** `if (callback) callback(null, client)`: who wants the lease gives a callback. The branch that has it. */
  asksForCallback(state: State, test: Test): 'yes' | 'no' | null {
    if (test.kind !== 'truthy' && test.kind !== 'falsy' && test.kind !== 'nullish') return null;
    if (!isOut(state) || !CALLBACK.test(lastSegment(test.place)) || factOf(state, test.place) !== null)
      return null;
    const owner = this.program.bodyOf(ownerOf(test.place) ?? '');
    if (owner === null || !this.program.graphOf(owner).params.includes(test.place)) return null;
    // The result is for callers that give no callback.
    if (returnsOne(owner, state)) return null;
    return test.kind === 'truthy' ? 'yes' : 'no';
  }

  /** A collection that has the lease in it is gone through at least once. */
  each(
    place: Place,
    loop: number,
    next: readonly number[],
    state: State,
    go: (at: number | undefined, state: State) => void,
  ): void {
    const mark = `loop|${loop}`;
    const mustEnter = isOut(state) && contains(state, place) && !state.facts.has(mark);
    go(next[0], mustEnter ? withFact(state, mark, '=true') : state);
    if (!mustEnter) {
      const facts = new Map(state.facts);
      facts.delete(mark);
      go(next[1], { ...state, facts });
    }
  }

  call(state: State, call: Call, depth: number): Outcome {
    if (call.node === this.site.node && !call.isNew === ts.isCallExpression(this.site.node)) {
      if (call.inline === null && call.to !== UNKNOWN) return acquireLease(this, state, call, depth);
    }
    if (state.status === 'lazy' && this.site.arms?.has(call.node) === true)
      return openInstance(this, state, call, depth);
    if (call.inline !== null) return invokeInline(this, state, call, call.inline, depth);
    if (COMBINES.has(call.name) && lastSegment(call.receiver ?? '') === 'Promise')
      return combinePromises(this, state, call);
    if (call.name === 'resolve' && lastSegment(call.receiver ?? '') === 'Promise') {
      const from = call.args[0] ?? '=undefined';
      return { next: [assign(state, call.to, from, isTemporary(from), this.knowledge)] };
    }
    if (entersItself(this, call))
      return { next: [assign(state, call.to, call.receiver ?? UNKNOWN, false, this.knowledge)] };
    if (this.remembers) noteCall(this, state, call);
    if (!isOut(state)) return callElsewhere(this, state, call, depth);
    const given = this.given.get(call.callee);
    if (given !== undefined && depth < DEPTH && mentions(this, given, state)) {
      return callBack(this, state, call, given, depth);
    }
    const released = isRelease(this, state, call);
    if (released) return releaseBy(this, state, call);
    if (handsOff(this, state, call)) return { next: [asEscaped(state)] };
    return saying(this, call, callWithLease(this, state, call, depth), state);
  }
}

/** Whether a function returns a variable that has the lease, or an object that is made of one. */
function returnsOne(body: Body, { holders }: State): boolean {
  const names = new Set(holders.map((one) => lastSegment(rootOf(one.replace('!', '')))));
  const hasOne = (value: ts.Expression): boolean => {
    const inner = bare(value);
    if (ts.isNewExpression(inner)) return inner.arguments?.some(hasOne) === true;
    return ts.isIdentifier(inner) && names.has(inner.text);
  };
  return isFunction(body) && resultsOf(body).some(hasOne);
}

/**
 * The default of a flag: `autoRelease = true`. A function that takes a lease of its own is judged by its default
 * behavior; a caller that passes the flag is responsible for it.
 */
function isFlagLeftOut(ast: ts.Node): boolean {
  if (ast.kind !== ts.SyntaxKind.TrueKeyword && ast.kind !== ts.SyntaxKind.FalseKeyword) return false;
  let at = ast.parent;
  if (ts.isParameter(at)) return at.initializer === ast;
  if (!ts.isBindingElement(at) || at.initializer !== ast) return false;
  while (ts.isBindingElement(at) || ts.isObjectBindingPattern(at)) at = at.parent;
  return ts.isParameter(at);
}

/** Whether a lease can be of a class: it is no error, and no pool unless the pool is what is leased. */
function isOfClass({ pattern }: Site, type: string): boolean {
  if (/(Error|Exception)$/.test(type)) return false;
  return pattern.isWhole === true || !/(Pool|PoolCluster|DataSource|Knex|Sequelize|MongoClient)$/.test(type);
}

/** Parts of names that say that something ends. */
const ENDS =
  /release|close|\bend(?![a-z])|destroy|dispose|free|finish|stop|clean|done|quit|disconnect|shutdown|drop/i;

/** `const pending = pool.connect()` */
function isPromised({ node }: Site, program: Program): boolean {
  if (!ts.isCallExpression(node) || !ts.isVariableDeclaration(node.parent)) return false;
  return program.calleeTraits(node)?.isAsync ?? ASYNC.test(calleeName(node.expression));
}

const ASYNC = /^(connect|getConnection|acquire\w*|getClient|reserve|obtain\w*)$/;

function isInLoop(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isIterationStatement(at, true)) return true;
  }
  return false;
}
