import { ts } from 'ts-morph';
import { isFunction, type Variable } from './scope.js';

// Questions about the syntax of one node, which need no other file.

/** The expression without what does not change its value. */
export function bare(expression: ts.Expression): ts.Expression {
  let inner = expression;
  for (;;) {
    if (
      ts.isParenthesizedExpression(inner) ||
      ts.isNonNullExpression(inner) ||
      ts.isAwaitExpression(inner) ||
      ts.isSatisfiesExpression(inner) ||
      ts.isTypeAssertionExpression(inner)
    ) {
      inner = inner.expression;
    } else if (ts.isAsExpression(inner) && isConstOrAny(inner.type)) inner = inner.expression;
    else return inner;
  }
}

function isConstOrAny(type: ts.TypeNode): boolean {
  return (
    type.kind === ts.SyntaxKind.AnyKeyword ||
    type.kind === ts.SyntaxKind.UnknownKeyword ||
    (ts.isTypeReferenceNode(type) && type.typeName.getText() === 'const')
  );
}

export function requiredModule(call: ts.CallExpression): string | null {
  const argument = call.arguments[0];
  const isRequire = ts.isIdentifier(call.expression) && call.expression.text === 'require';
  const isImport = call.expression.kind === ts.SyntaxKind.ImportKeyword;
  return (isRequire || isImport) && argument !== undefined && ts.isStringLiteralLike(argument)
    ? argument.text
    : null;
}

export function constructorOf(node: ts.ClassLikeDeclaration): ts.ConstructorDeclaration | null {
  for (const member of node.members) {
    if (ts.isConstructorDeclaration(member) && member.body !== undefined) return member;
  }
  return null;
}

/** The meaning of `this` at a place: the class, or the object literal that has the method. */
export function ownerOfThis(node: ts.Node): ts.ClassLikeDeclaration | ts.ObjectLiteralExpression | null {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isClassLike(at)) return at;
    if (!isFunction(at) || ts.isArrowFunction(at)) continue;
    const { parent } = at;
    if (ts.isObjectLiteralExpression(parent)) return parent;
    if (ts.isPropertyAssignment(parent)) return parent.parent;
    if (!ts.isClassLike(parent)) return null; // a `this` of its own
  }
  return null;
}

/** The class around a place, where `this` is an instance of it. */
export function classAround(node: ts.Node): ts.ClassLikeDeclaration | null {
  const owner = ownerOfThis(node);
  return owner !== null && ts.isClassLike(owner) ? owner : null;
}

const membersOf = new WeakMap<ts.Node, ReadonlyMap<string, ts.Expression>>();

/** `db.begin = async () => ...` of a variable, in the function or file that declares it: the first value of each. */
export function assignedMembers({ name, declaration, owner }: Variable): ReadonlyMap<string, ts.Expression> {
  const known = membersOf.get(declaration);
  if (known !== undefined) return known;
  const found = new Map<string, ts.Expression>();
  membersOf.set(declaration, found);
  const statements = ts.isSourceFile(owner)
    ? owner.statements
    : 'body' in owner && owner.body !== undefined && ts.isBlock(owner.body)
      ? owner.body.statements
      : [];
  for (const statement of statements) {
    const assignment = ts.isExpressionStatement(statement) ? statement.expression : null;
    if (assignment === null || !ts.isBinaryExpression(assignment)) continue;
    const { left, operatorToken, right } = assignment;
    if (operatorToken.kind !== ts.SyntaxKind.EqualsToken || !ts.isPropertyAccessExpression(left)) continue;
    if (!ts.isIdentifier(left.expression) || left.expression.text !== name) continue;
    if (!found.has(left.name.text)) found.set(left.name.text, right);
  }
  return found;
}

/** The values that an expression may have: of `a ? b : c` and of `b ?? c` both, of others none. */
export function alternativesOf(expression: ts.Expression): readonly ts.Expression[] {
  const inner = bare(expression);
  if (ts.isConditionalExpression(inner)) return [inner.whenTrue, inner.whenFalse];
  if (!ts.isBinaryExpression(inner)) return [];
  const { kind } = inner.operatorToken;
  const isEither = kind === ts.SyntaxKind.QuestionQuestionToken || kind === ts.SyntaxKind.BarBarToken;
  return isEither ? [inner.left, inner.right] : [];
}

