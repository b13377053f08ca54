import { ts } from 'ts-morph';
import type { Entities, Entity } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';
import { variableOf } from './code/scope.js';
import { assignmentsIn, bare, nameOf, resultsOf } from './code/syntax.js';
import type { Site } from './flow/types.js';
import { poolctl } from './resources/poolctl.js';
import { isUsedBy } from './sites.js';

/**
 * Calls of factories that nothing but their declared type says lend a lease: `getDb(): Session`, where a Session has a
 * close(). A factory whose body is known is followed instead: it may give what all share. One that keeps its leases in
 * queues and promises is not decided by following it: its type counts where that finds nothing.
 */
export function typedSites(unit: SourceUnit, project: Project, entities: Entities): Site[] {
  const names = ENDED.test(unit.text) ? LENDERS : FACTORIES;
  return project.callsNamed(unit, names).flatMap((node) => {
    if (!ts.isCallExpression(node) || ts.isExpressionStatement(node.parent)) return [];
    // `transaction(async (trx) => ...)` ends by itself what it lends.
    if (node.arguments.some((one) => ts.isArrowFunction(one) || ts.isFunctionExpression(one))) return [];
    const lent = lentBy(node, entities);
    return lent === null ? [] : [siteOf(node, lent)];
  });
}

const CALLED = '(?=\\s*(?:<[^\\n;]*>)?\\s*(?:\\?\\.)?\\()';
const FACTORY =
  'get(?:Db|DB|Database|Session|Connection|Conn|Lease|Transaction|Tx)|(?:open|acquire|connect|borrow|checkout|lend|obtain)[A-Z]\\w*|(?:create|start|new|begin)(?:Session|Connection|Transaction|Tx|Lease|UnitOfWork)\\w*';
const FACTORIES = new RegExp(`(?<![\\w$#])(?:${FACTORY})${CALLED}`, 'g');
const FACTORY_NAME = new RegExp(`^(?:${FACTORY})$`);
/** Names of calls that may lend. Those that say less count where the type is one of nothing but leases. */
const LENDERS = new RegExp(
  `(?<![\\w$#])(?:${FACTORY}|getClient|(?:reserve|request)(?:[A-Z]\\w*)?|open|acquire|connect|borrow|checkout|lend|obtain|begin|connection|transaction|session|lease)${CALLED}`,
  'g',
);
/** Words of files that end such leases. The other files are not parsed for names that say little. */
const ENDED = /\b(?:release|rollback)\b/;

/** The type of a lease, and the methods that end it besides the usual ones. */
interface Lent {
  readonly type: Entity;
  readonly ends: readonly string[];
  /** The function is known, and may say more. */
  readonly isGuess: boolean;
}

/** The lease of a call, by its type: null if the type is not known, or needs no end. */
function lentBy(node: ts.CallExpression, entities: Entities): Lent | null {
  const callee = entities.of(node.expression);
  const bodies = entities.bodiesOf(node);
  const declared = callee?.kind === 'signature' ? callee.node : (bodies[0] ?? null);
  if (declared?.type === undefined) return null;
  const type = entities.resultOf(declared);
  if (type === null) return null;
  const members = membersOf(type, entities, 0);
  const passesOn = (body: ts.SignatureDeclaration) => {
    const results = resultsOf(body);
    return results.length > 0 && results.every((result) => isUnknownCall(result, entities));
  };
  const isGuess = !bodies.every(passesOn);
  const isFactory = FACTORY_NAME.test(nameOfCalled(node));
  if (!isGuess && isFactory && CLOSERS.some((name) => members.has(name))) return { type, ends: [], isGuess };
  const ends = endsOf(members);
  if (ends === null || bodies.some((body) => resultsOf(body).some((one) => mayBeShared(one, body, 0))))
    return null;
  // Somebody else may keep account of it, where nobody ends it here.
  return (ends.length === 0 && !isGuess) || isEndedIn(node, ends) ? { type, ends, isGuess } : null;
}

/** Whether one of the methods is called on the variable that the result goes to. */
function isEndedIn(node: ts.CallExpression, ends: readonly string[]): boolean {
  const methods = ends.length > 0 ? ends : ['release', 'close', 'end', 'destroy'];
  return isUsedBy(node, new RegExp(`(${methods.join('|')})\\b`)) || partsTaken(node).includes('release');
}

/** `connection` and `release` of `const { connection, release } = await this.request()`. */
function partsTaken(node: ts.Node): readonly string[] {
  let at = node;
  while (ts.isAwaitExpression(at.parent) || ts.isParenthesizedExpression(at.parent)) at = at.parent;
  const name = ts.isVariableDeclaration(at.parent) ? at.parent.name : undefined;
  if (name === undefined || !ts.isObjectBindingPattern(name)) return [];
  return name.elements.map((one) => (one.propertyName ?? one.name).getText());
}

