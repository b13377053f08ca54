import { ts } from 'ts-morph';
import type { Project, SourceUnit } from './project.js';
import { bodyAround, isFunction, type Variable, variableOf } from './scope.js';

/** What an expression means, as far as it can be told from the source without a type checker. */
export type Entity =
  | { readonly kind: 'function'; readonly node: ts.SignatureDeclaration }
  | { readonly kind: 'class'; readonly node: ts.ClassLikeDeclaration }
  | { readonly kind: 'instance'; readonly node: ts.ClassLikeDeclaration }
  | { readonly kind: 'object'; readonly node: ts.ObjectLiteralExpression }
  /** All exports of a file. */
  | { readonly kind: 'file'; readonly unit: SourceUnit }
  /** A type that is declared in the project but no class. */
  | { readonly kind: 'shape'; readonly node: ts.InterfaceDeclaration | ts.TypeLiteralNode }
  /** `pg#Pool`: an export of a package; `pg#` is the package itself. */
  | { readonly kind: 'package'; readonly path: string }
  /** `pg#Pool`: an instance of it; `mysql2#createPool()`: what a function of it returned. */
  | { readonly kind: 'thing'; readonly path: string };

const DEPTH = 12;

/** Answers what expressions mean, across files; every answer is kept. */
export class Entities {
  readonly #project: Project;
  readonly #known = new Map<ts.Node, Entity | null>();
  readonly #exports = new Map<SourceUnit, Map<string, ts.Node | Entity>>();

  constructor(project: Project) {
    this.#project = project;
  }

  /** What an expression means; null where that cannot be told. */
  of(expression: ts.Expression, depth = 0): Entity | null {
    const known = this.#known.get(expression);
    if (known !== undefined) return known;
    if (depth > DEPTH) return null;
    this.#known.set(expression, null); // what is defined by itself means nothing
    const found = this.#find(expression, depth + 1);
    this.#known.set(expression, found);
    return found;
  }

  /** The function that a call runs, if it is one of the project. */
  calledBy(call: ts.CallExpression | ts.NewExpression): ts.SignatureDeclaration | null {
    const callee = this.of(call.expression);
    // One that is only declared may do anything.
    if (callee?.kind === 'function') return 'body' in callee.node && callee.node.body ? callee.node : null;
    if (callee?.kind === 'class' && ts.isNewExpression(call)) return constructorOf(callee.node);
    return null;
  }

