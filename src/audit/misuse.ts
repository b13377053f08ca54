import { ts } from 'ts-morph';
import { bodyAround, isBody, isFunction, variableOf } from './code/scope.js';
import type { Call } from './flow/graph.js';
import type { Program, Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import { Walk } from './flow/walk.js';
import type { Verdict } from './leaks.js';
import type { Misuse, Severity } from './types.js';

/** A lease that is released, but wrongly, or used where it should not be. */
export interface MisuseFound {
  readonly rule: Misuse;
  readonly severity: Severity;
  /** The place of an earlier release, if the finding is about one. */
  readonly released: ts.Node | null;
  readonly at: ts.Node;
  /** The consequence. */
  readonly does: string;
}

/** The misuses of the leases of one site: at most one finding of each rule. */
export function misuses(site: Site, verdict: Verdict, program: Program): MisuseFound[] {
  // If a function has too many paths to follow its leases closely, errors are enough.
  if (verdict.isCoarse) return [];
  const found = [...deadRelease(site), ...notOwned(site), ...outlivesRelease(site)];
  if (verdict.hasReleased) found.push(...afterRelease(site, program));
  return [...new Map(found.reverse().map((one) => [one.rule, one])).values()].reverse();
}

/** Says something of a lease, or lets go of it, and does no work. */
const HARMLESS =
  /^(is|has|get)([A-Z]|$)|^(on|off|once|emit|add\w*Listener|remove\w*|listener\w*|unref|ref|toString|inspect|cancel)$/;
const REOPENS = /^(re)?(connect|open|init\w*|start)$/i;

/** Second releases, and uses after the release. */
function afterRelease(site: Site, program: Program): MisuseFound[] {
  const { twice, usedAfter, methods, takes } = site.spec.release;
  const name = variableNameOf(site.node);
  if ((twice === undefined && usedAfter === undefined) || !isMentionedOften(site, name)) return [];
  if (name !== null && isReleasedLast(site, name)) return [];
  const walk = new Walk(program, site, { remembers: true });
  walk.run(unitOf(site.node));
  if (walk.isExhausted) return [];
  const calls = [...walk.calls.values()].sort((a, b) => a.call.node.pos - b.call.node.pos);
  if (
    calls.some(
      ({ call }) => REOPENS.test(call.name) && call.node.pos > site.node.end && hasRelease(calls, call),
    )
  )
    return [];
  return calls.flatMap(({ call, after }): MisuseFound[] => {
    const released = [...after].find((one) => one !== null && one !== call.node) ?? null;
    if (released === null || isGuarded(call.node, name)) return [];
    const isAlways = !after.has(null);
    const at = call.node;
    if (methods.includes(call.name) || takes.includes(call.name) || isRelease(call, name)) {
      const isHarmful = twice?.methods.includes(call.name) === true || isRelease(call, name);
      if (twice === undefined || !isHarmful || !isCallOf(released, twice.methods, name)) return [];
      const isCertain = site.confidence === 'high' && (isAlways || isFirstOfFinally(at));
      return [
        { rule: 'released-twice', severity: isCertain ? 'error' : 'note', released, at, does: twice.does },
      ];
    }
    if (usedAfter === undefined || HARMLESS.test(call.name)) return [];
    const severity = isAlways && site.confidence === 'high' ? 'error' : 'note';
    return [{ rule: 'used-after-release', severity, released, at, does: usedAfter }];
  });
}

/** One that is opened anew after its release is not the same lease any more. */
function hasRelease(
  calls: readonly { readonly call: Call; readonly after: ReadonlySet<ts.Node | null> }[],
  call: Call,
) {
  return calls.some((one) => one.call === call && [...one.after].some((released) => released !== null));
}

/** `done()` of a callback: a plain function that releases. */
function isRelease({ receiver }: Call, name: string | null): boolean {
  return receiver === null && name === null;
}

function isCallOf(node: ts.Node, methods: readonly string[], name: string | null): boolean {
  if (!ts.isCallExpression(node)) return false;
  const callee = node.expression;
  if (ts.isPropertyAccessExpression(callee)) return methods.includes(callee.name.text);
  return name === null && ts.isIdentifier(callee);
}

/** Without a third mention there is nothing after the release; most leases are done with here. */
function isMentionedOften({ node }: Site, name: string | null): boolean {
  if (name === null) return true;
  return (
    (
      unitOf(node)
        .getText()
        .match(new RegExp(`(?<![\\w$])${name.replace(/\$/g, '\\$')}(?![\\w$])`, 'g')) ?? []
    ).length > 2
  );
}

/** Whether nothing mentions the lease behind its first release, and no loop comes back: no need to follow it again. */
function isReleasedLast({ node, spec: { release } }: Site, name: string): boolean {
  const text = unitOf(node).getText();
  if (/\b(for|while|do)\b/.test(text)) return false;
  const word = `(?<![\\w$])${name.replace(/\$/g, '\\$')}(?![\\w$])`;
  // A call that received the lease may have released it before.
  if (new RegExp(`[(,]\\s*${word}\\s*[,)]`).test(text)) return false;
  const methods = release.methods.join('|');
  const first = new RegExp(`${word}\\s*[?!]?\\.\\s*(?:${methods})\\b`).exec(text);
  return first !== null && !new RegExp(word).test(text.slice(first.index + first[0].length));
}

/** Stands under a condition that asks the lease itself: `if (!transaction.finished) await transaction.rollback()`. */
function isGuarded(node: ts.Node, name: string | null): boolean {
  for (let [at, child] = [node.parent, node]; at !== undefined && !isBody(at); child = at, at = at.parent) {
    const condition = conditionOf(at);
    if (condition === null || condition === child) continue;
    if (name === null || asksMore(condition, name)) return true;
  }
  return false;
}

/** Whether a condition asks more of a variable than whether there is anything in it. */
function asksMore(condition: ts.Expression, name: string): boolean {
  const text = condition.getText();
  const isPlain = text.replace(/^!*\(?|\)?$|\s*!==?\s*(null|undefined)$/g, '') === name;
  return text.includes(name) && !isPlain;
}

function conditionOf(node: ts.Node): ts.Expression | null {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node)) return node.expression;
  if (ts.isConditionalExpression(node)) return node.condition;
  return ts.isBinaryExpression(node) && isShortCircuit(node) ? node.left : null;
}

