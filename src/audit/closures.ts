import { ts } from 'ts-morph';
import { type Body, isFunction } from './code/scope.js';
import { takesError } from './flow/calls/entering.js';
import { LISTENS, SUCCESS } from './flow/names.js';
import { functionOf, isWithin, lastSegment, rootOf } from './flow/place.js';
import { factOf, NO_TRAIL, type State, withFact } from './flow/state.js';
import type { Program, Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import { Walk } from './flow/walk.js';

/**
 * A function literal that is left behind may release the lease of a path: `stream.on('end', () => client.release())`,
 * `return { close: () => client.end() }`. One that does so on all its own paths owns the lease.
 */
export function heldByClosures(
  site: Site,
  walk: Walk,
  ends: readonly State[],
  program: Program,
): { readonly returned: readonly State[]; readonly owner: 'whole' | 'partly' | null } {
  const left = leftBehind(site, walk);
  let owner: 'whole' | 'partly' | null = null;
  const returned = ends.flatMap((state) => {
    let partly: State[] | null = null;
    for (const closure of left) {
      // An argument of a call counts only on the paths that made the call.
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

/** Events of what has failed or is over in any case. */
const FAILURE: ReadonlySet<string> = new Set(['error', 'close', 'abort', 'aborted']);

/** The event that a function literal is registered for: `stream.on('end', () => ...)`. */
function eventOf(closure: Body): string | null {
  const { parent } = closure;
  if (!ts.isCallExpression(parent) || !ts.isPropertyAccessExpression(parent.expression)) return null;
  const event = parent.arguments[0];
  if (!LISTENS.test(parent.expression.name.text) || event === undefined) return null;
  // The end of a request is not that of what is read from the lease.
  if (/^(res|response|reply|req|request|socket|ctx|process)$/.test(parent.expression.expression.getText()))
    return null;
  return ts.isStringLiteralLike(event) ? event.text : null;
}

/**
 * A stream whose end releases the lease, and whose error or close does not: a query that fails keeps it. Says so of
 * a lease in a field, too: the function has taken its release upon itself.
 */
export function halfWatched(site: Site, walk: Walk, states: readonly State[], program: Program): State[] {
  if (walk.hasReleased) return [];
  const listeners = [
    ...leftBehind(site, walk).map((body) => ({ body, event: eventOf(body), at: body.parent })),
    ...namedListeners(unitOf(site.node), program),
  ];
  const of = (events: ReadonlySet<string>) => listeners.filter(({ event }) => events.has(event ?? ''));
  const [good, bad] = [of(SUCCESS), of(FAILURE)];
  return states.flatMap((state) => {
    const isReleasedBy = ({ body }: { readonly body: Body }) =>
      leftOpenBy(body, [state], site, program)?.length === 0;
    const releasing = good.find(isReleasedBy);
    if (releasing === undefined || bad.some(isReleasedBy)) return [];
    const bypass = (bad.find(({ event }) => event === 'error') ?? releasing).at;
    return [{ ...state, trail: { ...NO_TRAIL, bypass, how: 'throw' as const } }];
  });
}

/** `stream.on('end', this.handleEnd.bind(this))`: the functions that are registered by name. */
function namedListeners(unit: Body, { entities }: Program): { body: Body; event: string; at: ts.Node }[] {
  const found: { body: Body; event: string; at: ts.Node }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const [event, given] = node.arguments;
      const isListening = LISTENS.test(node.expression.name.text) && event !== undefined;
      if (isListening && ts.isStringLiteralLike(event) && given !== undefined && !isFunction(given)) {
        const bound =
          ts.isCallExpression(given) && /\.bind\(/.test(given.getText()) ? given.expression : given;
        const named = ts.isPropertyAccessExpression(bound) && bound !== given ? bound.expression : given;
        const entity = entities.of(named as ts.Expression);
        if (entity?.kind === 'function') found.push({ body: entity.node, event: event.text, at: node });
      }
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(unit, visit);
  return found;
}

function isArgument(closure: Body): boolean {
  return ts.isCallExpression(closure.parent) && closure.parent.expression !== closure;
}

/** The paths of a function literal on which it does not release; null if it never does. */
function leftOpenBy(
  closure: Body,
  before: readonly State[],
  site: Site,
  program: Program,
  countsErrors = true,
): State[] | null {
  const walk = new Walk(program, site);
  // `new Database(file, (error) => ...)`: what failed to open is not open.
  const failure =
    closure.parent === site.node && takesError(closure) ? program.graphOf(closure).params[0] : undefined;
  const opened = (state: State) => (failure === undefined ? state : withFact(state, failure, '=null'));
  const exits = walk.run(
    closure,
    before.map((state) => ({ ...opened(state), trail: NO_TRAIL })),
  );
  // `resolve(client)`: the promise around has it now.
  const known = new Set(before.flatMap(({ holders }) => holders));
  const isResolved = ({ holders }: State) => holders.some((one) => one.includes('|%') && !known.has(one));
  const isOut = (state: State) => state.status === 'held' && !state.unlikely && !isResolved(state);
  const ends = (state: State) => state.status === 'escaped' || isResolved(state);
  if (!walk.hasReleased && !exits.returned.some(ends)) return null;
  const isCounted = countsErrors && program.traitsOf(closure).isAsync;
  return [...exits.returned.filter(isOut), ...(isCounted ? exits.thrown.filter(isOut) : [])];
}

/** `return { client, done: () => client.release() }`: the parts of what is returned that release when called. */
export function releasingParts(site: Site, handed: readonly State[], program: Program): string[] {
  const { result } = program.graphOf(unitOf(site.node));
  const found = handed.map((state) => {
    const parts = new Set<string>();
    for (const place of state.facts.keys()) {
      const id = isWithin(place, result) ? functionOf(factOf(state, place)) : null;
      const body = id === null ? null : program.bodyOf(id);
      // The caller has `rollback` if `commit` fails.
      const open = body === null ? null : leftOpenBy(body, [state], site, program, false);
      if (open?.length === 0) parts.add(`!${place.slice(result.length)}`);
    }
    return parts;
  });
  const [first, ...others] = found;
  return [...(first ?? [])].filter((part) => others.every((parts) => parts.has(part)));
}

/** Function literals of the site's function that no path went through, outermost first. */
function leftBehind(site: Site, walk: Walk): Body[] {
  return walk.program.functionsIn(unitOf(site.node)).filter((one) => !walk.invoked.has(one));
}

/** Whether a function literal that is left behind uses the variable that the result of the call goes to. */
export function isKnownToClosures(site: Site, walk: Walk, program: Program): boolean {
  const { returnsItself = [] } = site.spec;
  const isSame = (node: ts.Node) =>
    ts.isAwaitExpression(node) ||
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    (ts.isPropertyAccessExpression(node) && returnsItself.includes(node.name.text)) ||
    (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression));
  let at: ts.Node = site.node.parent;
  while (isSame(at)) at = at.parent;
  if (!ts.isVariableDeclaration(at)) return true;
  const name = at.name.getText();
  return leftBehind(site, walk).some((one) =>
    program
      .graphOf(one)
      .reads.flat()
      .some((place) => lastSegment(rootOf(place)) === name),
  );
}