  #find(expression: ts.Expression, depth: number): Entity | null {
    const inner = bare(expression);
    if (inner !== expression && !ts.isAsExpression(expression)) return this.of(inner, depth);
    if (ts.isAsExpression(expression)) {
      const typed = this.#ofType(expression.type, depth);
      return typed ?? this.of(expression.expression, depth);
    }
    if (ts.isIdentifier(expression)) {
      const variable = variableOf(expression);
      return variable === null ? null : this.#ofVariable(variable, depth);
    }
    if (expression.kind === ts.SyntaxKind.ThisKeyword) {
      const owner = classAround(expression);
      return owner === null ? null : { kind: 'instance', node: owner };
    }
    if (expression.kind === ts.SyntaxKind.SuperKeyword) {
      const owner = classAround(expression);
      const base = owner === null ? null : this.#baseOf(owner, depth);
      return base === null ? null : { kind: 'instance', node: base };
    }
    if (ts.isPropertyAccessExpression(expression)) {
      return this.#member(this.of(expression.expression, depth), expression.name.text, depth);
    }
    if (ts.isNewExpression(expression)) return instanceOf(this.of(expression.expression, depth));
    if (ts.isCallExpression(expression)) return this.#ofCall(expression, depth);
    if (isFunction(expression)) return { kind: 'function', node: expression };
    if (ts.isClassExpression(expression)) return { kind: 'class', node: expression };
    if (ts.isObjectLiteralExpression(expression)) return { kind: 'object', node: expression };
    if (ts.isBinaryExpression(expression)) return this.#ofBinary(expression, depth);
    if (ts.isConditionalExpression(expression)) {
      return this.of(expression.whenTrue, depth) ?? this.of(expression.whenFalse, depth);
    }
    return null;
  }

  #ofBinary({ left, operatorToken, right }: ts.BinaryExpression, depth: number): Entity | null {
    switch (operatorToken.kind) {
      case ts.SyntaxKind.BarBarToken:
      case ts.SyntaxKind.QuestionQuestionToken:
        return this.of(left, depth) ?? this.of(right, depth);
      case ts.SyntaxKind.EqualsToken:
      case ts.SyntaxKind.AmpersandAmpersandToken:
      case ts.SyntaxKind.CommaToken:
        return this.of(right, depth);
      default:
        return null;
    }
  }

  #ofCall(call: ts.CallExpression, depth: number): Entity | null {
    const required = requiredModule(call);
    if (required !== null) return this.#module(call, required);
    const callee = this.of(call.expression, depth);
    if (callee?.kind === 'package') return { kind: 'thing', path: `${callee.path}()` };
    if (callee?.kind === 'thing') {
      return { kind: 'thing', path: callee.path.endsWith('()') ? callee.path : `${callee.path}()` };
    }
    if (callee?.kind !== 'function') return null;
    if (callee.node.type !== undefined) return this.#ofType(callee.node.type, depth);
    const result = onlyResult(callee.node);
    return result === null ? null : this.of(result, depth);
  }

  #ofVariable({ declaration }: Variable, depth: number): Entity | null {
    if (isFunction(declaration)) return { kind: 'function', node: declaration };
    if (ts.isClassLike(declaration)) return { kind: 'class', node: declaration };
    if (ts.isInterfaceDeclaration(declaration)) return { kind: 'shape', node: declaration };
    if (ts.isTypeAliasDeclaration(declaration)) return this.#ofType(declaration.type, depth);
    if (ts.isVariableDeclaration(declaration) || ts.isParameter(declaration)) {
      const typed = declaration.type === undefined ? null : this.#ofType(declaration.type, depth);
      if (typed !== null) return typed;
      if (declaration.initializer !== undefined) return this.of(declaration.initializer, depth);
      return this.#assigned(declaration, depth);
    }
    if (ts.isBindingElement(declaration)) return this.#ofBinding(declaration, depth);
    if (ts.isImportClause(declaration)) return this.#imported(declaration.parent, 'default', depth);
    if (ts.isNamespaceImport(declaration)) return this.#imported(declaration.parent.parent, null, depth);
    if (ts.isImportSpecifier(declaration)) {
      const name = (declaration.propertyName ?? declaration.name).text;
      return this.#imported(declaration.parent.parent.parent, name, depth);
    }
    if (ts.isImportEqualsDeclaration(declaration)) {
      const reference = declaration.moduleReference;
      if (ts.isExternalModuleReference(reference) && ts.isStringLiteralLike(reference.expression)) {
        return this.#module(declaration, reference.expression.text);
      }
    }
    return null;
  }

  /** `let pool;` that gets its value in one place further down: `pool = new Pool()`. */
  #assigned(declaration: ts.VariableDeclaration | ts.ParameterDeclaration, depth: number): Entity | null {
    if (!ts.isVariableDeclaration(declaration) || !ts.isIdentifier(declaration.name)) return null;
    const name = declaration.name.text;
    const values = assignmentsIn(bodyAround(declaration)).get(name) ?? [];
    for (const value of values) {
      const found = this.of(value, depth);
      if (found !== null) return found;
    }
    return null;
  }

  #ofBinding(element: ts.BindingElement, depth: number): Entity | null {
    const name = element.propertyName ?? element.name;
    if (!ts.isIdentifier(name) || !ts.isObjectBindingPattern(element.parent)) return null;
    const declared = element.parent.parent;
    if (ts.isBindingElement(declared)) return null;
    const source =
      declared.type === undefined
        ? declared.initializer === undefined
          ? null
          : this.of(declared.initializer, depth)
        : this.#ofType(declared.type, depth);
    return this.#member(source, name.text, depth);
  }

  #imported(
    declaration: ts.ImportDeclaration | ts.JSDocImportTag,
    name: string | null,
    depth: number,
  ): Entity | null {
    if (!ts.isStringLiteral(declaration.moduleSpecifier)) return null;
    const module = this.#module(declaration, declaration.moduleSpecifier.text);
    if (name === null) return module;
    // A package's default export is mostly the package itself: `import pg from 'pg'`.
    if (module.kind === 'package' && name === 'default') return module;
    return this.#member(module, name, depth);
  }

  #module(from: ts.Node, specifier: string): Entity {
    const unit = this.#project.imported(this.#project.unitOf(from), specifier);
    if (unit !== null) return { kind: 'file', unit };
    return { kind: 'package', path: `${specifier.replace(/^node:/, '')}#` };
  }

  #member(of: Entity | null, name: string, depth: number): Entity | null {
    if (of === null || depth > DEPTH) return null;
    switch (of.kind) {
      case 'package':
      case 'thing':
        if (of.path.endsWith('#')) return { kind: 'package', path: of.path + name };
        return name === 'default' ? of : { kind: of.kind, path: `${of.path}.${name}` };
      case 'file':
        return this.#exported(of.unit, name, depth);
      case 'class':
      case 'instance':
        return this.#ofClassMember(of.node, name, of.kind === 'class', depth);
      case 'object':
        return this.#ofObjectMember(of.node, name, depth);
      case 'shape':
        for (const member of of.node.members) {
          if (ts.isPropertySignature(member) && nameOf(member) === name && member.type !== undefined) {
            return this.#ofType(member.type, depth);
          }
        }
        return null;
      case 'function':
        return null;
    }
  }

  #ofObjectMember(object: ts.ObjectLiteralExpression, name: string, depth: number): Entity | null {
    for (const member of object.properties) {
      if (nameOf(member) !== name) continue;
      if (ts.isPropertyAssignment(member)) return this.of(member.initializer, depth);
      if (ts.isShorthandPropertyAssignment(member)) return this.of(member.name, depth);
      if (isFunction(member)) return { kind: 'function', node: member };
    }
    return null;
  }

  #ofClassMember(
    node: ts.ClassLikeDeclaration,
    name: string,
    isStatic: boolean,
    depth: number,
  ): Entity | null {
    for (const member of node.members) {
      if (nameOf(member) !== name || isStatic !== hasStatic(member)) continue;
      if (ts.isMethodDeclaration(member)) {
        if (member.body !== undefined) return { kind: 'function', node: member };
      } else if (ts.isGetAccessor(member)) {
        if (member.type !== undefined) return this.#ofType(member.type, depth);
        const result = onlyResult(member);
        return result === null ? null : this.of(result, depth);
      } else if (ts.isPropertyDeclaration(member)) return this.#ofProperty(node, member, name, depth);
    }
    if (!isStatic) {
      for (const parameter of constructorOf(node)?.parameters ?? []) {
        const isProperty = ts.isParameterPropertyDeclaration(parameter, parameter.parent);
        if (isProperty && nameOf(parameter) === name && parameter.type !== undefined) {
          return this.#ofType(parameter.type, depth);
        }
      }
      const assigned = assignedFields(node).get(name);
      if (assigned !== undefined) return this.of(assigned, depth);
    }
    const base = this.#baseOf(node, depth);
    return base === null ? null : this.#ofClassMember(base, name, isStatic, depth + 1);
  }

  #ofProperty(
    node: ts.ClassLikeDeclaration,
    property: ts.PropertyDeclaration,
    name: string,
    depth: number,
  ): Entity | null {
    const typed = property.type === undefined ? null : this.#ofType(property.type, depth);
    if (typed !== null) return typed;
    const value = property.initializer ?? assignedFields(node).get(name);
    return value === undefined ? null : this.of(value, depth);
  }

  #baseOf(node: ts.ClassLikeDeclaration, depth: number): ts.ClassLikeDeclaration | null {
    const clause = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword);
    const base = clause?.types[0]?.expression;
    const found = base === undefined ? null : this.of(base, depth);
    return found?.kind === 'class' ? found.node : null;
  }

  #ofType(type: ts.TypeNode, depth: number): Entity | null {
    if (depth > DEPTH) return null;
    if (ts.isUnionTypeNode(type)) {
      for (const one of type.types) {
        const found = this.#ofType(one, depth + 1);
        if (found !== null) return found;
      }
      return null;
    }
    if (ts.isParenthesizedTypeNode(type)) return this.#ofType(type.type, depth);
    if (ts.isTypeLiteralNode(type)) return { kind: 'shape', node: type };
    if (ts.isTypeQueryNode(type)) return this.#ofName(type.exprName, depth);
    if (!ts.isTypeReferenceNode(type)) return null;
    const name = type.typeName;
    const argument = type.typeArguments?.[0];
    if (ts.isIdentifier(name) && argument !== undefined) {
      if (
        ['Promise', 'Readonly', 'Required', 'Partial', 'NonNullable', 'Awaited', 'PromiseLike'].includes(
          name.text,
        )
      ) {
        return this.#ofType(argument, depth + 1);
      }
      if (['InstanceType', 'ReturnType'].includes(name.text)) return this.#ofType(argument, depth + 1);
    }
    return instanceOf(this.#ofName(name, depth));
  }

  #ofName(name: ts.EntityName, depth: number): Entity | null {
    if (ts.isIdentifier(name)) {
      const variable = variableOf(name);
      return variable === null ? null : this.#ofVariable(variable, depth + 1);
    }
    return this.#member(this.#ofName(name.left, depth + 1), name.right.text, depth + 1);
  }

  #exported(unit: SourceUnit, name: string, depth: number): Entity | null {
    if (depth > DEPTH) return null;
    const exports = this.#exportsOf(unit);
    const found = exports.get(name) ?? (name === 'default' ? exports.get('=') : undefined);
    if (found !== undefined) return this.#ofExport(found, depth);
    const whole = exports.get('=');
    if (whole !== undefined) return this.#member(this.#ofExport(whole, depth), name, depth + 1);
    for (const [key, from] of exports) {
      if (!key.startsWith('*') || !('kind' in from) || !isEntity(from)) continue;
      const passed = this.#member(from, name, depth + 1);
      if (passed !== null) return passed;
    }
    return null;
  }

  #ofExport(found: ts.Node | Entity, depth: number): Entity | null {
    if (isEntity(found)) return found;
    if (ts.isExportSpecifier(found)) {
      const declaration = found.parent.parent;
      const wanted = found.propertyName ?? found.name;
      const specifier = declaration.moduleSpecifier;
      if (specifier !== undefined && ts.isStringLiteral(specifier)) {
        const module = this.#module(declaration, specifier.text);
        if (module.kind === 'package' && wanted.text === 'default') return module;
        return this.#member(module, wanted.text, depth + 1);
      }
      return ts.isIdentifier(wanted) ? this.of(wanted, depth + 1) : null;
    }
    if (isFunction(found)) return { kind: 'function', node: found };
    if (ts.isClassLike(found)) return { kind: 'class', node: found };
    if (ts.isVariableDeclaration(found) && ts.isIdentifier(found.name)) return this.of(found.name, depth + 1);
    if (ts.isBindingElement(found) && ts.isIdentifier(found.name)) return this.of(found.name, depth + 1);
    if (ts.isInterfaceDeclaration(found)) return { kind: 'shape', node: found };
    if (ts.isTypeAliasDeclaration(found)) return this.#ofType(found.type, depth + 1);
    return ts.isExpression(found) ? this.of(found, depth + 1) : null;
  }

  #exportsOf(unit: SourceUnit): Map<string, ts.Node | Entity> {
    const known = this.#exports.get(unit);
    if (known !== undefined) return known;
    const found = new Map<string, ts.Node | Entity>();
    this.#exports.set(unit, found);
    for (const statement of this.#project.astOf(unit).statements) this.#collectExports(statement, found);
    return found;
  }

  #collectExports(statement: ts.Statement, into: Map<string, ts.Node | Entity>): void {
    if (ts.isExportAssignment(statement)) {
      into.set(statement.isExportEquals === true ? '=' : 'default', statement.expression);
    } else if (ts.isExportDeclaration(statement)) {
      const clause = statement.exportClause;
      const specifier = statement.moduleSpecifier;
      if (clause !== undefined && ts.isNamedExports(clause)) {
        for (const one of clause.elements) into.set(one.name.text, one);
      } else if (specifier !== undefined && ts.isStringLiteral(specifier)) {
        const module = this.#module(statement, specifier.text);
        into.set(clause === undefined ? `*${specifier.text}` : clause.name.text, module);
      }
    } else if (ts.isExpressionStatement(statement)) {
      collectCommonJs(statement.expression, into);
    } else if (hasModifier(statement, ts.SyntaxKind.ExportKeyword)) {
      const isDefault = hasModifier(statement, ts.SyntaxKind.DefaultKeyword);
      if (ts.isVariableStatement(statement)) {
        for (const one of statement.declarationList.declarations) collectNames(one.name, one, into);
      } else if (isDefault) into.set('default', statement);
      else {
        const name = nameOf(statement);
        if (name !== null) into.set(name, statement);
      }
    }
  }
}