function isShortCircuit({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}

/** A statement of a finally block that every path through it reaches. */
function isFirstOfFinally(node: ts.Node): boolean {
  let at = node;
  while (!ts.isStatement(at)) at = at.parent;
  const block = at.parent;
  return (
    ts.isExpressionStatement(at) &&
    !at.getText().includes('?.') &&
    ts.isBlock(block) &&
    block.statements[0] === at &&
    ts.isTryStatement(block.parent) &&
    block.parent.finallyBlock === block
  );
}

/** `client.release;`, and `.finally(() => client.release)`: named, but not called. */
function deadRelease(site: Site): MisuseFound[] {
  const name = variableNameOf(site.node);
  if (name === null) return [];
  const { methods } = site.spec.release;
  const found: MisuseFound[] = [];
  const visit = (node: ts.Node): void => {
    const named = deadExpression(node);
    if (named !== null && methods.includes(named.name.text) && isVariable(named.expression, name, site)) {
      const does = 'without () nothing is called';
      found.push({ rule: 'dead-release', severity: 'error', released: null, at: named, does });
    }
    ts.forEachChild(node, visit);
  };
  visit(unitOf(site.node));
  return found;
}

function deadExpression(node: ts.Node): ts.PropertyAccessExpression | null {
  const value = ts.isExpressionStatement(node)
    ? node.expression
    : ts.isArrowFunction(node) && isFinallyHandler(node) && ts.isExpression(node.body)
      ? node.body
      : null;
  if (value === null) return null;
  const named = ts.isAwaitExpression(value) ? value.expression : value;
  return ts.isPropertyAccessExpression(named) ? named : null;
}

function isFinallyHandler({ parent }: ts.ArrowFunction): boolean {
  if (!ts.isCallExpression(parent)) return false;
  return ts.isPropertyAccessExpression(parent.expression) && parent.expression.name.text === 'finally';
}

/** `return work(client)` without await, where a finally releases: the work goes on with a lease that is gone. */
function outlivesRelease(site: Site): MisuseFound[] {
  const name = variableNameOf(site.node);
  const { usedAfter, methods } = site.spec.release;
  if (name === null || usedAfter === undefined || site.spec.isSync === true) return [];
  const found: MisuseFound[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isReturnStatement(node) && node.expression !== undefined && isAsyncBody(bodyAround(node))) {
      const released = ts.isCallExpression(node.expression) && isHanded(node.expression, name, site, methods);
      const at = released ? releaseAfter(node, name, site) : null;
      if (at !== null) {
        const does = `it is released before what is returned is done, for want of an await; ${usedAfter}`;
        found.push({ rule: 'used-after-release', severity: 'note', released: at, at: node, does });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(unitOf(site.node));
  return found;
}

function isAsyncBody(body: ts.Node): boolean {
  return (
    isFunction(body) && (ts.getCombinedModifierFlags(body as ts.Declaration) & ts.ModifierFlags.Async) !== 0
  );
}

/** Whether a call is one of the lease, or has it as an argument. */
function isHanded(
  { expression: callee, arguments: given }: ts.CallExpression,
  name: string,
  site: Site,
  methods: readonly string[],
): boolean {
  if (given.some((one) => isVariable(one, name, site)))
    return (
      ts.isIdentifier(callee) &&
      !/^[A-Z]|^(map|pick|to|parse|format|build|wrap|get|is|has)[A-Z]?/.test(callee.text)
    );
  if (!ts.isPropertyAccessExpression(callee) || !isVariable(callee.expression, name, site)) return false;
  return !methods.includes(callee.name.text) && !HARMLESS.test(callee.name.text);
}

/** The release in a finally block that a return statement leads to. */
function releaseAfter(node: ts.Node, name: string, site: Site): ts.Node | null {
  for (let [at, child] = [node.parent, node]; at !== undefined && !isBody(at); child = at, at = at.parent) {
    if (!ts.isTryStatement(at) || at.finallyBlock === undefined || at.finallyBlock === child) continue;
    for (const statement of at.finallyBlock.statements) {
      if (!ts.isExpressionStatement(statement)) continue;
      const call = ts.isAwaitExpression(statement.expression)
        ? statement.expression.expression
        : statement.expression;
      if (!ts.isCallExpression(call) || !ts.isPropertyAccessExpression(call.expression)) continue;
      const { name: method, expression } = call.expression;
      if (site.spec.release.methods.includes(method.text) && isVariable(expression, name, site)) return call;
    }
  }
  return null;
}

/** `const client = given ?? (await pool.connect())`, and then a release no matter who owns it. */
function notOwned(site: Site): MisuseFound[] {
  const declaration = declarationOf(site.node);
  const given =
    declaration?.initializer === undefined ? null : alternative(declaration.initializer, site.node);
  const name = variableNameOf(site.node);
  if (given === null || name === null) return [];
  const body = bodyAround(site.node);
  const found: MisuseFound[] = [];
  const visit = (node: ts.Node): void => {
    if (isFunction(node)) return;
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name: method, expression } = node.expression;
      const isRelease = site.spec.release.methods.includes(method.text) && isVariable(expression, name, site);
      if (isRelease && !isConditional(node)) {
        const does = `${given.getText()} belongs to the caller, who still uses it`;
        found.push({ rule: 'released-not-owned', severity: 'note', released: null, at: node, does });
      }
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return hasEarlyExit(body, given) ? [] : found;
}

/** The parameter, or part of one, that stands where the lease is not acquired. */
function alternative(initializer: ts.Expression, acquire: ts.Node): ts.Expression | null {
  const value = ts.isParenthesizedExpression(initializer) ? initializer.expression : initializer;
  const other =
    ts.isBinaryExpression(value) && isShortCircuit(value)
      ? value.left
      : ts.isConditionalExpression(value) &&
          value.whenFalse.end >= acquire.end &&
          value.whenFalse.pos <= acquire.pos
        ? value.whenTrue
        : null;
  if (other === null || (other.pos <= acquire.pos && acquire.end <= other.end)) return null;
  let root: ts.Expression = other;
  while (ts.isPropertyAccessExpression(root)) root = root.expression;
  if (!ts.isIdentifier(root)) return null;
  const declared = variableOf(root)?.declaration;
  return declared !== undefined && isFromParameter(declared) ? other : null;
}

function isFromParameter(declaration: ts.Node): boolean {
  let at = declaration;
  while (ts.isBindingElement(at)) at = at.parent.parent;
  return ts.isParameter(at);
}

function isConditional(node: ts.Node): boolean {
  for (let at = node.parent; at !== undefined && !isBody(at); at = at.parent) {
    if (conditionOf(at) !== null || ts.isSwitchStatement(at) || ts.isCatchClause(at)) return true;
  }
  return false;
}

/** `if (given) return ...` before the release: it is another path. */
function hasEarlyExit(body: ts.Node, given: ts.Expression): boolean {
  const text = given.getText();
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isIfStatement(node) && node.expression.getText().includes(text)) found = true;
    ts.forEachChild(node, visit);
  };
  visit(body);
  return found;
}

function isVariable(expression: ts.Expression, name: string, site: Site): boolean {
  let bare = expression;
  while (ts.isNonNullExpression(bare) || ts.isAsExpression(bare) || ts.isParenthesizedExpression(bare)) {
    bare = bare.expression;
  }
  if (!ts.isIdentifier(bare) || bare.text !== name) return false;
  const declared = declarationOf(site.node);
  return declared === null || variableOf(bare)?.declaration === declared;
}

/** The declaration that an acquire call is in: `const client = await pool.connect()`. */
function declarationOf(node: ts.Node): ts.VariableDeclaration | null {
  let at = node.parent;
  while (isTransparent(at)) at = at.parent;
  return ts.isVariableDeclaration(at) && ts.isIdentifier(at.name) ? at : null;
}

function variableNameOf(node: ts.Node): string | null {
  const declaration = declarationOf(node);
  if (declaration !== null) return declaration.name.getText();
  let at = node.parent;
  while (isTransparent(at) && !isAssignment(at)) at = at.parent;
  return isAssignment(at) && ts.isIdentifier(at.left) ? at.left.text : null;
}

function isTransparent(node: ts.Node): boolean {
  return (
    ts.isAwaitExpression(node) ||
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isConditionalExpression(node) ||
    (ts.isBinaryExpression(node) && isShortCircuit(node))
  );
}

function isAssignment(node: ts.Node): node is ts.BinaryExpression {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken;
}
