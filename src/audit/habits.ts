import { ts } from 'ts-morph';
import type { Entities } from './code/entities.js';

import type { Project, SourceUnit } from './code/project.js';
import { type Body, bodyAround, isFunction, variableOf } from './code/scope.js';
import type { Program, Site } from './flow/types.js';
import { isPython } from './languages/python/raises.js';
import type { Verdict } from './leaks.js';
import { callNames } from './sites.js';
import { runsOnce, SCRIPTS } from './startup.js';
import type { Habit, PoolPattern, ResourceSpec } from './types.js';

/** Nothing leaks, and the pool runs dry all the same: always a note. */
export interface HabitFound {
  readonly rule: Habit;
  readonly at: ts.Node;
  /** The text of the trail for that place. */
  readonly here: string;
  /** `{line}` in it stands for the line of `at`. */
  readonly message: string;
}

/** Stands in a message for the line. */
export const LINE = '{line}';

/** The habits that show at one acquire call. */
export function habitsOf(site: Site, verdict: Verdict, program: Program): HabitFound[] {
  return [...moduleSession(site, verdict), ...heldThroughWork(site, verdict, program)];
}

// --- a module-level session

/** `const session = await getDb()` outside of any function, or kept there by one. */
function moduleSession({ node, spec }: Site, { hasReleased }: Verdict): HabitFound[] {
  const kept = spec.isPersonal === true && !hasReleased ? moduleVariableOf(node) : null;
  if (kept === null) return [];
  const file = node.getSourceFile();
  const methods = spec.release.methods.join('|');
  // One that is released somewhere has an owner; one that listens is kept on purpose.
  if (new RegExp(`(?<![\\w$.])${escaped(kept)}\\s*[?!]?\\.\\s*(${methods})\\b`).test(file.text)) return [];
  if (/\bLISTEN\b|['"]notification['"]/.test(file.text)) return [];
  const use = firstUseIn(file, kept, node);
  if (use === null) return [];
  const message = `${spec.title} is kept for the whole module: all callers share it, one at a time, and none gets past it once it is broken`;
  return [{ rule: 'module-session', at: use, here: 'used here, by every caller', message }];
}

/** The variable of the file that the result of a call goes to. */
function moduleVariableOf(node: ts.Node): string | null {
  let at = node.parent;
  while (ts.isAwaitExpression(at) || ts.isParenthesizedExpression(at) || ts.isAsExpression(at))
    at = at.parent;
  if (ts.isBinaryExpression(at) && isAssignment(at) && ts.isIdentifier(at.left)) {
    const variable = variableOf(at.left);
    return variable !== null && ts.isSourceFile(variable.owner) ? variable.name : null;
  }
  if (!ts.isVariableDeclaration(at) || !ts.isIdentifier(at.name)) return null;
  return ts.isSourceFile(at.parent.parent.parent) ? at.name.text : null;
}

function isAssignment({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return (
    kind === ts.SyntaxKind.EqualsToken ||
    kind === ts.SyntaxKind.QuestionQuestionEqualsToken ||
    kind === ts.SyntaxKind.BarBarEqualsToken
  );
}

/** The first place where a function calls a method of a variable of its file. */
function firstUseIn(file: ts.SourceFile, name: string, acquire: ts.Node): ts.Node | null {
  let found: ts.Node | null = null;
  const visit = (node: ts.Node): void => {
    if (found !== null) return;
    if (ts.isIdentifier(node) && node.text === name && isMethodCall(node) && node.pos > acquire.pos) {
      if (isFunction(bodyAround(node)) && ts.isSourceFile(variableOf(node)?.owner ?? node))
        found = node.parent;
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

// --- a lease held through work

/** Waits for somebody else, and knows nothing of databases. */
const ELSEWHERE = /^(fetch|got|axios|request|sendMail|sleep|delay)$/;
const CLIENTS =
  /^(axios|got|ky|requests|httpx|urllib|superagent|https?|undici|mailer|transporter|stripe|s3|openai)$/i;
const SAYS = /^(log|debug|info|warn|error|trace|emit)$/;

/**
 * Work that is awaited while the lease is out and that does nothing with it: after its last use, or, for what is known
 * to wait for another server, anywhere. Says nothing where a part of the lease may have gone elsewhere.
 */
function heldThroughWork(
  { node, spec }: Site,
  { hasReleased, leak }: Verdict,
  { acquires }: Program,
): HabitFound[] {
  const declaration = declarationOf(node);
  const body = bodyAround(node);
  const isScoped = declaration !== null && isUsing(declaration);
  if (declaration === null || !isFunction(body) || (!hasReleased && !isScoped)) return [];
  if (leak?.kind === 'never-released') return [];
  const life = lifeOf(declaration, body, spec);
  if (life === null) return [];
  for (const work of awaitedCalls(body)) {
    if (work.pos < declaration.end || work.end > life.end || life.touches(work)) continue;
    const callee = work.expression;
    const [name, on] = ts.isPropertyAccessExpression(callee)
      ? [callee.name.text, rootName(callee.expression)]
      : [callee.getText(), ''];
    if (SAYS.test(name) || acquires.has(work) || isOfLease(work, acquires)) continue;
    if (life.releases.some((at) => life.lastUse <= at && at < work.pos)) continue;
    const isElsewhere = ELSEWHERE.test(name) || CLIENTS.test(on);
    // The translation from Python marks every call as awaited.
    const isLast =
      !isPython(work) &&
      life.lastUse > declaration.end &&
      life.lastUse < work.pos &&
      !isInLoopOf(work, declaration);
    // Before its first use it need not be there yet; after the last one no more.
    if (!isElsewhere && !isLast) continue;
    const why = isLast
      ? 'nothing uses it any more: release it before'
      : 'which waits for somebody else: do that before the acquire, or after the release';
    const called = /^\w[\w.]*$/.test(callee.getText()) ? callee.getText() : name;
    const message = `${spec.title} is held through ${called}() (line ${LINE}), ${isLast ? `though ${why}` : why}`;
    return [{ rule: 'held-through-work', at: work, here: 'held through this', message }];
  }
  return [];
}

/** A call of another lease: two that are held together are nested on purpose. */
function isOfLease({ expression: callee }: ts.CallExpression, acquires: ReadonlySet<ts.Node>): boolean {
  if (!ts.isPropertyAccessExpression(callee) || !ts.isIdentifier(callee.expression)) return false;
  const declared = variableOf(callee.expression)?.declaration;
  if (declared === undefined || !ts.isVariableDeclaration(declared)) return false;
  const value = declared.initializer;
  return value !== undefined && acquires.has(ts.isAwaitExpression(value) ? value.expression : value);
}

interface Life {
  /** The end of the last use that is no release. */
  readonly lastUse: number;
  /** The latest place of its release. */
  readonly end: number;
  /** The places of the calls that release it. */
  readonly releases: readonly number[];
  /** Whether a call has to do with the lease, or with what is not done yet of it. */
  touches(call: ts.CallExpression): boolean;
}

/** The part of its function that uses a lease; null if something else may use it. */
function lifeOf(declaration: ts.VariableDeclaration, body: Body, spec: ResourceSpec): Life | null {
  const name = (declaration.name as ts.Identifier).text;
  let [lastUse, end, isKnown] = [declaration.end, -1, true];
  const derived = new Set<string>();
  const releases: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name && node !== declaration.name && isMention(node)) {
      if (variableOf(node)?.declaration !== declaration) return;
      const release = releaseOf(node, spec);
      if (release !== null) {
        end = Math.max(end, releaseEnd(release, body));
        releases.push(release.pos);
      } else if (isMethodCall(node) && bodyAround(node) === body) {
        const call = node.parent.parent as ts.CallExpression;
        lastUse = Math.max(lastUse, call.end);
      } else isKnown = false;
    }
    if (ts.isVariableDeclaration(node) && node !== declaration && node.initializer !== undefined) {
      const names = [name, ...derived];
      if (!isData(node.initializer, name) && names.some((one) => mentions(node.initializer as ts.Node, one)))
        for (const one of namesIn(node.name)) derived.add(one);
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  if (isUsing(declaration)) end = declaration.parent.parent.parent.end;
  if (!isKnown || end < 0) return null;
  return {
    lastUse,
    end,
    releases,
    touches: (call) => [name, ...derived].some((one) => mentions(call, one)),
  };
}

/** Rows and the like: what has been read stays without the lease. A cursor, a statement or a transaction does not. */
const READS =
  /^(\$?query\w*|execute\w*|exec|run|all|get|find\w*|select\w*|fetch\w*|one|many|none|any|count)$/i;

function isData(value: ts.Expression, name: string): boolean {
  let at = value;
  while (ts.isParenthesizedExpression(at) || ts.isAsExpression(at)) at = at.expression;
  if (!ts.isAwaitExpression(at) || !ts.isCallExpression(at.expression)) return false;
  const callee = at.expression.expression;
  return (
    ts.isPropertyAccessExpression(callee) &&
    ts.isIdentifier(callee.expression) &&
    callee.expression.text === name &&
    READS.test(callee.name.text)
  );
}

function mentions(node: ts.Node, name: string): boolean {
  if (ts.isIdentifier(node) && node.text === name && isMention(node)) return true;
  return ts.forEachChild(node, (child) => mentions(child, name) || undefined) === true;
}

function namesIn(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? namesIn(element.name) : []));
}

/** A release in a finally block ends the lease after all that its try has. */
function releaseEnd(release: ts.Node, body: Body): number {
  for (let at = release; at !== body; at = at.parent) {
    if (ts.isBlock(at) && ts.isTryStatement(at.parent) && at.parent.finallyBlock === at) return at.pos;
    if (ts.isCatchClause(at)) return -1;
  }
  return release.pos;
}

/** `client.release()` or `pool.release(client)`. */
function releaseOf(node: ts.Identifier, { release }: ResourceSpec): ts.CallExpression | null {
  if (isMethodCall(node)) {
    const access = node.parent as ts.PropertyAccessExpression;
    return release.methods.includes(access.name.text) ? (access.parent as ts.CallExpression) : null;
  }
  const call = node.parent;
  if (!ts.isCallExpression(call) || !call.arguments.includes(node)) return null;
  const callee = ts.isPropertyAccessExpression(call.expression) ? call.expression.name : call.expression;
  return release.takes.includes(callee.getText()) ? call : null;
}

/** The calls that a function awaits itself. */
function awaitedCalls(body: Body): ts.CallExpression[] {
  const found: ts.CallExpression[] = [];
  const visit = (node: ts.Node): void => {
    if (isFunction(node)) return;
    if (ts.isAwaitExpression(node) && ts.isCallExpression(node.expression)) found.push(node.expression);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return found;
}

/** Whether a loop may come back from a place to the uses of a lease that is declared outside of it. */
function isInLoopOf(node: ts.Node, declaration: ts.Node): boolean {
  for (let at = node.parent; at !== undefined && !isFunction(at); at = at.parent) {
    const has = at.pos <= declaration.pos && declaration.end <= at.end;
    if (ts.isIterationStatement(at, false) && !has) return true;
  }
  return false;
}

function isUsing({ parent }: ts.VariableDeclaration): boolean {
  return (parent.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using;
}

// --- a pool made per call

/** A pool that is made, used and left behind, or ended, within one function. */
export interface PoolFound extends HabitFound {
  readonly node: ts.CallExpression | ts.NewExpression;
  readonly spec: ResourceSpec;
}

/** The pools that one file makes anew in each call of a function. */
export function poolsPerCall(
  unit: SourceUnit,
  project: Project,
  makers: PoolMakers,
  entities: Entities,
): PoolFound[] {
  if (unit.language !== 'typescript' || SCRIPTS.test(unit.name) || !makers.mayBeIn(unit.text)) return [];
  return project.callsNamed(unit, makers.names).flatMap((node) => {
    const spec = makers.specOf(node, entities);
    const found = spec === null ? null : perCall(node, spec);
    return spec === null || found === null ? [] : [{ ...found, node, spec }];
  });
}

/** The calls and classes that make pools, by the specs. */
export class PoolMakers {
  readonly names: RegExp;
  readonly #modules: RegExp;
  readonly #makers: readonly { readonly spec: ResourceSpec; readonly pattern: PoolPattern }[];

  constructor(specs: readonly ResourceSpec[]) {
    this.#makers = specs.flatMap((spec) => (spec.pools ?? []).map((pattern) => ({ spec, pattern })));
    this.names = callNames(new Set(this.#makers.map(({ pattern }) => pattern.name)));
    const modules = new Set(this.#makers.flatMap(({ pattern }) => pattern.from.map(escaped)));
    this.#modules = new RegExp(`['"](?:${[...modules].join('|')})['"]`);
  }

  mayBeIn(text: string): boolean {
    return this.#modules.test(text);
  }

  specOf(node: ts.CallExpression | ts.NewExpression, entities: Entities): ResourceSpec | null {
    const entity = entities.of(node.expression);
    if (entity?.kind !== 'package') return null;
    const [module = '', path = ''] = entity.path.split('#');
    const fits = this.#makers.find(
      ({ pattern: { kind, name, from } }) =>
        (kind === 'new') === ts.isNewExpression(node) &&
        from.includes(module) &&
        (path === '' || path === 'default' || path.split('.').at(-1) === name),
    );
    return fits?.spec ?? null;
  }
}

function perCall(node: ts.CallExpression | ts.NewExpression, spec: ResourceSpec): HabitFound | null {
  const declaration = declarationOf(node);
  const body = bodyAround(node);
  if (declaration === null || !isFunction(body) || isUsing(declaration) || runsOnce(body)) return null;
  const name = (declaration.name as ts.Identifier).text;
  let [end, use, escapes]: [ts.Node | null, ts.Node | null, boolean] = [null, null, false];
  const visit = (child: ts.Node): void => {
    if (ts.isIdentifier(child) && child.text === name && child !== declaration.name && isMention(child)) {
      if (variableOf(child)?.declaration !== declaration) return;
      if (!isMethodCall(child)) escapes = true;
      else if (spec.release.ofParent.includes((child.parent as ts.PropertyAccessExpression).name.text))
        end ??= child.parent.parent;
      else use ??= child.parent.parent;
    }
    ts.forEachChild(child, visit);
  };
  ts.forEachChild(body, visit);
  if (escapes || use === null) return null;
  const message =
    end === null
      ? 'each call creates a pool and never ends it, so its connections stay open'
      : 'each call creates and ends a pool, so every call connects again, and no limit covers all calls';
  return { rule: 'pool-per-call', at: end ?? use, here: end === null ? 'used here' : 'ended here', message };
}

// --- what they share

/** The variable that a call is the value of. */
function declarationOf(node: ts.Node): ts.VariableDeclaration | null {
  let at = node.parent;
  while (ts.isAwaitExpression(at) || ts.isParenthesizedExpression(at) || ts.isAsExpression(at))
    at = at.parent;
  return ts.isVariableDeclaration(at) && ts.isIdentifier(at.name) ? at : null;
}

/** Whether an identifier is a value, and not the name of a property. */
function isMention(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return !(ts.isPropertyAssignment(parent) && parent.name === node);
}

function isMethodCall(node: ts.Identifier): boolean {
  const access = node.parent;
  return (
    ts.isPropertyAccessExpression(access) &&
    access.expression === node &&
    ts.isCallExpression(access.parent) &&
    access.parent.expression === access
  );
}

function rootName(expression: ts.Expression): string {
  let at = expression;
  while (ts.isPropertyAccessExpression(at) || ts.isCallExpression(at)) at = at.expression;
  return at.getText();
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
