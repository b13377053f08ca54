import { ts } from 'ts-morph';
import { type Base, Subclasses } from './classes.js';
import { type Exports, exportsOf, isModuleExports } from './exports.js';
import type { Project, SourceUnit } from './project.js';
import { type Maker, makerAround, prototypeOf } from './prototypes.js';
import { bodyAround, isFunction, type Variable, variableOf } from './scope.js';
import { loadedModules } from './specifiers.js';
import {
  alternativesOf,
  assignedFields,
  assignedMembers,
  assignmentsIn,
  bare,
  constructorOf,
  hasStatic,
  isAbstract,
  nameOf,
  ownerOfThis,
  resultsOf,
} from './syntax.js';

/** The meaning of an expression, as far as the source shows it without a type checker. */
export type Entity =
  /** A function of the project that has a body. */
  | { readonly kind: 'function'; readonly node: ts.SignatureDeclaration }
  /** One that is only declared: a method of an interface, an abstract method, `declare function`, a function type. */
  | { readonly kind: 'signature'; readonly node: ts.SignatureDeclaration }
  | { readonly kind: 'class'; readonly node: ts.ClassLikeDeclaration }
  /** An instance of a class; of a union of classes, `others` has the rest. */
  | {
      readonly kind: 'instance';
      readonly node: ts.ClassLikeDeclaration;
      readonly others?: readonly Entity[];
    }
  /** The result of `new X()` for a function with methods on its prototype. */
  | { readonly kind: 'made'; readonly node: Maker }
  | { readonly kind: 'object'; readonly node: ts.ObjectLiteralExpression }
  /** All exports of a file. */
  | { readonly kind: 'file'; readonly unit: SourceUnit }
  /** A type that is declared in the project but no class. */
  | { readonly kind: 'shape'; readonly node: ts.InterfaceDeclaration | ts.TypeLiteralNode }
  /** `pg#Pool`: an export of a package; `pg#` is the package itself. */
  | { readonly kind: 'package'; readonly path: string }
  /** `pg#Pool`: an instance of it; `mysql2#createPool()`: what a function of it returned. */
  | { readonly kind: 'thing'; readonly path: string };

const DEPTH = 16;

/** Answers what expressions mean, across files; every answer is kept. */
export class Entities {
  readonly #project: Project;
  readonly #known = new Map<ts.Node, Entity | null>();
  readonly #exports = new Map<SourceUnit, Exports>();
  readonly #bodies = new Map<ts.Node, readonly ts.SignatureDeclaration[]>();
  readonly subclasses: Subclasses;

