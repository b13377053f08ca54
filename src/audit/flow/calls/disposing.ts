import type { ts } from 'ts-morph';
import type { Body } from '../../code/scope.js';
import { dropLocals, isOut } from '../frames.js';
import type { Op } from '../graph.js';
import { DISPOSERS } from '../names.js';
import { functionOf, type Place, property } from '../place.js';
import { contains, factOf, type State } from '../state.js';
import type { Outcome } from '../types.js';
import type { Walk } from '../walk.js';
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
  const disposer = disposerOf(walk, state, place) ?? given.find((one) => mentions(walk, one, state)) ?? null;
  if (disposer === null || !mentions(walk, disposer, state))
    return { next: [isEnded(walk, state, place) ? asReleased(walk, state, ast) : state] };
  walk.invoked.add(disposer);
  walk.program.prepare(disposer);
  const { returned, thrown } = walk.walk(disposer, [state], depth + 1);
  const leave = (one: State) => dropLocals(one, walk.program.idOf(disposer));
  return { next: returned.map(leave), thrown: thrown.map(leave) };
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
