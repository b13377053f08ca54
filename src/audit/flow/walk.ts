import { ts } from 'ts-morph';
import type { Body } from '../code/scope.js';
import { acquireLease, callElsewhere, combinePromises } from './calls/acquiring.js';
import { callBack, invokeInline, mentions } from './calls/entering.js';
import { asEscaped, asReleased, handsOff, isRelease, releaseBy } from './calls/releasing.js';
import { callWithLease, noteCall } from './calls/using.js';
import { isOut, STATES_AT_A_NODE, withFewerFacts, withLiveFacts } from './frames.js';
import { type Call, type FlowNode, RETURNED, START, THROWN } from './graph.js';
import { COMBINES } from './names.js';
import { lastSegment, type Place, UNKNOWN } from './place.js';
import {
  assign,
  contains,
  decide,
  holds,
  type Knowledge,
  keyOf,
  START_STATE,
  type State,
  threw,
  withFact,
} from './state.js';
import type { Exits, Outcome, Program, Site } from './types.js';

/** How deep calls are followed; a function literal counts for less than a function of the project. */
export const CALL_DEPTH = 100;
export const DEPTH = 8 * CALL_DEPTH;
const BUDGET = 60_000;

/** Follows one lease along every path of the function that acquires it, and of what that calls. */
export class Walk {
  /** States in which a loop acquires again while the lease is still out. */
  readonly looped: State[] = [];
  /** Function literals that a path went through. */
  readonly invoked = new Set<Body>();
  hasReleased = false;
  /** The lease went to code that is not known. */
  wentOut = false;
  isExhausted = false;
  /** Calls on the lease, each with the releases that came before it; null for a path where none did. */
  readonly calls = new Map<ts.Node, { readonly call: Call; readonly after: Set<ts.Node | null> }>();
  readonly program: Program;
  readonly site: Site;
  readonly knowledge: Knowledge;
  readonly follows: boolean;
  readonly remembers: boolean;
  readonly isRepeated: boolean;
  readonly active = new Set<string>();
  readonly known = new Map<string, Exits>();
  steps = 0;
  isByCallback = false;
  /** Functions that were handed to functions of the project, by the parameter that has them. */
  readonly given = new Map<Place, Body>();
  parents = new Set<Place>();

  /** One that remembers still knows the lease after its release, which costs more paths. */
  constructor(
    program: Program,
    site: Site,
    { follows = true, remembers = false }: { readonly follows?: boolean; readonly remembers?: boolean } = {},
  ) {
    this.remembers = remembers;
    this.program = program;
    this.site = site;
    this.follows = follows;
    this.isRepeated = isInLoop(site.node);
    this.knowledge = { releasers: new Set(site.spec.release.methods), interest: program.interest };
  }

  run(body: Body, entries: readonly State[] = [START_STATE]): Exits {
    this.program.prepare(body);
    return this.walk(body, entries, 0);
  }

  walk(body: Body, entries: readonly State[], depth: number): Exits {
    const id = this.program.idOf(body);
    const key = `${id}:${entries.map(keyOf).sort().join('/')}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (this.active.has(key)) return { returned: [], thrown: [] }; // recursion: what it adds, the outer round adds
    this.active.add(key);
    const exits = this.explore(body, entries, depth);
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
    const go = (at: number | undefined, state: State): void => {
      if (at === undefined) return;
      const keys = seen.get(at) ?? new Set<string>();
      seen.set(at, keys);
      const live = withLiveFacts(state, at, isLive);
      const reduced = keys.size < STATES_AT_A_NODE ? live : withFewerFacts(live, keys.size);
      const key = keyOf(reduced);
      if (keys.has(key)) return;
      keys.add(key);
      const end = ends.get(at);
      // A promise that was returned and then rejects: for who awaits the call, the function has thrown.
      if (at === RETURNED && reduced.pending) ends.get(THROWN)?.push({ ...reduced, pending: false });
      else if (end !== undefined) end.push(reduced);
      else queue.push({ at, state: reduced });
    };
    for (const entry of entries) go(START, entry);
    for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
      if (this.steps++ > BUDGET) {
        this.isExhausted = true;
        break;
      }
      this.step(nodes[one.at] as FlowNode, one.state, depth, go);
    }
    return { returned: ends.get(RETURNED) ?? [], thrown: ends.get(THROWN) ?? [] };
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
        const { yes, no } = decide(state, op.test, this.program.interest);
        if (yes !== null) go(next[0], yes);
        if (no !== null) go(next[1], no);
        return;
      }
      case 'await':
        // The promise of the lease itself: where it rejects, there is none.
        if (isOut(state) && holds(state, op.from)) go(thrown, { ...state, status: 'none', holders: [] });
        else go(thrown, state.status === 'held' ? { ...state, trail: threw(state, ast) } : state);
        go(next[0], state);
        return;
      case 'dispose':
        go(next[0], isOut(state) && contains(state, op.place) ? asReleased(this, state, ast) : state);
        return;
      case 'return': {
        const leaves = isOut(state) && state.trail.how === null;
        go(next[0], leaves ? { ...state, trail: { ...state.trail, bypass: ast, how: 'return' } } : state);
        return;
      }
      case 'throw': {
        const rethrows = state.trail.how === 'throw';
        const trail = !isOut(state) || rethrows ? state.trail : threw(state, ast);
        go(thrown, { ...state, trail, rejecting: op.rejects });
        return;
      }
      case 'call': {
        const outcome = this.call(state, op.call, depth);
        for (const one of outcome.next) go(next[0], one);
        for (const one of outcome.thrown ?? []) go(one.rejecting ? THROWN : thrown, one);
        for (const one of outcome.detached ?? []) go(THROWN, one);
        return;
      }
    }
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
    if (call.inline !== null) return invokeInline(this, state, call, call.inline, depth);
    if (COMBINES.has(call.name) && lastSegment(call.receiver ?? '') === 'Promise')
      return combinePromises(this, state, call);
    if (this.remembers) noteCall(this, state, call);
    if (!isOut(state)) return callElsewhere(this, state, call, depth);
    const given = this.given.get(call.callee);
    if (given !== undefined && depth < DEPTH && mentions(this, given, state)) {
      return callBack(this, state, call, given, depth);
    }
    const released = isRelease(this, state, call);
    if (released) return releaseBy(this, state, call);
    if (handsOff(this, state, call)) return { next: [asEscaped(state)] };
    return callWithLease(this, state, call, depth);
  }
}

function isInLoop(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isIterationStatement(at, true)) return true;
  }
  return false;
}