  constructor(project: Project) {
    this.#project = project;
    this.subclasses = new Subclasses(project, (name) => this.#asBase(name));
  }

  /** The meaning of an expression; null if the source does not show it. */
  of(expression: ts.Expression, depth = 0): Entity | null {
    const known = this.#known.get(expression);
    if (known !== undefined) return known;
    if (depth > DEPTH) return null;
    this.#known.set(expression, null); // what is defined by itself means nothing
    const found = this.#find(expression, depth + 1);
    this.#known.set(expression, found);
    return found;
  }

  /** The meaning of a type; null if it belongs neither to the project nor to a package. */
  ofType(type: ts.TypeNode): Entity | null {
    return this.#ofType(type, 0);
  }

  /** The result of a call of a function. */
  resultOf(node: ts.SignatureDeclaration): Entity | null {
    return this.#resultOf(node, 0);
  }

  /** The function that a call runs, if it is one of the project and the only one that it can be. */
  calledBy(call: ts.CallExpression | ts.NewExpression): ts.SignatureDeclaration | null {
    const bodies = this.bodiesOf(call);
    return bodies.length === 1 ? (bodies[0] ?? null) : null;
  }

  /** All functions of the project that a call may run: of a method of an interface, each that implements it. */
  bodiesOf(call: ts.CallExpression | ts.NewExpression): readonly ts.SignatureDeclaration[] {
    const known = this.#bodies.get(call);
    if (known !== undefined) return known;
    this.#bodies.set(call, []);
    const found = this.#bodiesOf(call);
    this.#bodies.set(call, found);
    return found;
  }

  /** Whether a call makes an instance of a class of the project that has no constructor, nor do those it extends. */
  isBareConstruction(call: ts.CallExpression | ts.NewExpression): boolean {
    if (!isConstruction(call)) return false;
    const callee = this.#callee(call, 0);
    let at: ts.ClassLikeDeclaration | null = callee?.kind === 'class' ? callee.node : null;
    for (let depth = 0; at !== null && depth < DEPTH; depth++) {
      if (constructorOf(at) !== null) return false;
      const isRoot = !at.heritageClauses?.some(({ token }) => token === ts.SyntaxKind.ExtendsKeyword);
      if (isRoot) return true;
      at = this.#baseOf(at, 0);
    }
    return false;
  }

  /** The member of a class or of those that it extends, that has a body. */
  methodOf(node: ts.ClassLikeDeclaration, name: string): ts.SignatureDeclaration | null {
    const found = this.#ofClassMember(node, name, false, 0);
    return found?.kind === 'function' ? found.node : null;
  }

  /** The class that a class extends. */
  baseOf(node: ts.ClassLikeDeclaration): ts.ClassLikeDeclaration | null {
    return this.#baseOf(node, 0);
  }

  /** The bases of a class, as far as they belong to the project. */
  basesOf({ heritageClauses }: ts.ClassLikeDeclaration): Base[] {
    const names = heritageClauses?.flatMap(({ types }) => types.map(({ expression }) => expression)) ?? [];
    return names.map((name) => this.#asBase(name)).filter((base) => base !== null);
  }

  #bodiesOf(call: ts.CallExpression | ts.NewExpression): readonly ts.SignatureDeclaration[] {
    const callee = this.#callee(call, 0);
    if (callee?.kind === 'class') {
      const made = isConstruction(call) ? this.#constructorOf(callee.node) : null;
      return made === null ? [] : [made];
    }
    if (callee?.kind === 'function' || callee?.kind === 'signature') {
      const { node } = callee;
      // One that is only declared, or only throws, stands for those that subclasses have.
      const [owner, name] = [node.parent, nameOf(node)];
      const isMember = ts.isClassLike(owner) || ts.isInterfaceDeclaration(owner);
      if (isMember && name !== null && isAbstract(node)) {
        const overrides = this.subclasses.overrides(owner, name);
        if (overrides.length > 0) return overrides;
      }
      if (callee.kind === 'function') return [node];
    }
    return this.#implementing(call.expression, callee);
  }

  /** `begin: () => Promise<Transaction>` of an interface, or with a type that has the signature: in its classes. */
  #implementing(called: ts.Expression, callee: Entity | null): readonly ts.SignatureDeclaration[] {
    if (callee?.kind !== 'signature' && callee?.kind !== 'shape') return [];
    if (!ts.isPropertyAccessExpression(called)) return [];
    const receiver = this.of(called.expression);
    return receiver?.kind === 'shape' && ts.isInterfaceDeclaration(receiver.node)
      ? this.subclasses.overrides(receiver.node, called.name.text)
      : [];
  }

