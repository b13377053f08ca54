import { ts } from 'ts-morph';

/** A function of any form, or a whole file: what has a flow of its own. */
export type Body = ts.SignatureDeclaration | ts.SourceFile | ts.ClassStaticBlockDeclaration;

export interface Variable {
  readonly name: string;
  /** The node that declares it: declaration, parameter, binding element, function, class, import. */
  readonly declaration: ts.Node;
  /** The function or file that it is local to. */
  readonly owner: Body;
}

type Declared = Map<string, Variable>;

const declaredIn = new WeakMap<ts.Node, Declared>();

/** The variable that a name means at a place in the code; null for globals. */
export function variableOf(identifier: ts.Identifier): Variable | null {
  for (let node: ts.Node | undefined = identifier.parent; node !== undefined; node = node.parent) {
    if (!isScope(node)) continue;
    const found = declarations(node).get(identifier.text);
    if (found !== undefined) return found;
  }
  return null;
}

/** The function that a node is directly in, or the file. */
export function bodyAround(node: ts.Node): Body {
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) if (isBody(at)) return at;
  return node.getSourceFile();
}

export function isBody(node: ts.Node): node is Body {
  return isFunction(node) || ts.isSourceFile(node) || ts.isClassStaticBlockDeclaration(node);
}

export function isFunction(node: ts.Node): node is ts.SignatureDeclaration {
  return (
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isAccessor(node)
  );
}

function isScope(node: ts.Node): boolean {
  return (
    isBody(node) ||
    ts.isBlock(node) ||
    ts.isCaseBlock(node) ||
    ts.isModuleBlock(node) ||
    ts.isCatchClause(node) ||
    ts.isForStatement(node) ||
    ts.isForOfStatement(node) ||
    ts.isForInStatement(node) ||
    ts.isClassExpression(node)
  );
}

function declarations(scope: ts.Node): Declared {
  const known = declaredIn.get(scope);
  if (known !== undefined) return known;
  const declared: Declared = new Map();
  declaredIn.set(scope, declared);
  const owner = isBody(scope) ? scope : bodyAround(scope);
  const add = (name: ts.Node | undefined, declaration: ts.Node) => bind(name, declaration, owner, declared);
  if (isFunction(scope)) {
    if (ts.isFunctionExpression(scope)) add(scope.name, scope);
    for (const parameter of scope.parameters) add(parameter.name, parameter);
  }
  if (ts.isClassExpression(scope)) add(scope.name, scope);
  if (ts.isCatchClause(scope)) add(scope.variableDeclaration?.name, scope.variableDeclaration ?? scope);
  if (ts.isForStatement(scope) || ts.isForOfStatement(scope) || ts.isForInStatement(scope)) {
    const list = scope.initializer;
    if (list !== undefined && ts.isVariableDeclarationList(list) && isLexical(list)) {
      for (const one of list.declarations) add(one.name, one);
    }
  }
  if (isBody(scope)) hoist(scope, add);
  for (const statement of statementsOf(scope)) declareStatement(statement, add);
  return declared;
}

type Add = (name: ts.Node | undefined, declaration: ts.Node) => void;

function bind(name: ts.Node | undefined, declaration: ts.Node, owner: Body, into: Declared): void {
  if (name === undefined) return;
  if (ts.isIdentifier(name)) {
    into.set(name.text, { name: name.text, declaration, owner });
  } else if (ts.isObjectBindingPattern(name) || ts.isArrayBindingPattern(name)) {
    for (const element of name.elements) {
      if (ts.isBindingElement(element)) bind(element.name, element, owner, into);
    }
  }
}

function statementsOf(scope: ts.Node): readonly ts.Statement[] {
  if (ts.isSourceFile(scope) || ts.isBlock(scope) || ts.isModuleBlock(scope)) return scope.statements;
  if (ts.isCaseBlock(scope)) return scope.clauses.flatMap((clause) => [...clause.statements]);
  return [];
}

function declareStatement(statement: ts.Statement, add: Add): void {
  if (ts.isVariableStatement(statement)) {
    if (isLexical(statement.declarationList)) {
      for (const one of statement.declarationList.declarations) add(one.name, one);
    }
  } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
    add(statement.name, statement);
  } else if (ts.isEnumDeclaration(statement) || ts.isInterfaceDeclaration(statement)) {
    add(statement.name, statement);
  } else if (ts.isTypeAliasDeclaration(statement)) {
    add(statement.name, statement);
  } else if (ts.isImportEqualsDeclaration(statement)) {
    add(statement.name, statement);
  } else if (ts.isImportDeclaration(statement)) {
    const clause = statement.importClause;
    add(clause?.name, clause ?? statement);
    const bindings = clause?.namedBindings;
    if (bindings === undefined) return;
    if (ts.isNamespaceImport(bindings)) add(bindings.name, bindings);
    else for (const one of bindings.elements) add(one.name, one);
  }
}

/** `var` belongs to the function, wherever in it it stands. */
function hoist(body: Body, add: Add): void {
  const visit = (node: ts.Node): void => {
    if (isBody(node) || ts.isClassLike(node) || ts.isExpressionStatement(node)) return;
    if (ts.isVariableDeclarationList(node)) {
      if (!isLexical(node)) for (const one of node.declarations) add(one.name, one);
      return;
    }
    ts.forEachChild(node, visit);
  };
  if (ts.isSourceFile(body)) ts.forEachChild(body, visit);
  else if ('body' in body && body.body !== undefined) ts.forEachChild(body.body, visit);
}

function isLexical(list: ts.VariableDeclarationList): boolean {
  return (list.flags & ts.NodeFlags.BlockScoped) !== 0;
}

/** The name that a function is called by; null where it has none. */
export function functionName(body: Body): string | null {
  if (!isFunction(body)) return null;
  const { name, parent } = body;
  if (name !== undefined && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name))) return name.text;
  if (ts.isVariableDeclaration(parent) && ts.isIdentifier(parent.name)) return parent.name.text;
  if ((ts.isPropertyDeclaration(parent) || ts.isPropertyAssignment(parent)) && ts.isIdentifier(parent.name)) {
    return parent.name.text;
  }
  if (ts.isBinaryExpression(parent) && ts.isPropertyAccessExpression(parent.left))
    return parent.left.name.text;
  return null;
}
