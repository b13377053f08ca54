import { ts } from 'ts-morph';
import type { Entities } from '../code/entities.js';
import { type Body, isFunction } from '../code/scope.js';
import type { AcquirePattern, ResourceSpec } from '../types.js';
import {
  dropLocals,
  dropTemporaries,
  forget,
  framed,
  isOut,
  keep,
  renameThis,
  STATES_AT_A_NODE,
  swapBack,
  swapThis,
  withFewerFacts,
  withLiveFacts,
  wrapped,
} from './frames.js';
import { type Call, type FlowNode, type Graph, RETURNED, START, THROWN } from './graph.js';
import type { Liveness } from './live.js';
import {
  ATTACHING,
  CALLBACK,
  COMBINES,
  EACH,
  LISTENS,
  READS,
  READS_ALL,
  RELEASING,
  SAME_THING,
  STORES,
  WRAPPING,
} from './names.js';
import {
  ELEMENT,
  isPlace,
  isTemporary,
  isWithin,
  lastSegment,
  ownerOf,
  type Place,
  property,
  rootOf,
  UNKNOWN,
} from './place.js';
import { isProtocol, raiseOf } from './raises.js';
import {
  agrees,
  assign,
  contains,
  decide,
  holderAbove,
  holds,
  type Interest,
  type Knowledge,
  keyOf,
  NO_TRAIL,
  START_STATE,
  type State,
  type Trail,
  withFact,
  withHolders,
} from './state.js';

/** One call that acquires a lease. */
export interface Site {
  readonly node: ts.CallExpression | ts.NewExpression;
  readonly spec: ResourceSpec;
  readonly pattern: AcquirePattern;
  /** Where in the result the lease is; `!` in front: what releases it when it is called. */
  readonly at: readonly string[];
  readonly confidence: 'high' | 'medium' | 'low';
  /** What must be true for it to lend a fresh one: a wrapper may also give what is there already. */
  readonly when: ReadonlyMap<Place, string>;
  /** For a wrapper of the project: its name. */
  readonly via: string | null;
}

/** What walks share: graphs and what is known of functions. */
export interface Program {
  readonly entities: Entities;
  graphOf(body: Body): Graph;
  /** Makes the graphs of a function and of all that is in it. */
  prepare(body: Body): void;
  readonly interest: Interest;
  /** The calls that are known to acquire something: what they give is never nothing. */
  readonly acquires: ReadonlySet<ts.Node>;
  liveIn(body: Body): Liveness;
  idOf(body: Body): string;
  traitsOf(body: Body): Traits;
}

export interface Traits {
  /** Ends the process on every path. */
  readonly exits: boolean;
  /** Has a throw statement outside of any try. */
  readonly throws: boolean;
  readonly isAsync: boolean;
}

export interface Exits {
  readonly returned: readonly State[];
  readonly thrown: readonly State[];
}

interface Outcome {
  readonly next: readonly State[];
  readonly thrown?: readonly State[];
  /** Thrown where no handler of this function is around any more. */
  readonly detached?: readonly State[];
}

