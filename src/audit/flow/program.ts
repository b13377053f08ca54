import { ts } from 'ts-morph';
import type { Entities } from '../code/entities.js';
import type { Project } from '../code/project.js';
import { type Body, isFunction } from '../code/scope.js';
import { type FlowNode, type Graph, RETURNED, START, THROWN } from './graph.js';
import { type Liveness, liveness } from './live.js';
import { lower } from './lower.js';
import { type Place, rootOf } from './place.js';
import { isLogger as isLoggerName, raiseOf } from './raises.js';
import type { Program, Raise, Traits } from './types.js';

/** Graphs and traits of functions, each made once. */
export class Functions implements Program {
  readonly entities: Entities;
  readonly acquires = new Set<ts.Node>();
  readonly #project: Project;
  readonly #graphs = new Map<Body, Graph>();
  readonly #ids = new Map<Body, string>();
  readonly #bodies = new Map<string, Body>();
  readonly #traits = new Map<Body, Traits>();
  readonly #uses = new Map<Place, number>();
  readonly #live = new Map<Body, Liveness>();
  readonly #prepared = new Set<Body>();
  readonly #calls = new Map<Body, Map<ts.Node, number>>();
  readonly #inner = new Map<Body, Body[]>();
  readonly interest = (place: Place): number => {
    // The caller reads the result of a function, and other methods may read a field.
    if (rootOf(place).endsWith('|%result')) return 1;
    if (place.startsWith('this.')) return 2;
    const uses = this.#uses.get(place) ?? 0;
    // A read of a whole reads all its parts.
    const root = rootOf(place);
    return uses > 0 || root === place ? uses : Math.min(1, this.interest(root));
  };

  constructor(project: Project, entities: Entities) {
    this.#project = project;
    this.entities = entities;
  }

  graphOf(body: Body): Graph {
    this.#project.reads.touch(this.#project.unitOf(body).path);
    const known = this.#graphs.get(body);
    if (known !== undefined) return known;
    const graph = lower(body, this);
    this.#graphs.set(body, graph);
    for (const place of graph.uses.flat()) this.#uses.set(place, (this.#uses.get(place) ?? 0) + 1);
    return graph;
  }

  functionsIn(body: Body): readonly Body[] {
    const known = this.#inner.get(body);
    if (known !== undefined) return known;
    const found: Body[] = [];
    const visit = (node: ts.Node): void => {
      if (isFunction(node)) found.push(node);
      ts.forEachChild(node, visit);
    };
    ts.forEachChild(body, visit);
    this.#inner.set(body, found);
    return found;
  }

  nodeOfCall(body: Body, call: ts.Node): number | null {
    const known = this.#calls.get(body);
    if (known !== undefined) return known.get(call) ?? null;
    const calls = new Map<ts.Node, number>();
    this.graphOf(body).nodes.forEach(({ op }, at) => {
      if (op.kind === 'call') calls.set(op.call.node, at);
    });
    this.#calls.set(body, calls);
    return calls.get(call) ?? null;
  }

