import { ts } from 'ts-morph';
import type { Body } from '../../code/scope.js';
import { bare } from '../../code/syntax.js';
import { isPython } from '../../languages/python/raises.js';
import { hasRole } from '../../languages/python/roles.js';
import { dropLocals, isOut, swapBack, swapThis } from '../frames.js';
import type { Call, Op } from '../graph.js';
import { DISPOSERS } from '../names.js';
import { functionOf, type Place, property } from '../place.js';
import { contains, factOf, type State } from '../state.js';
import type { Outcome } from '../types.js';
import { CALL_DEPTH, DEPTH, type Walk } from '../walk.js';
import { mentions } from './entering.js';
import { asReleased } from './releasing.js';

/** The end of a `using` declaration: of the lease itself, or of an object whose disposer knows the lease. */
export function disposeOf(
  walk: Walk,
  state: State,
  { place, given }: Extract<Op, { kind: 'dispose' }>,
  ast: ts.Node,
  depth: number,
): Outcome {
  if (!isOut(state)) return { next: [state] };
  const manager = isPython(ast) ? managerOf(walk, ast) : null;
  // A generator of the project releases its own lease, and not one that it was given.
  if (manager === 'generator') return { next: [state] };
  if (manager !== null && contains(state, place) && walk.site.arms === undefined && depth < DEPTH)
    return exit(walk, state, place, manager, depth);
  const disposer = disposerOf(walk, state, place) ?? given.find((one) => mentions(walk, one, state)) ?? null;
  if (disposer === null || !mentions(walk, disposer, state))
    return { next: [isEnded(walk, state, place) ? asReleased(walk, state, ast) : state] };
  walk.invoked.add(disposer);
  walk.program.prepare(disposer);
  const { returned, thrown } = walk.walk(disposer, [state], depth + 1);
  const leave = (one: State) => dropLocals(one, walk.program.idOf(disposer));
  return { next: returned.map(leave), thrown: thrown.map(leave) };
}

/** `with`: the `__exit__` of a class of the project, or `generator` for a function of it that yields once. */
function managerOf(walk: Walk, ast: ts.Node): Body | 'generator' | null {
  const value = ts.isVariableDeclaration(ast) && ast.initializer !== undefined ? bare(ast.initializer) : null;
  if (value === null) return null;
  const { entities } = walk.program;
  const called = ts.isCallExpression(value) ? entities.calledBy(value) : null;
  if (called !== null && hasRole(called, 'lends')) return 'generator';
  const made = entities.of(value);
  if (made?.kind !== 'instance') return null;
  return entities.methodOf(made.node, '__exit__') ?? entities.methodOf(made.node, '__aexit__');
}

function exit(walk: Walk, state: State, place: Place, body: Body, depth: number): Outcome {
  walk.invoked.add(body);
  walk.program.prepare(body);
  const { returned, thrown } = walk.walk(body, [swapThis(state, place)], depth + CALL_DEPTH);
  const leave = (one: State) => swapBack(dropLocals(one, walk.program.idOf(body)), place);
  return { next: returned.map(leave), thrown: thrown.map(leave) };
}

/** `with`: what a manager gives is itself, unless a class of the project says otherwise. */
export function entersItself(walk: Walk, { name, receiver, node }: Call): boolean {
  if (receiver === null || !/^__a?enter__$/.test(name) || ts.isTaggedTemplateExpression(node)) return false;
  return walk.program.entities.calledBy(node) === null;
}

/** Whether the end of a block releases the lease. A `with` statement of Python ends only the transaction of some. */
function isEnded({ site }: Walk, state: State, place: Place): boolean {
  return contains(state, place) && site.spec.release.isKeptByBlock !== true;
}

/** The function literal that an object is disposed of by. */
function disposerOf(walk: Walk, state: State, place: Place): Body | null {
  for (const name of DISPOSERS) {
    const id = functionOf(factOf(state, property(place, name)));
    const body = id === null ? null : walk.program.bodyOf(id);
    if (body !== null) return body;
  }
  return null;
}