  /** The target of a call: for a CommonJS module its export as a whole. */
  #callee(call: ts.CallExpression | ts.NewExpression, depth: number): Entity | null {
    const found = this.of(call.expression, depth);
    return found?.kind === 'file' ? this.#whole(found.unit, depth) : found;
  }

  #constructorOf(node: ts.ClassLikeDeclaration): ts.ConstructorDeclaration | null {
    let at: ts.ClassLikeDeclaration | null = node;
    for (let depth = 0; at !== null && depth < DEPTH; depth++) {
      const found = constructorOf(at);
      if (found !== null) return found;
      at = this.#baseOf(at, 0);
    }
    return null;
  }

  #asBase(name: ts.Expression): Base | null {
    const found = this.of(name);
    if (found?.kind === 'class') return found.node;
    return found?.kind === 'shape' && ts.isInterfaceDeclaration(found.node) ? found.node : null;
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
      if (variable !== null) return this.#ofVariable(variable, depth);
      return isModuleExports(expression) ? { kind: 'file', unit: this.#project.unitOf(expression) } : null;
    }
    if (expression.kind === ts.SyntaxKind.ThisKeyword) {
      const owner = ownerOfThis(expression);
      if (owner === null) {
        const maker = makerAround(expression);
        return maker === null ? null : { kind: 'made', node: maker };
      }
      return ts.isClassLike(owner) ? { kind: 'instance', node: owner } : { kind: 'object', node: owner };
    }
    if (expression.kind === ts.SyntaxKind.SuperKeyword) {
      const owner = ownerOfThis(expression);
      const base = owner === null || !ts.isClassLike(owner) ? null : this.#baseOf(owner, depth);
      if (base === null) return null;
      return ts.isCallExpression(expression.parent)
        ? { kind: 'class', node: base }
        : { kind: 'instance', node: base };
    }
    if (ts.isPropertyAccessExpression(expression)) {
      if (isModuleExports(expression) && variableOf(expression.expression as ts.Identifier) === null)
        return { kind: 'file', unit: this.#project.unitOf(expression) };
      const found = this.#member(this.of(expression.expression, depth), expression.name.text, depth);
      return found ?? this.#memberOfEither(expression, depth);
    }
    if (ts.isElementAccessExpression(expression)) {
      const key = expression.argumentExpression;
      return ts.isStringLiteralLike(key)
        ? this.#member(this.of(expression.expression, depth), key.text, depth)
        : null;
    }
    if (ts.isNewExpression(expression)) {
      const callee = this.#callee(expression, depth);
      return callee?.kind === 'function' && prototypeOf(callee.node) !== null
        ? { kind: 'made', node: callee.node as Maker }
        : instanceOf(callee);
    }
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

  /** `transaction.commit`, where `const transaction = isOpen ? this.db : await this.db.begin()`: of the one that has it. */
  #memberOfEither({ expression, name }: ts.PropertyAccessExpression, depth: number): Entity | null {
    if (depth > DEPTH) return null;
    const declaration = ts.isIdentifier(expression) ? variableOf(expression)?.declaration : undefined;
    const value =
      declaration !== undefined && ts.isVariableDeclaration(declaration)
        ? declaration.initializer
        : undefined;
    for (const one of value === undefined ? [] : alternativesOf(value)) {
      const found = this.#member(this.of(one, depth + 1), name.text, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }

  #ofBinary({ left, operatorToken, right }: ts.BinaryExpression, depth: number): Entity | null {
    switch (operatorToken.kind) {
      case ts.SyntaxKind.BarBarToken:
      case ts.SyntaxKind.QuestionQuestionToken:
      case ts.SyntaxKind.BarBarEqualsToken:
      case ts.SyntaxKind.QuestionQuestionEqualsToken:
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
    const loaded = loadedModules(call);
    if (loaded.length > 0) return this.#loaded(call, loaded);
    if (/^Object\.(freeze|seal|assign)$/.test(call.expression.getText()) && call.arguments[0] !== undefined)
      return this.of(call.arguments[0], depth);
    const callee = this.#callee(call, depth);
    if (callee?.kind === 'package') return { kind: 'thing', path: `${callee.path}()` };
    if (callee?.kind === 'thing') {
      return { kind: 'thing', path: callee.path.endsWith('()') ? callee.path : `${callee.path}()` };
    }
    if (callee?.kind !== 'function' && callee?.kind !== 'signature') return null;
    return this.#resultOf(callee.node, depth);
  }

  #resultOf(node: ts.SignatureDeclaration, depth: number): Entity | null {
    if (depth > DEPTH) return null;
    if (node.type !== undefined) return this.#ofType(node.type, depth);
    for (const result of resultsOf(node)) {
      const found = this.of(result, depth);
      if (found !== null) return found;
    }
    return null;
  }

  /** The first module that there is, of those that a call may load. */
  #loaded(call: ts.CallExpression, specifiers: readonly string[]): Entity | null {
    const from = this.#project.unitOf(call);
    let found: Entity | null = null;
    for (const specifier of specifiers) {
      const module = specifier.includes('*') ? null : this.#module(call, specifier);
      if (module?.kind === 'file') return module;
      const [unit] = specifier.includes('*') ? this.#project.importedByPattern(from, specifier) : [];
      if (unit !== undefined) return { kind: 'file', unit };
      found ??= module;
    }
    return found;
  }

  #ofVariable({ declaration }: Variable, depth: number): Entity | null {
    if (isFunction(declaration)) return ofFunction(declaration);
    if (ts.isClassLike(declaration)) return { kind: 'class', node: declaration };
    if (ts.isInterfaceDeclaration(declaration)) return { kind: 'shape', node: declaration };
    if (ts.isTypeAliasDeclaration(declaration)) return this.#ofType(declaration.type, depth);
    if (ts.isVariableDeclaration(declaration) || ts.isParameter(declaration)) {
      const typed = declaration.type === undefined ? null : this.#ofType(declaration.type, depth);
      // The value says more than an interface of the project, or the type of a function.
      if (typed !== null && typed.kind !== 'shape' && typed.kind !== 'signature') return typed;
      const value =
        declaration.initializer === undefined
          ? this.#assigned(declaration, depth)
          : this.of(declaration.initializer, depth);
      return value ?? typed;
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
    if (depth > DEPTH || !ts.isObjectBindingPattern(element.parent)) return null;
    const name = element.propertyName ?? element.name;
    if (element.dotDotDotToken !== undefined) return null;
    const text = ts.isIdentifier(name) || ts.isStringLiteralLike(name) ? name.text : null;
    if (text === null) return null;
    const found = this.#member(this.#ofBindingSource(element.parent.parent, depth + 1), text, depth);
    return found ?? (element.initializer === undefined ? null : this.of(element.initializer, depth));
  }

  #ofBindingSource(
    declared: ts.VariableDeclaration | ts.ParameterDeclaration | ts.BindingElement,
    depth: number,
  ): Entity | null {
    if (ts.isBindingElement(declared)) return this.#ofBinding(declared, depth);
    const typed = declared.type === undefined ? null : this.#ofType(declared.type, depth);
    if (typed !== null) return typed;
    return declared.initializer === undefined ? null : this.of(declared.initializer, depth);
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
        return this.#ofClassMember(of.node, name, true, depth);
      case 'instance': {
        const found = this.#ofClassMember(of.node, name, false, depth);
        for (const other of found === null ? (of.others ?? []) : []) {
          const elsewhere = this.#member(other, name, depth + 1);
          if (elsewhere !== null) return elsewhere;
        }
        return found;
      }
      case 'made': {
        const prototype = prototypeOf(of.node);
        const value = prototype?.methods.get(name) ?? prototype?.fields.get(name);
        return value === undefined ? null : this.of(value, depth);
      }
      case 'object':
        return this.#ofObjectMember(of.node, name, depth);
      case 'shape':
        return this.#ofShapeMember(of.node, name, depth);
      case 'function':
      case 'signature':
        return null;
    }
  }

  #ofShapeMember(
    shape: ts.InterfaceDeclaration | ts.TypeLiteralNode,
    name: string,
    depth: number,
  ): Entity | null {
    for (const member of shape.members) {
      if (nameOf(member) !== name) continue;
      if (ts.isMethodSignature(member)) return { kind: 'signature', node: member };
      if (ts.isPropertySignature(member) && member.type !== undefined)
        return this.#ofType(member.type, depth);
    }
    for (const base of ts.isInterfaceDeclaration(shape) ? heritageOf(shape) : []) {
      const found = this.#member(instanceOf(this.of(base.expression, depth)), name, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }

  #ofObjectMember(object: ts.ObjectLiteralExpression, name: string, depth: number): Entity | null {
    for (const member of object.properties) {
      if (ts.isSpreadAssignment(member)) {
        // `module.exports = { ...require('./a'), ...require('./b') }`
        const spread = this.of(member.expression, depth);
        const found = spread?.kind === 'package' ? null : this.#member(spread, name, depth + 1);
        if (found !== null) return found;
      }
      if (nameOf(member) !== name) continue;
      if (ts.isPropertyAssignment(member)) return this.of(member.initializer, depth);
      if (ts.isShorthandPropertyAssignment(member)) return this.of(member.name, depth);
      if (ts.isGetAccessor(member)) return this.#resultOf(member, depth);
      if (isFunction(member)) return { kind: 'function', node: member };
    }
    // `const db = {}; db.begin = async () => ...`
    const variable = variableWith(object);
    const value = variable === null ? undefined : assignedMembers(variable).get(name);
    return value === undefined ? null : this.of(value, depth);
  }

  #ofClassMember(
    node: ts.ClassLikeDeclaration,
    name: string,
    isStatic: boolean,
    depth: number,
  ): Entity | null {
    if (depth > DEPTH) return null;
    let declared: Entity | null = null;
    for (const member of node.members) {
      if (nameOf(member) !== name || isStatic !== hasStatic(member)) continue;
      if (ts.isMethodDeclaration(member)) {
        if (member.body !== undefined) return { kind: 'function', node: member };
        declared ??= { kind: 'signature', node: member };
      } else if (ts.isGetAccessor(member)) return this.#resultOf(member, depth);
      else if (ts.isPropertyDeclaration(member)) return this.#ofProperty(node, member, name, depth);
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
    return (base === null ? null : this.#ofClassMember(base, name, isStatic, depth + 1)) ?? declared;
  }

  #ofProperty(
    node: ts.ClassLikeDeclaration,
    property: ts.PropertyDeclaration,
    name: string,
    depth: number,
  ): Entity | null {
    const typed = property.type === undefined ? null : this.#ofType(property.type, depth);
    if (typed !== null && typed.kind !== 'shape' && typed.kind !== 'signature') return typed;
    const value = property.initializer ?? assignedFields(node).get(name);
    return (value === undefined ? null : this.of(value, depth)) ?? typed;
  }

  #baseOf(node: ts.ClassLikeDeclaration, depth: number): ts.ClassLikeDeclaration | null {
    const clause = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword);
    const base = clause?.types[0]?.expression;
    const found = base === undefined ? null : this.of(base, depth);
    return found?.kind === 'class' && found.node !== node ? found.node : null;
  }

  #ofType(type: ts.TypeNode, depth: number): Entity | null {
    if (depth > DEPTH) return null;
    if (ts.isUnionTypeNode(type) || ts.isIntersectionTypeNode(type)) {
      const found = type.types.map((one) => this.#ofType(one, depth + 1)).filter((one) => one !== null);
      // `PoolClient & { open: boolean }` is first of all a client.
      const [first] = found.filter(({ kind }) => kind !== 'shape');
      const others = found.filter((one) => one !== first);
      if (first?.kind === 'instance' && others.length > 0) return { ...first, others };
      return first ?? found[0] ?? null;
    }
    if (ts.isParenthesizedTypeNode(type)) return this.#ofType(type.type, depth);
    if (ts.isTypeLiteralNode(type)) return { kind: 'shape', node: type };
    if (ts.isFunctionTypeNode(type)) return { kind: 'signature', node: type };
    if (ts.isTypeQueryNode(type)) return this.#ofName(type.exprName, depth);
    if (ts.isImportTypeNode(type)) return this.#ofImportType(type, depth);
    if (!ts.isTypeReferenceNode(type)) return null;
    const name = type.typeName;
    const argument = type.typeArguments?.[0];
    if (ts.isIdentifier(name) && argument !== undefined) {
      if (SAME_TYPE.has(name.text)) return this.#ofType(argument, depth + 1);
      if (name.text === 'InstanceType') return instanceOf(this.#ofType(argument, depth + 1));
      if (name.text === 'ReturnType') {
        const called = this.#ofType(argument, depth + 1);
        if (called?.kind === 'function' || called?.kind === 'signature')
          return this.#resultOf(called.node, depth + 1);
        return called?.kind === 'package' ? { kind: 'thing', path: `${called.path}()` } : called;
      }
    }
    return instanceOf(this.#ofName(name, depth));
  }

  /** `import('pg').Pool` */
  #ofImportType(type: ts.ImportTypeNode, depth: number): Entity | null {
    const { argument, qualifier, isTypeOf } = type;
    if (!ts.isLiteralTypeNode(argument) || !ts.isStringLiteral(argument.literal)) return null;
    let found: Entity | null = this.#module(type, argument.literal.text);
    for (const name of qualifier?.getText().split('.') ?? [])
      found = this.#member(found, name.trim(), depth + 1);
    return isTypeOf === true ? found : instanceOf(found);
  }

  #ofName(name: ts.EntityName, depth: number): Entity | null {
    if (ts.isIdentifier(name)) {
      const variable = variableOf(name);
      return variable === null ? null : this.#ofVariable(variable, depth + 1);
    }
    return this.#member(this.#ofName(name.left, depth + 1), name.right.text, depth + 1);
  }

  /** The export of a file as a whole; otherwise all its exports. */
  #whole(unit: SourceUnit, depth: number): Entity {
    const found = this.#exportsOf(unit).named.get('=');
    return (found === undefined ? null : this.#ofExport(found, depth)) ?? { kind: 'file', unit };
  }

  #exported(unit: SourceUnit, name: string, depth: number): Entity | null {
    if (depth > DEPTH) return null;
    const { named, stars } = this.#exportsOf(unit);
    const found = named.get(name) ?? (name === 'default' ? named.get('=') : undefined);
    if (found !== undefined) return this.#ofExport(found, depth);
    const whole = named.get('=');
    if (whole !== undefined) return this.#member(this.#ofExport(whole, depth), name, depth + 1);
    // The default import of a CommonJS module is all that it exports.
    if (name === 'default') return named.size > 0 ? { kind: 'file', unit } : null;
    const modules = stars.map((star) => this.#module(star, (star.moduleSpecifier as ts.StringLiteral).text));
    // A package may have anything: files come first.
    modules.sort((a, b) => Number(a.kind === 'package') - Number(b.kind === 'package'));
    for (const module of modules) {
      const passed = this.#member(module, name, depth + 1);
      if (passed !== null) return passed;
    }
    return null;
  }

  #ofExport(found: ts.Node, depth: number): Entity | null {
    if (ts.isNamespaceExport(found)) {
      const specifier = found.parent.moduleSpecifier;
      return specifier !== undefined && ts.isStringLiteral(specifier)
        ? this.#module(found, specifier.text)
        : null;
    }
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
    if (isFunction(found)) return ofFunction(found);
    if (ts.isClassLike(found)) return { kind: 'class', node: found };
    if (ts.isVariableDeclaration(found) && ts.isIdentifier(found.name)) return this.of(found.name, depth + 1);
    if (ts.isVariableDeclaration(found) || ts.isBindingElement(found)) return null;
    if (ts.isInterfaceDeclaration(found)) return { kind: 'shape', node: found };
    if (ts.isTypeAliasDeclaration(found)) return this.#ofType(found.type, depth + 1);
    if (ts.isShorthandPropertyAssignment(found)) return this.of(found.name, depth + 1);
    return ts.isExpression(found) ? this.of(found, depth + 1) : null;
  }

  #exportsOf(unit: SourceUnit): Exports {
    let found = this.#exports.get(unit);
    if (found === undefined) {
      found = exportsOf(this.#project.astOf(unit));
      this.#exports.set(unit, found);
    }
    return found;
  }
}

