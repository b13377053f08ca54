import { ts } from 'ts-morph';
import type { Finding, Repairing } from '../types.js';
import { isAssignment, isRelease } from './uses.js';
import { isAtLeast } from './versions.js';

export interface RepairOptions {
  /** Whether `await using` can be written in the file. */
  readonly parsesUsing: boolean;
  /** The version of a package, as far as it is known for sure: `3.18.0`. */
  versionOf(name: string): string | null;
}

export interface Lease {
  readonly statement: ts.VariableStatement;
  readonly declaration: ts.VariableDeclaration;
  readonly name: string;
  readonly block: ts.Block;
  readonly index: number;
  /** The statements of the block after the acquire call. */
  readonly rest: readonly ts.Statement[];
  readonly ending: Repairing;
  /** Its methods are done when they return. */
  readonly isSync: boolean;
  readonly canUse: boolean;
}

/** Whether what is lent can be declared with `await using`, there and in that version. */
function canUse(
  { using }: Repairing,
  { text }: ts.SourceFile,
  { parsesUsing, versionOf }: RepairOptions,
): boolean {
  if (using === undefined || !(parsesUsing || /\bawait using\b/.test(text))) return false;
  const { module, since } = using;
  if (module === null || since === null) return true;
  if (!new RegExp(`['"]${module}['"]`).test(text)) return false;
  const version = versionOf(module.replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1'));
  return version !== null && isAtLeast(version, since);
}

/** The const that the acquire call of a finding is in, or the reason why it is in none. */
export function leaseAt(
  file: ts.SourceFile,
  { line, column, confidence }: Finding,
  ending: Repairing,
  options: RepairOptions,
): Lease | string {
  const token = tokenAt(file, file.getPositionOfLineAndCharacter(line - 1, column - 1));
  if (token === undefined) return 'the acquire call is not where it was';
  const lender = token.getText();
  const at = callAt(token);
  if (at === undefined) return 'the acquire call is no plain call';
  const value = ts.isAwaitExpression(at.parent) ? at.parent : at;
  const declaration = value.parent;
  const own = ts.isVariableDeclaration(declaration) ? nameIn(declaration, ending) : null;
  if (!ts.isVariableDeclaration(declaration) || own === null)
    return 'the lease is not declared by the acquire call, as in const client = await ...';
  const list = declaration.parent;
  const statement = list.parent;
  if (!ts.isVariableDeclarationList(list) || list.declarations.length !== 1)
    return 'several variables are declared in one statement';
  if (ending.awaits && value === at && ending.commit !== undefined) return 'the acquire call is not awaited';
  const scope = list.flags & ts.NodeFlags.BlockScoped;
  if (scope !== ts.NodeFlags.Const && !(scope === ts.NodeFlags.Let && keepsItsValue(declaration)))
    return `${own.text} is no const: it may get another value`;
  if (!ts.isVariableStatement(statement) || !ts.isBlock(statement.parent))
    return 'the acquire call is not in a block of statements';
  const block = statement.parent;
  const index = block.statements.indexOf(statement);
  const rest = block.statements.slice(index + 1);
  // A function of the project may lend anything: only what is done with the result says that it is the lease itself.
  const { text: name } = own;
  const isEnded = (one: ts.Statement) => isRelease(one, name, ending.commit ?? ending.release);
  const endsHere = rest.some((one) => isEnded(one) || within(one, isEnded));
  if (confidence === 'low' && !endsHere) return 'it is not certain that this is a lease';
  if (!ending.acquire.includes(lender) && !endsHere)
    return `it is lent by ${lender}(), a function of the project, and ${name} has no ${ending.commit ?? ending.release}() here`;
  return {
    statement,
    declaration,
    name,
    block,
    index,
    rest,
    ending,
    isSync: ending.isSync === true,
    canUse:
      own === declaration.name &&
      (list.flags & ts.NodeFlags.BlockScoped) === ts.NodeFlags.Const &&
      canUse(ending, file, options),
  };
}

/** The name of a declaration; of `const [transaction, error] = await begin()` the first one, where that is a transaction. */
function nameIn({ name }: ts.VariableDeclaration, { commit }: Repairing): ts.Identifier | null {
  if (ts.isIdentifier(name)) return name;
  const first = ts.isArrayBindingPattern(name) && commit !== undefined ? name.elements[0] : undefined;
  return first !== undefined && ts.isBindingElement(first) && ts.isIdentifier(first.name) ? first.name : null;
}

/** Whether nothing assigns to a variable after its declaration. */
function keepsItsValue({ name, parent }: ts.VariableDeclaration): boolean {
  const text = name.getText();
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && isAssignment(node) && namesIn(node.left).includes(text)) found = true;
    ts.forEachChild(node, visit);
  };
  visit(parent.parent.parent);
  return !found;
}

/** The variables that an assignment may change. */
function namesIn(target: ts.Node): string[] {
  if (ts.isIdentifier(target)) return [target.text];
  if (ts.isPropertyAccessExpression(target) || ts.isElementAccessExpression(target)) return [];
  const found: string[] = [];
  ts.forEachChild(target, (child) => {
    found.push(...namesIn(child));
  });
  return found;
}

/** Whether a statement within another one, outside of functions, fits. */
export function within(statement: ts.Statement, fits: (one: ts.Statement) => boolean): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isStatement(node)) found ||= fits(node);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(statement, visit);
  return found;
}

/** The acquire call of a finding, by its name. */
export function callAt(token: ts.Node): ts.CallExpression | ts.NewExpression | undefined {
  let at: ts.Node | undefined = token;
  while (at !== undefined && !ts.isCallExpression(at) && !ts.isNewExpression(at)) at = at.parent;
  return at;
}

export function tokenAt(file: ts.SourceFile, position: number): ts.Node | undefined {
  let found: ts.Node | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos > position || position >= node.end) return;
    if (node.getStart() === position) found = node;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