/** How deep calls are followed; a function literal counts for less than a function of the project. */
const CALL_DEPTH = 100;
const DEPTH = 8 * CALL_DEPTH;
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
  readonly #program: Program;
  readonly #site: Site;
  readonly #knowledge: Knowledge;
  readonly #follows: boolean;
  readonly #remembers: boolean;
  readonly #isRepeated: boolean;
  readonly #active = new Set<string>();
  readonly #known = new Map<string, Exits>();
  #steps = 0;
  #isByCallback = false;
  /** Functions that were handed to functions of the project, by the parameter that has them. */
  readonly #given = new Map<Place, Body>();
  #parents = new Set<Place>();

  /** One that remembers still knows the lease after its release, which costs more paths. */
  constructor(
    program: Program,
    site: Site,
    { follows = true, remembers = false }: { readonly follows?: boolean; readonly remembers?: boolean } = {},
  ) {
    this.#remembers = remembers;
    this.#program = program;
    this.#site = site;
    this.#follows = follows;
    this.#isRepeated = isInLoop(site.node);
    this.#knowledge = { releasers: new Set(site.spec.release.methods), interest: program.interest };
  }

  run(body: Body, entries: readonly State[] = [START_STATE]): Exits {
    this.#program.prepare(body);
    return this.#walk(body, entries, 0);
  }

  #walk(body: Body, entries: readonly State[], depth: number): Exits {
    const id = this.#program.idOf(body);
    const key = `${id}:${entries.map(keyOf).sort().join('/')}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#active.has(key)) return { returned: [], thrown: [] }; // recursion: what it adds, the outer round adds
    this.#active.add(key);
    const exits = this.#explore(body, entries, depth);
    this.#active.delete(key);
    this.#known.set(key, exits);
    return exits;
  }

  #explore(body: Body, entries: readonly State[], depth: number): Exits {
    const { nodes } = this.#program.graphOf(body);
    const isLive = this.#program.liveIn(body);
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
      if (this.#steps++ > BUDGET) {
        this.isExhausted = true;
        break;
      }
      this.#step(nodes[one.at] as FlowNode, one.state, depth, go);
    }
    return { returned: ends.get(RETURNED) ?? [], thrown: ends.get(THROWN) ?? [] };
  }

  #step(
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
        go(next[0], assign(state, op.to, op.from, op.move, this.#knowledge));
        return;
      case 'branch': {
        if (op.test.kind === 'each') {
          this.#each(op.test.place, op.test.loop, next, state, go);
          return;
        }
        const { yes, no } = decide(state, op.test, this.#program.interest);
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
        go(next[0], isOut(state) && contains(state, op.place) ? this.#released(state, ast) : state);
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
        const outcome = this.#call(state, op.call, depth);
        for (const one of outcome.next) go(next[0], one);
        for (const one of outcome.thrown ?? []) go(one.rejecting ? THROWN : thrown, one);
        for (const one of outcome.detached ?? []) go(THROWN, one);
        return;
      }
    }
  }

  /** A collection that has the lease in it is gone through at least once. */
  #each(
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

  #call(state: State, call: Call, depth: number): Outcome {
    if (call.node === this.#site.node && !call.isNew === ts.isCallExpression(this.#site.node)) {
      if (call.inline === null && call.to !== UNKNOWN) return this.#acquire(state, call, depth);
    }
    if (call.inline !== null) return this.#invokeInline(state, call, call.inline, depth);
    if (COMBINES.has(call.name) && lastSegment(call.receiver ?? '') === 'Promise')
      return this.#combine(state, call);
    if (this.#remembers) this.#noteCall(state, call);
    if (!isOut(state)) return this.#elsewhere(state, call, depth);
    const given = this.#given.get(call.callee);
    if (given !== undefined && depth < DEPTH && this.#mentions(given, state)) {
      return this.#callBack(state, call, given, depth);
    }
    const released = this.#releases(state, call);
    if (released) return this.#release(state, call);
    if (this.#handsOff(state, call)) return { next: [this.#escaped(state)] };
    return this.#use(state, call, depth);
  }

  #noteCall(state: State, call: Call): void {
    const { callee, receiver, node } = call;
    if (!isOut(state) && state.status !== 'released') return;
    const isOn = holds(state, callee) || state.holders.includes(`!${callee}`);
    const isTaken =
      this.#site.spec.release.takes.includes(call.name) && call.args.some((arg) => holds(state, arg));
    if (!isOn && !isTaken && (receiver === null || !holds(state, receiver))) return;
    const noted = this.calls.get(node) ?? { call, after: new Set() };
    noted.after.add(state.status === 'released' ? state.trail.released : null);
    this.calls.set(node, noted);
  }

  /** A function calls what it was given. */
  #callBack(state: State, call: Call, body: Body, depth: number): Outcome {
    const { next, thrown = [], detached = [] } = this.#invoke(state, call, body, call.args, depth);
    if (call.mode === 'awaited') return { next, thrown, detached };
    return { next, detached: [...detached, ...this.#thrownByCallback(body, thrown)] };
  }

  #invokeInline(state: State, call: Call, body: Body, depth: number): Outcome {
    const outcome = this.#invoke(state, call, body, call.args, depth);
    // A promise of its own that can be rejected, by whatever way.
    const canReject = ts.isNewExpression(call.node) && isFunction(body) && body.parameters.length > 1;
    // An executor that releases knows what it does.
    if (outcome.next.some(({ status }) => status === 'released')) return outcome;
    if (!canReject || state.status !== 'held' || call.mode === 'floating' || call.mode === 'plain')
      return outcome;
    const rejected = { ...state, trail: threw(state, call.node), pending: call.mode === 'returned' };
    return call.mode === 'returned'
      ? { ...outcome, next: [...outcome.next, rejected] }
      : { ...outcome, thrown: [...(outcome.thrown ?? []), rejected] };
  }

  // --- acquiring

  #acquire(state: State, call: Call, depth: number): Outcome {
    const { pattern, at, when } = this.#site;
    for (const [place, fact] of when)
      if (call.receiver === 'this' && !agrees(state, place, fact)) return { next: [state], thrown: [state] };
    const kept = isOut(state)
      ? this.#beforeAgain(state, call)
      : state.status === 'released'
        ? []
        : state.holders;
    if (call.receiver !== null) this.#parents.add(call.receiver);
    const callback = pattern.callback === undefined ? null : this.#callbackOf(call);
    const isLazy = pattern.lazy === true || pattern.armedBy !== undefined;
    const facts = call.receiver === 'this' ? new Map([...when, ...state.facts]) : state.facts;
    const base: State = {
      ...state,
      facts,
      status: isLazy ? 'lazy' : 'held',
      unlikely: false,
      trail: NO_TRAIL,
    };
    if (callback !== null && pattern.callback !== undefined) {
      return this.#acquireByCallback(
        state,
        { ...base, holders: kept },
        call,
        callback,
        pattern.callback,
        depth,
      );
    }
    const acquired = assign(base, call.to, UNKNOWN, false, this.#knowledge);
    return {
      next: [
        withHolders(acquired, [
          ...kept.filter((one) => !isWithin(one, call.to)),
          ...at.map((one) => within(call.to, one)),
        ]),
      ],
      thrown: [state],
    };
  }

  /** The lease of an earlier round: kept in a collection or field, or lost now. */
  #beforeAgain(state: State, call: Call): readonly Place[] {
    const kept = state.holders.filter(
      (one) => one.includes(`.${ELEMENT}`) || one.startsWith('this') || isFieldLike(one),
    );
    if (kept.length === 0) {
      const trail: Trail =
        state.trail.how === null ? { ...state.trail, bypass: call.node, how: 'loop' } : state.trail;
      this.looped.push({ ...state, trail });
    }
    return kept;
  }

  #callbackOf(call: Call): { readonly body: Body | null } | null {
    const index = call.args.length - 1;
    const literal = call.closures[index];
    if (literal !== undefined && literal !== null) return { body: literal };
    const argument = ts.isTaggedTemplateExpression(call.node) ? undefined : call.node.arguments?.[index];
    if (argument === undefined || ts.isObjectLiteralExpression(argument)) return null;
    const entity = this.#program.entities.of(argument);
    if (entity?.kind === 'function') return { body: entity.node };
    // A parameter: the lease goes to the caller's function.
    return ts.isIdentifier(argument) && CALLBACK.test(argument.text) ? { body: null } : null;
  }

  #acquireByCallback(
    before: State,
    acquired: State,
    _call: Call,
    { body }: { readonly body: Body | null },
    positions: { readonly lease: number; readonly release?: number },
    depth: number,
  ): Outcome {
    if (body === null) return { next: [before, this.#escaped(acquired)] };
    this.#isByCallback = true;
    this.invoked.add(body);
    const { params } = this.#program.graphOf(body);
    const lease = params[positions.lease];
    const release = positions.release === undefined ? undefined : params[positions.release];
    let entry =
      positions.lease > 0 && params[0] !== undefined ? withFact(acquired, params[0], '=null') : acquired;
    const holders = [...entry.holders];
    if (lease !== undefined) holders.push(lease);
    if (release !== undefined) holders.push(`!${release}`);
    entry = withHolders(entry, holders);
    const exits = this.#walk(body, [entry], depth + 1);
    return { next: [before, ...exits.returned], detached: this.#thrownByCallback(body, exits.thrown) };
  }

  /** What a callback throws ends the process; an async one's rejection does not. */
  #thrownByCallback(body: Body, thrown: readonly State[]): State[] {
    const isAsync = this.#program.traitsOf(body).isAsync;
    return thrown.map((one) => (isAsync || one.rejecting ? one : { ...one, unlikely: true }));
  }

  // --- other calls

  /** A call while the lease is not out: only what leads to the acquisition matters. */
  #elsewhere(state: State, call: Call, depth: number): Outcome {
    if (this.#exits(call)) return { next: [] };
    const after = this.#program.acquires.has(call.node)
      ? assign(state, call.to, '=object', false, this.#knowledge)
      : forget(state, call);
    const thrown = this.#mayThrow(call) ? [state] : [];
    if (state.status !== 'none') return { next: [after], thrown };
    for (const closure of call.closures) {
      if (closure === null || !containsNode(closure, this.#site.node)) continue;
      const { next, thrown: inner = [] } = this.#invoke(state, call, closure, [], depth);
      const collected = call.name === 'map' ? next.map((one) => this.#intoArray(one, call)) : next;
      return { next: [after, ...collected], thrown: [state, ...inner] };
    }
    return { next: [after], thrown };
  }

  /** Whether a call that has nothing to do with the lease may throw. */
  #mayThrow(call: Call): boolean {
    const { spec } = this.#site;
    if (spec.release.methods.includes(call.name)) return false;
    const body = ts.isTaggedTemplateExpression(call.node) ? null : this.#program.entities.calledBy(call.node);
    const callee = body === null ? null : this.#program.traitsOf(body);
    const context = { onLease: false, isSyncLease: spec.isSync === true, protocol: spec.protocol, callee };
    return raiseOf(call, context) !== 'never';
  }

  #intoArray(state: State, call: Call): State {
    return assign(
      withHolders(
        state,
        state.holders.map((one) =>
          isWithin(one, call.to) ? `${call.to}.${ELEMENT}${one.slice(call.to.length)}` : one,
        ),
      ),
      UNKNOWN,
      UNKNOWN,
      false,
      this.#knowledge,
    );
  }

  #exits(call: Call): boolean {
    const { node, name } = call;
    if (!ts.isCallExpression(node)) return false;
    if (
      (name === 'exit' || name === 'abort' || name === 'reallyExit') &&
      /(^|\.)process$/.test(receiverText(node))
    ) {
      return true;
    }
    const body = this.#program.entities.calledBy(node);
    if (body !== null) return this.#program.traitsOf(body).exits;
    return /^(exitWithError|exitProcess|processExit|die)$/.test(name);
  }

  #combine(state: State, call: Call): Outcome {
    const from = call.args[0];
    const next =
      from === undefined
        ? forget(state, call)
        : assign(state, call.to, from, isTemporary(from), this.#knowledge);
    const trail = isOut(state) ? threw(state, call.node) : state.trail;
    const unlikely =
      state.unlikely || (!ts.isTaggedTemplateExpression(call.node) && this.#onlyAcquires(call.node));
    return { next: [next], thrown: call.mode === 'awaited' ? [{ ...state, unlikely, trail }] : [] };
  }

  /** Whether a Promise.all waits for leases only: where one fails, the others are lost, but nothing else can fail. */
  #onlyAcquires({ arguments: given }: ts.CallExpression | ts.NewExpression): boolean {
    const list = given?.[0];
    if (list === undefined || !ts.isArrayLiteralExpression(list)) return true;
    return list.elements.every((one) => this.#program.acquires.has(one));
  }

  #releases(state: State, call: Call): boolean {
    if (state.holders.includes(`!${call.callee}`)) return true;
    const { methods, takes, ofParent } = this.#site.spec.release;
    const { receiver, name } = call;
    if (receiver !== null && methods.includes(name)) {
      if (holds(state, receiver)) return !isHalfClose(call);
      // A wrapper around the lease that is closed, closes it.
      if (contains(state, receiver) && receiver !== 'this' && !this.#isOfProject(call)) return true;
    }
    if (receiver !== null && ofParent.includes(name) && this.#parents.has(receiver)) return true;
    const handed = call.args.some((arg) => isPlace(arg) && holds(state, arg));
    if (!handed) return false;
    return takes.includes(name) || (RELEASING.test(name) && !this.#isOfProject(call));
  }

  #isOfProject({ node }: Call): boolean {
    return !ts.isTaggedTemplateExpression(node) && this.#program.entities.calledBy(node) !== null;
  }

  #release(state: State, call: Call): Outcome {
    // A release that fails has still given the lease up.
    const released = this.#released(state, call.node);
    if (this.#remembers)
      return {
        next: [forget(this.#isCertain(state, call) ? rememberedAs(state, released) : released, call)],
      };
    return { next: [released], thrown: call.mode === 'awaited' ? [released] : [] };
  }

  /** Whether a call releases this very lease: not a wrapper, nor all that the pool has lent. */
  #isCertain(state: State, { callee, receiver, name, args }: Call): boolean {
    const { methods, takes } = this.#site.spec.release;
    if (state.holders.includes(`!${callee}`)) return true;
    if (receiver !== null && methods.includes(name) && holds(state, receiver)) return true;
    return takes.includes(name) && args.some((arg) => isPlace(arg) && holds(state, arg));
  }

  #released(state: State, node: ts.Node): State {
    this.hasReleased = true;
    return {
      ...state,
      status: 'released',
      holders: [],
      // Only a loop comes back to where they matter.
      facts: this.#isRepeated ? state.facts : new Map(),
      trail: { ...state.trail, released: node },
    };
  }

  #escaped(state: State): State {
    return { ...state, status: 'escaped', holders: [], facts: new Map() };
  }

  /** Calls after which the lease belongs to somebody else. */
  #handsOff(state: State, call: Call): boolean {
    const { receiver, name, args, node } = call;
    const onLease = receiver !== null && holds(state, receiver);
    const isTaken = onLease || args.some((arg) => isPlace(arg) && contains(state, arg));
    if (isTaken && this.#site.spec.handoff?.includes(name) === true) return true;
    // A client that listens is kept for as long as the process runs.
    if (onLease && LISTENS.test(name) && firstText(node) === 'notification') return true;
    if (onLease && /^\s*LISTEN\b/i.test(firstText(node) ?? '')) return true;
    if (['use', 'adopt', 'defer'].includes(name) && /stack|disposer|cleanup|scope/i.test(receiver ?? '')) {
      return (
        args.some((arg) => contains(state, arg)) ||
        call.closures.some((one) => one !== null && this.#mentions(one, state))
      );
    }
    const attaches = ATTACHING.test(name) && args.some((arg) => isPlace(arg) && contains(state, arg));
    if (attaches && !onLease && !this.#isOfProject(call)) return true;
    // `callback(null, client)`: the caller's function has it now.
    const index = args.findIndex((arg) => isPlace(arg) && contains(state, arg));
    if (index < 0 || receiver !== null || call.mode === 'awaited') return false;
    return CALLBACK.test(name) || (index > 0 && isErrorFirst(args[0] ?? ''));
  }

  /** A call that may have to do with the lease, but does not end it by itself. */
  #use(state: State, call: Call, depth: number): Outcome {
    if (this.#exits(call)) {
      // An exit somewhere in what is called is not what the caller counts on.
      return depth < CALL_DEPTH
        ? { next: [] }
        : { next: [], thrown: [{ ...state, trail: threw(state, call.node) }] };
    }
    const { receiver, args } = call;
    const isOn = receiver !== null && (holds(state, receiver) || holderAbove(state, receiver) !== null);
    const isHanded = args.some((arg) => isPlace(arg) && contains(state, arg));
    const armed = this.#armed(state, call, isOn, isHanded);

    if (EACH.has(call.name) && call.closures[0])
      return this.#eachElement(armed, call, call.closures[0], depth);
    const callee = this.#calleeFor(armed, call, isHanded);
    if (callee !== null && this.#follows && depth < DEPTH)
      return this.#enter(armed, call, callee, isOn, depth);
    const outcome = this.#withClosures(armed, call, isOn, depth);
    if (outcome !== null) return outcome;
    if (isHanded && !isOn) this.wentOut = true;
    return this.#borrow(state, armed, call, isOn, isHanded);
  }

  #borrow(before: State, state: State, call: Call, isOn: boolean, isHanded: boolean): Outcome {
    const fresh = call.isNew || isOn ? undefined : this.#freshArgument(state, call);
    if (fresh !== undefined) {
      // `watched(await pool.connect())`: what it gives is all there is to release it by.
      return { next: [keep(forget(state, call), assign(state, call.to, fresh, false, this.#knowledge))] };
    }
    const raised = this.#raised(before, state, call, isOn || isHanded);
    const after = this.#after(state, call, isOn, isHanded);
    return call.mode === 'returned' ? { next: [after, ...raised] } : { next: [after], thrown: raised };
  }

  /** A lazy lease holds a connection from its first use on. */
  #armed(state: State, call: Call, isOn: boolean, isHanded: boolean): State {
    if (state.status !== 'lazy') return state;
    const { armedBy } = this.#site.pattern;
    // What a function of the project does with it is followed; an object made of it uses it later, if at all.
    const isGivenAway = isHanded && (armedBy === undefined || !(call.isNew || this.#isOfProject(call)));
    const arms =
      isGivenAway ||
      (isOn && !LISTENS.test(call.name) && (armedBy === undefined || armedBy.includes(call.name)));
    return arms ? { ...state, status: 'held' } : state;
  }

  #raised(before: State, armed: State, call: Call, onLease: boolean): State[] {
    const { spec } = this.#site;
    const node = call.node;
    const body = ts.isTaggedTemplateExpression(node) ? null : this.#program.entities.calledBy(node);
    const callee = body === null ? null : this.#program.traitsOf(body);
    const isReturned = call.mode === 'returned';
    if (spec.release.methods.includes(call.name) && call.mode !== 'awaited') return [];
    const raise = this.#program.acquires.has(node)
      ? 'protocol'
      : raiseOf(call, {
          onLease,
          isSyncLease: spec.isSync === true,
          protocol: spec.protocol,
          callee,
        });
    if (raise === 'never') return [];
    // What fails to connect holds nothing.
    const state = before.status === 'lazy' && raise === 'protocol' ? before : armed;
    return [
      {
        ...state,
        unlikely: state.unlikely || raise === 'protocol',
        pending: isReturned,
        trail: threw(state, node),
      },
    ];
  }

  #after(state: State, call: Call, isOn: boolean, isHanded: boolean): State {
    const { receiver, args, to, name } = call;
    if (
      isOn &&
      receiver !== null &&
      (SAME_THING.has(name) || LISTENS.test(name)) &&
      contains(state, receiver)
    ) {
      return assign(state, to, receiver, false, this.#knowledge);
    }
    // `client.release.bind(client)`
    if (receiver !== null && name === 'bind') return assign(state, to, receiver, false, this.#knowledge);
    const after = forget(state, call);
    if (receiver !== null && STORES.has(name) && isHanded) {
      const from = args.find((arg) => isPlace(arg) && contains(state, arg)) ?? UNKNOWN;
      const element = property(receiver, ELEMENT);
      const stored = keep(after, assign(after, element, from, false, this.#knowledge));
      // The pair of a map, as `for (const [key, client] of map)` reads it.
      return name === 'set'
        ? keep(stored, assign(after, property(element, '1'), from, false, this.#knowledge))
        : stored;
    }
    if (isHanded && !isOn && name === 'get' && receiver !== null) {
      // `wrappers.get(client)`: what was made of it before.
      return keep(after, assign(after, property(to, 'wrapped'), args[0] ?? UNKNOWN, false, this.#knowledge));
    }
    if (receiver !== null && READS_ALL.has(name) && contains(state, receiver)) {
      return assign(after, to, receiver, false, this.#knowledge);
    }
    if (receiver !== null && READS.has(name) && contains(state, receiver)) {
      return assign(after, to, property(receiver, ELEMENT), false, this.#knowledge);
    }
    if (isHanded && (call.isNew || (call.mode !== 'awaited' && WRAPPING.test(name)))) {
      const from = args.find((arg) => isPlace(arg) && contains(state, arg)) ?? UNKNOWN;
      return keep(after, assign(after, property(to, 'wrapped'), from, false, this.#knowledge));
    }
    return after;
  }

  /** An argument that is the lease and the only place that holds it, where the result is used. */
  #freshArgument(state: State, { args, mode }: Call): Place | undefined {
    if (mode === 'floating') return undefined;
    return args.find(
      (arg) => isTemporary(arg) && holds(state, arg) && state.holders.every((one) => isWithin(one, arg)),
    );
  }

  #eachElement(state: State, call: Call, closure: ts.SignatureDeclaration, depth: number): Outcome {
    const { receiver } = call;
    const hasIt = receiver !== null && contains(state, receiver);
    if (!hasIt && !this.#mentions(closure, state)) {
      return { next: [forget(state, call)], thrown: [] };
    }
    const element = receiver === null ? UNKNOWN : property(receiver, ELEMENT);
    const { next, thrown = [], detached = [] } = this.#invoke(state, call, closure, [element], depth);
    const rounds = call.name === 'map' ? next.map((one) => this.#intoArray(one, call)) : next;
    return { next: hasIt ? rounds : [...rounds, forget(state, call)], thrown, detached };
  }

  /** The function of the project that a call runs, where it can reach the lease. */
  #calleeFor(state: State, call: Call, isHanded: boolean): Body | null {
    if (ts.isTaggedTemplateExpression(call.node)) return null;
    const body = this.#program.entities.calledBy(call.node);
    if (body === null || !('body' in body) || body.body === undefined) return null;
    if (isHanded) return body;
    const { receiver } = call;
    if (receiver !== null && state.holders.some((one) => isWithin(one.replace('!', ''), receiver)))
      return body;
    return this.#mentions(body, state) && this.#sees(body, state) ? body : null;
  }

  /** Whether a function is within the one that owns a variable which holds the lease. */
  #sees(body: Body, state: State): boolean {
    const owners = new Set(state.holders.map((one) => ownerOf(one.replace('!', ''))));
    for (let at: ts.Node | undefined = body.parent; at !== undefined; at = at.parent) {
      if ((isFunction(at) || ts.isSourceFile(at)) && owners.has(this.#program.idOf(at))) return true;
    }
    return false;
  }

  #mentions(body: Body, state: State): boolean {
    const text = body.getText();
    // What was handed to this function may know the lease.
    for (const param of this.#given.keys()) if (text.includes(lastSegment(param))) return true;
    return state.holders.some((holder) => {
      const names = holder.replace('!', '').split('.');
      const name = names[0] === 'this' ? (names[1] ?? 'this') : lastSegment(names[0] ?? '');
      return text.includes(name.replace(/^#/, ''));
    });
  }

  #enter(state: State, call: Call, body: Body, isOn: boolean, depth: number): Outcome {
    const receiver = call.isNew ? call.to : (call.receiver ?? 'this');
    const onThis = receiver === 'this' || isArrow(body);
    const inside = onThis ? state : swapThis(state, receiver);
    const args = onThis ? call.args : call.args.map((arg) => renameThis(arg, 'this', '^this'));
    this.#program.graphOf(body).params.forEach((param, index) => {
      const handed = this.#functionAt(call, index);
      if (handed !== null) this.#given.set(param, handed);
    });
    const { entry, restore } = framed(inside, args, body, this.#program);
    const outcome = this.#invoke(entry, call, body, args, depth);
    const back = (one: State) => (onThis ? restore(one) : swapBack(restore(one), receiver));
    const { isAsync } = this.#program.traitsOf(body);
    // A rejection that nobody awaits here leaves this function alone.
    const isFloating = isAsync && call.mode !== 'awaited';
    const opens = isProtocol(call, isOn, this.#site.spec.protocol);
    const thrown = (outcome.thrown ?? []).map((one) => ({
      ...back(one),
      trail: isOut(one)
        ? { ...threw(one, call.node), cause: one.trail.cause ?? one.trail.bypass }
        : one.trail,
      unlikely: one.unlikely || opens,
      pending: isFloating && call.mode === 'returned',
    }));
    return {
      next: [...outcome.next.map((one) => wrapped(back(one), state, call)), ...(isFloating ? thrown : [])],
      thrown: isFloating ? [] : thrown,
      detached: (outcome.detached ?? []).map(back),
    };
  }

  #invoke(state: State, call: Call, body: Body, args: readonly Place[], depth: number): Outcome {
    this.invoked.add(body);
    this.#program.prepare(body);
    const { params, result } = this.#program.graphOf(body);
    let entry = state;
    const rest =
      isFunction(body) && body.parameters.at(-1)?.dotDotDotToken !== undefined ? params.length - 1 : -1;
    params.forEach((param, index) => {
      const arg = args[index];
      if (index === rest) {
        entry = assign(entry, param, UNKNOWN, false, this.#knowledge);
        args.slice(rest).forEach((one, at) => {
          const element = property(param, one.endsWith(`.${ELEMENT}`) ? ELEMENT : String(at));
          entry = keep(entry, assign(entry, element, one, false, this.#knowledge));
        });
        return;
      }
      entry = assign(
        entry,
        param,
        arg ?? (args.length > 0 || !isInline(call, body) ? '=undefined' : UNKNOWN),
        false,
        this.#knowledge,
      );
    });
    const exits = this.#walk(
      body,
      [dropTemporaries(entry, call)],
      depth + (isInline(call, body) ? 1 : CALL_DEPTH),
    );
    const id = this.#program.idOf(body);
    const leave = (one: State) => {
      return dropLocals(call.isNew ? one : assign(one, call.to, result, true, this.#knowledge), id);
    };
    return {
      next: exits.returned.map(leave),
      thrown: exits.thrown.map((one) =>
        dropLocals({ ...one, rejecting: one.rejecting && call.to !== UNKNOWN }, id),
      ),
    };
  }

  /** Functions among the arguments that have to do with the lease. */
  #withClosures(state: State, call: Call, isOn: boolean, depth: number): Outcome | null {
    const bodies = this.#functionArguments(call).filter((body) => this.#mentions(body, state));
    if (bodies.length === 0 || depth >= DEPTH) return null;
    // Code that got its lease in a callback goes on in callbacks.
    const continues = (isOn || this.#isByCallback) && !LISTENS.test(call.name);
    // `return client.query(sql, callback)` returns no promise.
    const isPromise = !continues || bodies.some((body) => this.#program.traitsOf(body).isAsync);
    const isAwaited = call.mode === 'awaited' || (call.mode === 'returned' && isPromise);
    if (!isAwaited && !continues) {
      // Some time later, or never.
      return this.#borrow(state, { ...state, leftBehind: true }, call, isOn, false);
    }
    let states: State[] = [state];
    const [thrown, detached]: [State[], State[]] = [[], []];
    for (const body of bodies) {
      const round = states.map((one) => this.#invoke(one, call, body, [], depth));
      states = round.flatMap(({ next }) => [...next]);
      for (const one of round) {
        if (isAwaited) thrown.push(...(one.thrown ?? []));
        else detached.push(...this.#thrownByCallback(body, one.thrown ?? []));
      }
    }
    const raised = isAwaited ? this.#raised(state, state, call, isOn) : [];
    return { next: states.map((one) => forget(one, call)), thrown: [...thrown, ...raised], detached };
  }

  #functionArguments(call: Call): Body[] {
    return call.args.flatMap((_, index) => this.#functionAt(call, index) ?? []);
  }

  /** The function that an argument is, written there or named. */
  #functionAt({ node, closures }: Call, index: number): Body | null {
    const literal = closures[index];
    if (literal !== undefined && literal !== null) return literal;
    const argument = ts.isTaggedTemplateExpression(node) ? undefined : node.arguments?.[index];
    if (argument === undefined || !ts.isIdentifier(argument)) return null;
    const entity = this.#program.entities.of(argument);
    return entity?.kind === 'function' ? entity.node : null;
  }
}

/** Released, with the names that it had. */
function rememberedAs({ holders, facts }: State, released: State): State {
  return { ...released, holders, facts };
}

/** `use(null, client)` and `use(error, client)`: who is called that way takes what he is given. */
function isErrorFirst(first: Place): boolean {
  return first === '=null' || first === '=undefined' || /^e(rr(or)?)?$/i.test(lastSegment(first));
}

function within(place: Place, suffix: string): Place {
  return suffix.startsWith('!') ? `!${place}${suffix.slice(1)}` : place + suffix;
}

function isInLoop(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isIterationStatement(at, true)) return true;
  }
  return false;
}

function threw(state: State, node: ts.Node): Trail {
  return { ...state.trail, bypass: node, how: 'throw' };
}

function isArrow(body: Body): boolean {
  return ts.isArrowFunction(body);
}

function isInline(call: Call, body: Body): boolean {
  return call.inline === body || call.closures.includes(body as ts.SignatureDeclaration);
}

function isFieldLike(place: Place): boolean {
  return rootOf(place) !== place && !isTemporary(rootOf(place));
}

function containsNode(outer: ts.Node, inner: ts.Node): boolean {
  return outer.getSourceFile() === inner.getSourceFile() && outer.pos <= inner.pos && inner.end <= outer.end;
}

/** `response.end(data)` of a stream that happens to be within: closing half of something is no release. */
function isHalfClose(call: Call): boolean {
  return call.name === 'end' && call.args.length > 0 && call.args[0]?.startsWith('="') === true;
}

function receiverText(node: ts.CallExpression): string {
  return ts.isPropertyAccessExpression(node.expression) ? node.expression.expression.getText() : '';
}

function firstText(node: Call['node']): string | null {
  const first = ts.isTaggedTemplateExpression(node) ? node.template : node.arguments?.[0];
  if (first === undefined) return null;
  if (ts.isStringLiteralLike(first)) return first.text;
  return ts.isTemplateExpression(first) ? first.head.text : null;
}