function collectNames(name: ts.BindingName, declaration: ts.Node, into: Map<string, ts.Node | Entity>): void {
  if (ts.isIdentifier(name)) into.set(name.text, declaration);
  else for (const one of name.elements) if (ts.isBindingElement(one)) collectNames(one.name, one, into);
}

/** `module.exports = x`, `module.exports.a = x`, `exports.a = x`. */
function collectCommonJs(expression: ts.Expression, into: Map<string, ts.Node | Entity>): void {
  if (!ts.isBinaryExpression(expression) || expression.operatorToken.kind !== ts.SyntaxKind.EqualsToken)
    return;
  const target = expression.left.getText();
  if (target === 'module.exports') into.set('=', expression.right);
  else {
    const name = /^(?:module\.)?exports\.(\w+)$/.exec(target)?.[1];
    if (name !== undefined) into.set(name, expression.right);
  }
  // `exports.a = module.exports.b = x`
  collectCommonJs(expression.right, into);
}

function isEntity(value: ts.Node | Entity): value is Entity {
  return typeof value.kind === 'string';
}

function instanceOf(entity: Entity | null): Entity | null {
  if (entity?.kind === 'class') return { kind: 'instance', node: entity.node };
  if (entity?.kind === 'package') return { kind: 'thing', path: entity.path };
  return entity?.kind === 'function' ? null : entity;
}

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

