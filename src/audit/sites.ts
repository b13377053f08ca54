import { ts } from 'ts-morph';
import type { Entities, Entity } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';
import { bodyAround, isFunction, variableOf } from './code/scope.js';
import { assignmentsIn, requiredModule, resultsOf } from './code/syntax.js';
import { namedArgument } from './flow/lower/calls.js';
import { CALLBACK } from './flow/names.js';
import type { Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import type { AcquirePattern, Confidence, MethodPattern, ResourceSpec } from './types.js';

/** The calls in a file that acquire a lease, by the resources that are known. */
export function findSites(
  unit: SourceUnit,
  project: Project,
  resources: Resources,
  entities: Entities,
): Site[] {
  return project
    .callsNamed(unit, resources.namesFor(unit.language === 'python' ? unit.source : unit.text))
    .map((node) => siteOf(node, resources, entities))
    .filter((site) => site !== null);
}

interface Candidate {
  readonly spec: ResourceSpec;
  readonly pattern: AcquirePattern;
}

/** All specs, found by the name of the call. */
export class Resources {
  readonly #patterns: readonly AcquirePattern[];
  readonly #words: readonly string[];
  /** For the functions of Python packages: the packages. */
  readonly #modules = new Map<AcquirePattern, readonly string[]>();
  /** By the words that a file has. */
  readonly #names = new Map<string, RegExp>();
  readonly #byName = new Map<string, Candidate[]>();

  constructor(specs: readonly ResourceSpec[]) {
    for (const spec of specs) {
      for (const pattern of spec.acquire) {
        this.#byName.set(pattern.name, [...(this.#byName.get(pattern.name) ?? []), { spec, pattern }]);
      }
    }
    this.#patterns = specs.flatMap(({ acquire }) => acquire);
    for (const { language, acquire } of specs) {
      for (const one of language === 'python' ? acquire : [])
        if (one.kind === 'function' && !one.from.includes('*'))
          this.#modules.set(
            one,
            one.from.map((module) => module.replace(/\/.*$/, '')),
          );
    }
    const modules = [...this.#modules.values()].flat();
    this.#words = [
      ...new Set([...this.#patterns.flatMap(({ inFilesWith }) => inFilesWith ?? []), ...modules]),
    ];
  }

  /** Finds the names of calls in the text of a file: one without any need not be parsed. */
  namesFor(text: string): RegExp {
    const words = this.#words.filter((word) => text.includes(word));
    const key = words.join(' ');
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const isLooked = ({ inFilesWith }: AcquirePattern) =>
      inFilesWith === undefined || words.includes(inFilesWith);
    const looked = this.#patterns.filter(isLooked);
    // `client.connect()` is none of a package that the file does not name. A plain `connect()` may be imported from anywhere.
    const isPlain = (one: AcquirePattern) =>
      this.#modules.get(one)?.some((module) => words.includes(module)) === false;
    const namesOf = (patterns: readonly AcquirePattern[]) => new Set(patterns.map(({ name }) => name));
    const found = callNames(namesOf(looked.filter((one) => !isPlain(one))), namesOf(looked.filter(isPlain)));
    this.#names.set(key, found);
    return found;
  }

  named(name: string): readonly Candidate[] {
    return this.#byName.get(name) ?? [];
  }
}

/** The packages that the resources come from: known by their names, whatever their sources say. */
export function packagesOf(specs: readonly ResourceSpec[]): ReadonlySet<string> {
  const modules = specs.flatMap(({ acquire, pools = [] }) => [
    ...acquire.flatMap((one) => (one.kind === 'method' ? one.on : one.from)),
    ...pools.flatMap(({ from }) => from),
  ]);
  return new Set(modules.map((one) => one.replace(/#.*$/, '')));
}

/** Finds the names of calls of these functions in a text; `plain` are functions that are not called as methods. */
export function callNames(names: Iterable<string>, plain: Iterable<string> = []): RegExp {
  const words = (some: Iterable<string>) => [...some].map((name) => name.replace(/[$#]/g, '\\$&')).join('|');
  const ends = '(?=\\s*(?:<[^\\n;]*>)?\\s*(?:\\?\\.)?\\()';
  const [any, only] = [words(names), words(plain)];
  const found = [
    ...(any === '' && only !== '' ? [] : [`(?<![\\w$#])(?:${any})${ends}`]),
    ...(only === '' ? [] : [`(?<![\\w$#.])(?:${only})${ends}`]),
  ];
  return new RegExp(found.join('|'), 'g');
}

function siteOf(
  node: ts.CallExpression | ts.NewExpression,
  resources: Resources,
  entities: Entities,
): Site | null {
  const callee = node.expression;
  const name = ts.isIdentifier(callee)
    ? callee.text
    : ts.isPropertyAccessExpression(callee)
      ? callee.name.text
      : '';
  const candidates = resources.named(name);
  if (candidates.length === 0 || !isUsed(node)) return null;
  let best: Site | null = null;
  for (const { spec, pattern } of candidates) {
    const confidence = matches(node, pattern, entities);
    if (confidence === null || (best !== null && rank(confidence) <= rank(best.confidence))) continue;
    if (pattern.endedBy !== undefined && !isUsedBy(inWrapping(node), pattern.endedBy)) continue;
    // A value that a module makes for the whole process is no lease.
    if (pattern.isWhole === true && !isFunction(unitOf(node))) continue;
    if (
      pattern.borrows !== undefined &&
      node.arguments?.some((one) => isLike(one, pattern.borrows as RegExp))
    )
      return null;
    if (pattern.callback !== undefined && isManaged(node, pattern.callback.lease)) return null;
    if (pattern.managedByFunction === true && node.arguments?.some((one) => isFunctionLike(one, entities)))
      return null;
    const lent = endsWithBlock(node, spec, entities) ? endedByBlock(spec) : spec;
    best = { node, spec: lent, pattern, at: [pattern.at ?? ''], confidence, when: new Map(), via: null };
    if (isGuess(node, pattern, entities)) best = { ...best, isGuess: true };
  }
  return best;
}

const ENDED_BY_BLOCK = new WeakMap<ResourceSpec, ResourceSpec>();

/** The same lease, where `with` ends it. */
function endedByBlock(spec: ResourceSpec): ResourceSpec {
  const known = ENDED_BY_BLOCK.get(spec);
  if (known !== undefined) return known;
  const made: ResourceSpec = { ...spec, release: { ...spec.release, isKeptByBlock: false } };
  ENDED_BY_BLOCK.set(spec, made);
  return made;
}

/** `sqlite3.connect(path, factory=Closing)`: a class of the project says what `with` does. */
function endsWithBlock(
  node: ts.CallExpression | ts.NewExpression,
  { release }: ResourceSpec,
  entities: Entities,
): boolean {
  if (release.isKeptByBlock !== true) return false;
  const factory = node.arguments
    ?.map(namedArgument)
    .find((one) => one !== null && /^(connection_)?factory$/.test(one.name));
  const made = factory === undefined || factory === null ? null : entities.of(factory.value);
  if (made?.kind !== 'class') return false;
  const exit = entities.methodOf(made.node, '__exit__') ?? entities.methodOf(made.node, '__aexit__');
  const ends = release.methods.join('|');
  return exit !== null && new RegExp(`\\.(${ends})\\b`).test(exit.getText());
}

/** Whether a call gives an object of a class whose release does nothing, where classes of the same kind do release. */
export function needsNoEnd({ node, spec }: Site, entities: Entities): boolean {
  let value: ts.Expression = node;
  while (
    ts.isAwaitExpression(value.parent) ||
    ts.isParenthesizedExpression(value.parent) ||
    ts.isAsExpression(value.parent)
  )
    value = value.parent;
  const type = entities.of(value);
  if (type?.kind !== 'instance' || entities.subclasses.of(type.node).length > 0) return false;
  const ends = (one: ts.ClassLikeDeclaration) =>
    spec.release.methods.flatMap((name) => entities.methodOf(one, name) ?? []);
  const own = ends(type.node);
  if (own.length === 0 || !own.every(doesNothing)) return false;
  const kin = entities.basesOf(type.node).flatMap((base) => entities.subclasses.of(base));
  return kin.some((one) => ends(one).some((end) => !doesNothing(end)));
}

function doesNothing(node: ts.SignatureDeclaration): boolean {
  const code = 'body' in node ? node.body : undefined;
  if (code === undefined || !ts.isBlock(code)) return false;
  return code.statements.every(
    (one) =>
      ts.isReturnStatement(one) &&
      /^(undefined|Promise\.resolve\(\))?$/.test(one.expression?.getText() ?? ''),
  );
}

function rank(confidence: Confidence): number {
  return ['low', 'medium', 'high'].indexOf(confidence);
}

function matches(
  node: ts.CallExpression | ts.NewExpression,
  pattern: AcquirePattern,
  entities: Entities,
): Confidence | null {
  if (pattern.kind === 'method') {
    return ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)
      ? matchesMethod(node, node.expression, pattern, entities)
      : null;
  }
  if ((pattern.kind === 'new') !== ts.isNewExpression(node)) return null;
  if (pattern.from.includes('*')) return isTaken(node, pattern) ? 'medium' : null;
  const entity = entities.of(node.expression);
  if (entity?.kind !== 'package') return null;
  const [module = '', name] = entity.path.split('#');
  const isFrom = pattern.from.some((from) => module === from || module.startsWith(`${from}/`));
  const isNamed = name === '' || name === pattern.name || name?.endsWith(`.${pattern.name}`) === true;
  return isFrom && isNamed ? 'high' : null;
}

function matchesMethod(
  node: ts.CallExpression,
  callee: ts.PropertyAccessExpression,
  pattern: MethodPattern,
  entities: Entities,
): Confidence | null {
  if (pattern.on.includes('*')) return 'medium';
  const receiver = entities.of(callee.expression);
  if (pattern.isStatic === true && receiver?.kind !== 'package') return null;
  const isTyped = receiver !== null && (receiver.kind === 'package' || receiver.kind === 'thing');
  if (isTyped) {
    if (pattern.on.some((one) => isOfType(receiver.path, one))) return 'high';
    // A known package has something else under this name.
    const module = /^(@[^/#]+\/)?[^/#]+/.exec(receiver.path)?.[0] ?? '';
    if (IMPOSTORS.test(module)) return null;
    // A name that any receiver may have says nothing of a package that has its own.
    if (pattern.named?.source === '.' && pattern.isUnique !== true) return null;
    const type = /(?:#|\.)(\w+)$/.exec(receiver.path)?.[1] ?? '';
    return pattern.named?.test(type) === true ? 'medium' : byName(node, callee, pattern, 'low');
  }
  // A class of the project: what it lends is found by following it.
  const isOwn = receiver?.kind === 'instance' || receiver?.kind === 'class' || receiver?.kind === 'object';
  if (isOwn && entities.calledBy(node) !== null && !isPoolByName(receiver)) {
    // If nothing else has this name, the analysis follows the function first, and the name counts after that.
    return pattern.isUnique === true && !isFunctionless(node, entities) ? 'low' : null;
  }
  return byName(node, callee, pattern, isOwn ? 'low' : 'medium');
}

/** Whether the function that a call runs does nothing that can be followed. */
function isFunctionless(node: ts.CallExpression, entities: Entities): boolean {
  const body = entities.calledBy(node);
  const results = body === null ? [] : resultsOf(body);
  return !results.some((one) => ts.isNewExpression(one) || ts.isCallExpression(one));
}

/** Whether a call is taken for an acquire by its name only, where its function says more. */
function isGuess(node: ts.Node, pattern: AcquirePattern, entities: Entities): boolean {
  if (!ts.isCallExpression(node) || entities.calledBy(node) === null) return false;
  return pattern.usedAs !== undefined || (pattern.kind === 'method' && pattern.isUnique === true);
}

/** Packages whose pools, sessions and locks have the same words and lend nothing that leaks. */
const IMPOSTORS =
  /^(mssql|slonik|async-mutex|async-lock|semaphore|redlock|socket\.io.*|ws|net|tls|http2?|https|dgram|mqtt|amqplib|amqp.*|redis|@redis\/client|kafkajs|express-session|workerpool|piscina|puppeteer.*|generic-session|next-auth.*)$/;

/** A type of a project's own pool is as good as its name. */
function isPoolByName(entity: Entity): boolean {
  return (
    (entity.kind === 'instance' || entity.kind === 'class') && /Pool$/.test(entity.node.name?.text ?? '')
  );
}

/** `pg#Pool` and `pg#default.Pool`; `mysql2/promise#createPool()` is of `mysql2#createPool()`. */
function isOfType(path: string, wanted: string): boolean {
  const [module = '', name = ''] = path.split('#');
  const [wantedModule = '', wantedName = ''] = wanted.split('#');
  const isModule = module === wantedModule || module.startsWith(`${wantedModule}/`);
  if (!isModule) return false;
  return wantedName === '*' || name === wantedName || name.endsWith(`.${wantedName}`);
}

function byName(
  node: ts.CallExpression,
  callee: ts.PropertyAccessExpression,
  pattern: MethodPattern,
  confidence: Confidence,
): Confidence | null {
  if (isOpener(callee.expression)) return null;
  const name = receiverName(callee.expression);
  if (pattern.named?.test(name) === true) return confidence;
  if (pattern.usedBy === undefined && pattern.usedAs === undefined) return null;
  return isTaken(node, pattern) ? 'low' : null;
}

/** A ConnectionPool, as mssql has it: connecting opens it. */
function isOpener(receiver: ts.Expression): boolean {
  if (ts.isNewExpression(receiver)) return /(^|\.)ConnectionPool$/.test(receiver.expression.getText());
  const declaration = ts.isIdentifier(receiver) ? variableOf(receiver)?.declaration : undefined;
  const value =
    declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return value !== undefined && ts.isNewExpression(value) && isOpener(value);
}

/** Whether the result is treated as a lease: by the name of what it goes to, or by what is called on it. */
function isTaken(node: ts.CallExpression | ts.NewExpression, { usedAs, usedBy }: AcquirePattern): boolean {
  const name = variableFor(node);
  if (name !== null && usedAs?.test(name) === true) return true;
  return usedBy !== undefined ? isUsedBy(node, usedBy) : usedAs === undefined;
}

/** `pool` of `this.db.pool`, `knex` of `this.knex()`. */
function receiverName(expression: ts.Expression): string {
  if (ts.isPropertyAccessExpression(expression)) return expression.name.text;
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isNonNullExpression(expression) || ts.isParenthesizedExpression(expression))
    return receiverName(expression.expression);
  if (ts.isAwaitExpression(expression) || ts.isAsExpression(expression))
    return receiverName(expression.expression);
  if (ts.isCallExpression(expression)) {
    const required = requiredModule(expression);
    return required ?? receiverName(expression.expression);
  }
  return '';
}

/** Whether one of the methods is called on what the call gives. */
export function isUsedBy(node: ts.CallExpression | ts.NewExpression, methods: RegExp): boolean {
  const name = variableFor(node);
  if (name === null) {
    const callback = node.arguments?.find((one) => ts.isArrowFunction(one) || ts.isFunctionExpression(one));
    return callback !== undefined && methods.test(callback.getText());
  }
  const escaped = name.replace(/\$/g, '\\$');
  const text = bodyAround(node).getText();
  return new RegExp(`(?<![\\w$.])${escaped}\\s*[?!]?\\.\\s*(?:${methods.source})`).test(text);
}

/** `client.query(new Cursor(sql))` for the cursor: the call that gives back what it is given. */
function inWrapping(node: ts.CallExpression | ts.NewExpression): ts.CallExpression | ts.NewExpression {
  return ts.isNewExpression(node) && ts.isCallExpression(node.parent) ? node.parent : node;
}

/** The variable that the result of a call goes to. */
function variableFor(node: ts.Node): string | null {
  let at = node;
  while (
    ts.isAwaitExpression(at.parent) ||
    ts.isParenthesizedExpression(at.parent) ||
    ts.isAsExpression(at.parent) ||
    ts.isBinaryExpression(at.parent)
  ) {
    at = at.parent;
  }
  const { parent } = at;
  if (ts.isVariableDeclaration(parent) && ts.isIdentifier(parent.name)) return parent.name.text;
  return ts.isBinaryExpression(at) && ts.isIdentifier(at.left) ? at.left.text : null;
}

/**
 * `pool.connect(async (connection) => ...)`: a function that takes nothing before the lease, where the driver's own
 * call has an error there. Such an API lends and takes back by itself.
 */
function isManaged({ arguments: given }: ts.CallExpression | ts.NewExpression, lease: number): boolean {
  const last = given?.at(-1);
  if (last === undefined || !(ts.isArrowFunction(last) || ts.isFunctionExpression(last))) return false;
  return lease > 0 && last.parameters.length <= lease;
}

function isFunctionLike(argument: ts.Expression, entities: Entities): boolean {
  if (ts.isArrowFunction(argument) || ts.isFunctionExpression(argument)) return true;
  if (!ts.isIdentifier(argument)) return false;
  // `new Promise((resolve) => knex.transaction(resolve))`
  const declaration = variableOf(argument)?.declaration;
  if (declaration !== undefined && ts.isParameter(declaration) && CALLBACK.test(argument.text)) return true;
  return entities.of(argument)?.kind === 'function';
}

/** Whether the text of an argument fits, or that of a value which its variable is given. */
function isLike(argument: ts.Expression, pattern: RegExp): boolean {
  const value = namedArgument(argument)?.value ?? argument;
  if (pattern.test(value.getText())) return true;
  if (!ts.isIdentifier(value)) return false;
  const declaration = variableOf(value)?.declaration;
  const initial =
    declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  const values = [
    ...(initial === undefined ? [] : [initial]),
    ...(assignmentsIn(bodyAround(value)).get(value.text) ?? []),
  ];
  return values.some((one) => pattern.test(one.getText()));
}

/** A call whose result nobody takes, nor a callback, lends nothing: `client.connect()`. */
function isUsed(node: ts.CallExpression | ts.NewExpression): boolean {
  let at: ts.Node = node;
  while (ts.isAwaitExpression(at.parent) || ts.isParenthesizedExpression(at.parent)) at = at.parent;
  if (!ts.isExpressionStatement(at.parent)) return true;
  const last = node.arguments?.at(-1);
  return last !== undefined && !ts.isObjectLiteralExpression(last) && !ts.isStringLiteralLike(last);
}