function nameOfCalled({ expression }: ts.CallExpression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : '';
}

/** The methods that end what is nothing but a lease: one that is released, or a transaction. Null for other types. */
function endsOf(members: ReadonlySet<string>): readonly string[] | null {
  if (members.has('release')) return [];
  if (members.has('commit') && members.has('rollback')) return ['commit', 'rollback'];
  return null;
}

function isUnknownCall(result: ts.Expression, entities: Entities): boolean {
  const at = bare(result);
  if (!ts.isCallExpression(at) || entities.bodiesOf(at).length > 0) return false;
  const callee = entities.of(at.expression);
  return callee === null || callee.kind === 'package' || callee.kind === 'thing';
}

/** Whether a result may be there before the call: a field, a parameter, a variable of the module, `this`. */
function mayBeShared(result: ts.Expression, body: ts.SignatureDeclaration, depth: number): boolean {
  const at = bare(result);
  if (depth > 8) return true;
  if (ts.isConditionalExpression(at))
    return mayBeShared(at.whenTrue, body, depth + 1) || mayBeShared(at.whenFalse, body, depth + 1);
  if (ts.isBinaryExpression(at)) {
    const isAssignment = at.operatorToken.kind === ts.SyntaxKind.EqualsToken;
    if (isAssignment && !ts.isIdentifier(at.left)) return true;
    return [at.left, at.right].some((one) => mayBeShared(one, body, depth + 1));
  }
  if (ts.isNewExpression(at) || ts.isObjectLiteralExpression(at)) return false;
  // `this.cached()`, `pools.get(key)`: what that gives may be shared.
  if (ts.isCallExpression(at)) return /(^|\.)(get|find|has|values)$/.test(at.expression.getText());
  if (at.kind === ts.SyntaxKind.NullKeyword) return false;
  const variable = ts.isIdentifier(at) ? variableOf(at) : null;
  const declaration = variable?.declaration;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration))
    return at.getText() !== 'undefined';
  const isLocal = declaration.getSourceFile() === body.getSourceFile() && declaration.pos > body.pos;
  if (!isLocal || declaration.end > body.end || !ts.isIdentifier(declaration.name)) return true;
  const { initializer } = declaration;
  const values = [
    ...(initializer === undefined ? [] : [initializer]),
    ...(assignmentsIn(body).get(declaration.name.text) ?? []),
  ];
  return values.length === 0 || values.some((one) => mayBeShared(one, body, depth + 1));
}

/** The names of the members of a type of the project, and of those that it extends. */
function membersOf(type: Entity | null, entities: Entities, depth: number): ReadonlySet<string> {
  if (type === null || depth > 8) return new Set();
  if (type.kind !== 'shape' && type.kind !== 'instance' && type.kind !== 'class') return new Set();
  const members: readonly (ts.TypeElement | ts.ClassElement)[] = [...type.node.members];
  const bases = ts.isTypeLiteralNode(type.node) ? [] : (type.node.heritageClauses ?? []);
  const inherited = bases.flatMap(({ types }) =>
    types.flatMap(({ expression }) => [...membersOf(entities.of(expression), entities, depth + 1)]),
  );
  return new Set([...members.flatMap((member) => memberName(member) ?? []), ...inherited]);
}

function memberName(member: ts.TypeElement | ts.ClassElement): string | null {
  const { name } = member;
  return name !== undefined && ts.isComputedPropertyName(name)
    ? `[${name.expression.getText()}]`
    : nameOf(member);
}

const CLOSERS = ['close', 'release', 'end', '[Symbol.dispose]', '[Symbol.asyncDispose]'];

function siteOf(node: ts.CallExpression, { type, ends, isGuess }: Lent): Site {
  const name = 'node' in type ? nameOf(type.node) : null;
  return {
    node,
    spec: {
      ...poolctl,
      title: name === null ? poolctl.title : `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`,
      release: {
        ...poolctl.release,
        methods: [
          ...new Set([...poolctl.release.methods, 'end', 'destroy', 'dispose', 'disconnect', ...ends]),
        ],
      },
      isPersonal: false,
    },
    pattern: { kind: 'function', name: node.expression.getText(), from: [] },
    at: partsTaken(node).includes('release') ? ['', '!.release'] : [''],
    confidence: isGuess ? 'low' : 'medium',
    when: new Map(),
    via: null,
    ...(isGuess ? { isGuess: true } : {}),
  };
}
