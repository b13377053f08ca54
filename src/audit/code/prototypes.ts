import { ts } from 'ts-morph';
import { isFunction, variableOf } from './scope.js';

/** A function that makes objects by `new`, and whose methods are assigned to its prototype. */
export type Maker = ts.FunctionDeclaration | ts.FunctionExpression;

interface Prototype {
  /** `X.prototype.close = function () { ... }`, by name. */
  readonly methods: ReadonlyMap<string, ts.Expression>;
  /** `this.pool = pool` in the function itself and in its methods: the first value of each. */
  readonly fields: ReadonlyMap<string, ts.Expression>;
}

const known = new WeakMap<ts.SourceFile, ReadonlyMap<Maker, Prototype>>();

/** The members of the objects of a function; null if its file assigns nothing to its prototype. */
export function prototypeOf(maker: ts.Node): Prototype | null {
  if (!ts.isFunctionDeclaration(maker) && !ts.isFunctionExpression(maker)) return null;
  const file = maker.getSourceFile();
  if (!file.text.includes('.prototype')) return null;
  return prototypesIn(file).get(maker) ?? null;
}

/** The function whose objects `this` is one of at a place: that of a method on its prototype. */
export function makerAround(node: ts.Node): Maker | null {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (!isFunction(at) || ts.isArrowFunction(at)) continue;
    const assigned = assignmentOf(at);
    if (assigned !== null) return makerNamed(assigned.owner);
    return prototypeOf(at) === null ? null : (at as Maker);
  }
  return null;
}

function prototypesIn(file: ts.SourceFile): ReadonlyMap<Maker, Prototype> {
  const found = known.get(file);
  if (found !== undefined) return found;
  const made = new Map<Maker, { methods: Map<string, ts.Expression>; fields: Map<string, ts.Expression> }>();
  known.set(file, made);
  const visit = (node: ts.Node): void => {
    const assigned = isFunction(node) ? assignmentOf(node) : null;
    const maker = assigned === null ? null : makerNamed(assigned.owner);
    if (assigned !== null && maker !== null) {
      const prototype = made.get(maker) ?? { methods: new Map(), fields: fieldsIn(maker, new Map()) };
      made.set(maker, prototype);
      if (!prototype.methods.has(assigned.name)) prototype.methods.set(assigned.name, node as ts.Expression);
      fieldsIn(node, prototype.fields);
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(file, visit);
  return made;
}

/** `X` and `close` of `X.prototype.close = function () {}` and of `X.prototype = { close() {} }`. */
function assignmentOf(method: ts.Node): { readonly owner: ts.Identifier; readonly name: string } | null {
  const { parent } = method;
  if (ts.isBinaryExpression(parent) && ts.isPropertyAccessExpression(parent.left)) {
    const owner = ownerOf(parent.left.expression);
    return owner === null ? null : { owner, name: parent.left.name.text };
  }
  const object = ts.isPropertyAssignment(parent) ? parent.parent : parent;
  const named = ts.isPropertyAssignment(parent) ? parent.name : (method as ts.NamedDeclaration).name;
  if (!ts.isObjectLiteralExpression(object) || named === undefined || !ts.isIdentifier(named)) return null;
  const assignment = object.parent;
  const owner = ts.isBinaryExpression(assignment) ? ownerOf(assignment.left) : null;
  return owner === null ? null : { owner, name: named.text };
}

/** `X` of `X.prototype`. */
function ownerOf(prototype: ts.Expression): ts.Identifier | null {
  const isPrototype = ts.isPropertyAccessExpression(prototype) && prototype.name.text === 'prototype';
  return isPrototype && ts.isIdentifier(prototype.expression) ? prototype.expression : null;
}

function makerNamed(name: ts.Identifier): Maker | null {
  const declaration = variableOf(name)?.declaration;
  if (declaration === undefined) return null;
  const value = ts.isVariableDeclaration(declaration) ? declaration.initializer : declaration;
  return value !== undefined && (ts.isFunctionDeclaration(value) || ts.isFunctionExpression(value))
    ? value
    : null;
}

function fieldsIn(body: ts.Node, found: Map<string, ts.Expression>): Map<string, ts.Expression> {
  const visit = (node: ts.Node): void => {
    if (isFunction(node) && !ts.isArrowFunction(node)) return;
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
      const { left, right } = node;
      const isField =
        ts.isPropertyAccessExpression(left) && left.expression.kind === ts.SyntaxKind.ThisKeyword;
      if (isField && !found.has(left.name.text)) found.set(left.name.text, right);
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return found;
}