/** The returned expressions of a function, in the order of its return statements. */
export function resultsOf(node: ts.SignatureDeclaration): readonly ts.Expression[] {
  const body = 'body' in node ? node.body : undefined;
  if (body === undefined) return [];
  if (!ts.isBlock(body)) return [body as ts.Expression];
  const results: ts.Expression[] = [];
  const visit = (child: ts.Node): void => {
    if (isFunction(child) || ts.isClassLike(child)) return;
    if (ts.isReturnStatement(child) && child.expression !== undefined) results.push(child.expression);
    ts.forEachChild(child, visit);
  };
  visit(body);
  return results;
}

/** Whether all that a method does is to throw: a subclass has the one that runs. */
export function isAbstract(node: ts.SignatureDeclaration): boolean {
  const body = 'body' in node ? node.body : undefined;
  if (body === undefined) return true;
  if (!ts.isBlock(body)) return false;
  const last = body.statements.at(-1);
  return last !== undefined && ts.isThrowStatement(last) && body.statements.length <= 2;
}

const fieldsOf = new WeakMap<ts.Node, Map<string, ts.Expression>>();

/** `this.pool = new Pool()` anywhere in a class: the first value of each field. */
export function assignedFields(node: ts.ClassLikeDeclaration): Map<string, ts.Expression> {
  const known = fieldsOf.get(node);
  if (known !== undefined) return known;
  const found = new Map<string, ts.Expression>();
  fieldsOf.set(node, found);
  const visit = (child: ts.Node): void => {
    if (ts.isBinaryExpression(child) && isAssignment(child.operatorToken.kind)) {
      const { left, right } = child;
      if (ts.isPropertyAccessExpression(left) && left.expression.kind === ts.SyntaxKind.ThisKeyword) {
        if (!found.has(left.name.text) && !isNothing(right)) found.set(left.name.text, right);
      }
    }
    ts.forEachChild(child, visit);
  };
  ts.forEachChild(node, visit);
  return found;
}

const assignedIn = new WeakMap<ts.Node, Map<string, ts.Expression[]>>();

export function assignmentsIn(body: ts.Node): Map<string, ts.Expression[]> {
  const known = assignedIn.get(body);
  if (known !== undefined) return known;
  const found = new Map<string, ts.Expression[]>();
  assignedIn.set(body, found);
  const visit = (child: ts.Node): void => {
    if (
      ts.isBinaryExpression(child) &&
      isAssignment(child.operatorToken.kind) &&
      ts.isIdentifier(child.left)
    ) {
      if (!isNothing(child.right))
        found.set(child.left.text, [...(found.get(child.left.text) ?? []), child.right]);
    }
    ts.forEachChild(child, visit);
  };
  ts.forEachChild(body, visit);
  return found;
}

function isAssignment(token: ts.SyntaxKind): boolean {
  return (
    token === ts.SyntaxKind.EqualsToken ||
    token === ts.SyntaxKind.QuestionQuestionEqualsToken ||
    token === ts.SyntaxKind.BarBarEqualsToken
  );
}

export function isNothing(value: ts.Expression): boolean {
  return value.kind === ts.SyntaxKind.NullKeyword || (ts.isIdentifier(value) && value.text === 'undefined');
}

export function hasStatic(member: ts.Node): boolean {
  return hasModifier(member, ts.SyntaxKind.StaticKeyword);
}

export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((one) => one.kind === kind) ?? false);
}

/** The declared name of a member or statement, as it is written in an access. */
export function nameOf(node: ts.Node): string | null {
  const name = (node as ts.NamedDeclaration).name;
  if (name === undefined) return null;
  if (ts.isIdentifier(name) || ts.isPrivateIdentifier(name) || ts.isStringLiteralLike(name)) return name.text;
  return null;
}