export function classAround(node: ts.Node): ts.ClassLikeDeclaration | null {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (ts.isClassLike(at)) return at;
    if (ts.isFunctionDeclaration(at) || ts.isFunctionExpression(at)) return null; // a `this` of its own
    if (ts.isObjectLiteralExpression(at.parent) && isFunction(at) && !ts.isArrowFunction(at)) return null;
  }
  return null;
}

/** What a function returns, where it says so only once. */
function onlyResult(node: ts.SignatureDeclaration): ts.Expression | null {
  const body = 'body' in node ? node.body : undefined;
  if (body === undefined) return null;
  if (!ts.isBlock(body)) return body as ts.Expression;
  const results: ts.Expression[] = [];
  const visit = (child: ts.Node): void => {
    if (isFunction(child) || ts.isClassLike(child)) return;
    if (ts.isReturnStatement(child) && child.expression !== undefined) results.push(child.expression);
    ts.forEachChild(child, visit);
  };
  visit(body);
  return results.length === 1 ? (results[0] ?? null) : null;
}

const fieldsOf = new WeakMap<ts.Node, Map<string, ts.Expression>>();

/** `this.pool = new Pool()` anywhere in a class: the first value of each field. */
function assignedFields(node: ts.ClassLikeDeclaration): Map<string, ts.Expression> {
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

function assignmentsIn(body: ts.Node): Map<string, ts.Expression[]> {
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

function isNothing(value: ts.Expression): boolean {
  return value.kind === ts.SyntaxKind.NullKeyword || (ts.isIdentifier(value) && value.text === 'undefined');
}

function hasStatic(member: ts.Node): boolean {
  return hasModifier(member, ts.SyntaxKind.StaticKeyword);
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((one) => one.kind === kind) ?? false);
}

/** The declared name of a member or statement, as it is written in an access. */
function nameOf(node: ts.Node): string | null {
  const name = (node as ts.NamedDeclaration).name;
  if (name === undefined) return null;
  if (ts.isIdentifier(name) || ts.isPrivateIdentifier(name) || ts.isStringLiteralLike(name)) return name.text;
  return null;
}