/** Types that have the members of their argument, once awaited. */
const SAME_TYPE = new Set(
  'Promise PromiseLike Awaited Readonly Required Partial NonNullable Omit Pick DeepReadonly'.split(' '),
);

/** `new X()`, or `super()` in the constructor of a class that extends it. */
function isConstruction(call: ts.CallExpression | ts.NewExpression): boolean {
  return ts.isNewExpression(call) || call.expression.kind === ts.SyntaxKind.SuperKeyword;
}

function ofFunction(node: ts.SignatureDeclaration): Entity {
  return 'body' in node && node.body !== undefined ? { kind: 'function', node } : { kind: 'signature', node };
}

/** The variable that has an object literal as its value. */
function variableWith(object: ts.ObjectLiteralExpression): Variable | null {
  let at: ts.Node = object.parent;
  // `const db = (module.exports = {})`
  while (ts.isParenthesizedExpression(at) || ts.isBinaryExpression(at) || ts.isAsExpression(at))
    at = at.parent;
  return ts.isVariableDeclaration(at) && ts.isIdentifier(at.name) ? variableOf(at.name) : null;
}

function heritageOf(node: ts.InterfaceDeclaration): readonly ts.ExpressionWithTypeArguments[] {
  return node.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
}

function instanceOf(entity: Entity | null): Entity | null {
  if (entity?.kind === 'class') return { kind: 'instance', node: entity.node };
  if (entity?.kind === 'package') return { kind: 'thing', path: entity.path };
  return entity?.kind === 'function' ? null : entity;
}