  prepare(body: Body): void {
    if (this.#prepared.has(body)) return;
    this.#prepared.add(body);
    this.graphOf(body);
    const visit = (node: ts.Node): void => {
      if (isFunction(node)) this.prepare(node);
      else ts.forEachChild(node, visit);
    };
    if (!ts.isSourceFile(body)) ts.forEachChild(body, visit);
  }

  idOf(body: Body): string {
    const known = this.#ids.get(body);
    if (known !== undefined) return known;
    const id = `${this.#project.unitOf(body).index}:${ts.isSourceFile(body) ? 'file' : body.pos}`;
    this.#ids.set(body, id);
    this.#bodies.set(id, body);
    return id;
  }

  bodyOf(id: string): Body | null {
    return this.#bodies.get(id) ?? null;
  }

  liveIn(body: Body): Liveness {
    const known = this.#live.get(body);
    if (known !== undefined) return known;
    const within = new Set(this.functionsIn(body).flatMap((one) => this.graphOf(one).reads.flat()));
    const found = liveness(this.graphOf(body), this.idOf(body), within);
    this.#live.set(body, found);
    return found;
  }

  traitsOf(body: Body): Traits {
    this.#project.reads.touch(this.#project.unitOf(body).path);
    const known = this.#traits.get(body);
    if (known !== undefined) return known;
    const isAsync =
      isFunction(body) &&
      ts.canHaveModifiers(body) &&
      (ts.getModifiers(body)?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) ?? false);
    const own = { isAsync, isLogger: isLogger(body) };
    this.#traits.set(body, { ...NOTHING, ...own }); // the answer within a recursion
    const found = { ...this.#reach(body), ...own };
    this.#traits.set(body, found);
    return found;
  }

  calleeTraits(call: ts.CallExpression | ts.NewExpression | ts.TaggedTemplateExpression): Traits | null {
    if (ts.isTaggedTemplateExpression(call)) return null;
    if (this.entities.isBareConstruction(call))
      return { ...NOTHING, isQuiet: true, isSafe: true, isAsync: false, isLogger: false };
    const body = this.entities.calledBy(call);
    return body === null ? null : this.traitsOf(body);
  }

  /** The ways in which a function can end. */
  #reach(body: Body): Reached {
    if (!('body' in body) || body.body === undefined) return NOTHING;
    const { nodes } = this.graphOf(body);
    const seen = new Set<number>();
    const queue = [START];
    let [exits, throws, isQuiet, isSafe] = [false, false, true, true];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const node = nodes[at] as FlowNode;
      if (node.thrown === THROWN && isQuiet) {
        const raise = this.#raiseOf(node);
        isSafe &&= raise === 'never';
        isQuiet = raise !== 'ordinary';
      }
      if (node.op.kind === 'throw') {
        if (node.thrown === THROWN) throws = true;
        queue.push(node.thrown);
      } else if (node.op.kind === 'call' && ts.isCallExpression(node.op.call.node)) {
        const traits = this.#ofCall(node.op.call.node);
        if (traits.exits) {
          exits = true;
          continue;
        }
        if (traits.throws && node.thrown === THROWN) throws = true;
        queue.push(node.thrown);
      }
      queue.push(...node.next.filter((next) => next !== undefined));
    }
    const returns = seen.has(RETURNED);
    return {
      exits: exits && !returns,
      throws,
      onlyThrows: throws && !returns,
      isQuiet,
      isSafe: isSafe && isQuiet,
    };
  }

  /** How likely a step of a function that stands in no try is to fail. */
  #raiseOf({ op }: FlowNode): Raise {
    if (op.kind === 'throw' || op.kind === 'reject' || op.kind === 'await') return 'ordinary';
    if (op.kind !== 'call') return 'never';
    const callee = this.calleeTraits(op.call.node);
    const raise = raiseOf(op.call, { onLease: false, isSyncLease: false, protocol: [], callee });
    // A promise that is returned may be one of work that fails.
    return op.call.mode === 'returned' && callee?.isQuiet !== true && raise !== 'never' ? 'ordinary' : raise;
  }

  #ofCall(call: ts.CallExpression): { exits: boolean; throws: boolean } {
    const callee = call.expression;
    if (ts.isPropertyAccessExpression(callee) && /^(exit|abort)$/.test(callee.name.text)) {
      if (/(^|\.)process$/.test(callee.expression.getText())) return { exits: true, throws: false };
    }
    const body = this.entities.calledBy(call);
    if (body === null) return { exits: false, throws: false };
    const { exits, throws, isAsync } = this.traitsOf(body);
    return { exits, throws: throws && !isAsync };
  }
}

type Reached = Pick<Traits, 'exits' | 'throws' | 'onlyThrows' | 'isQuiet' | 'isSafe'>;

const NOTHING: Reached = { exits: false, throws: false, onlyThrows: false, isQuiet: false, isSafe: false };

/** `function error(e) { createLogger().error(e); }`: whether the last thing that a short function does is to log. */
function isLogger(body: Body): boolean {
  const code = 'body' in body ? body.body : undefined;
  if (code === undefined || ts.isSourceFile(body)) return false;
  const statements = ts.isBlock(code) ? code.statements : null;
  if (statements !== null && (statements.length === 0 || statements.length > 3)) return false;
  const last = statements === null ? code : statements.at(-1);
  const call =
    last !== undefined && (ts.isExpressionStatement(last) || ts.isReturnStatement(last))
      ? last.expression
      : last;
  if (call === undefined || !ts.isCallExpression(call) || !ts.isPropertyAccessExpression(call.expression))
    return false;
  return isLoggerName(call.expression.expression);
}
