import { ts } from 'ts-morph';
import type { Callee } from './code/callers.js';
import type { Entities } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';
import { classAround, constructorOf, hasStatic, nameOf } from './code/syntax.js';
import { isCloser, saysItEnds } from './flow/names.js';
import { START_STATE } from './flow/state.js';
import type { Program, Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import { Walk } from './flow/walk.js';
import type { Stored, Verdict } from './leaks.js';
import { callNames } from './sites.js';
import type { ResourceSpec } from './types.js';

/**
 * A class of the project whose instances hold a lease: one of its methods takes it and keeps it in a field, another gives
 * it back. Who makes an instance, or opens one, must end it.
 */
export interface Owner {
  readonly node: ts.ClassLikeDeclaration;
  /** The lease that an instance is. */
  readonly spec: ResourceSpec;
  /** The calls in its methods from which on an instance holds something. */
  readonly arms: ReadonlySet<ts.Node>;
  /** The methods that make these calls. */
  readonly openers: readonly string[];
  /** The methods that open it or may close it. */
  readonly enters: ReadonlySet<string>;
  /** It serves a whole process, as what it holds does. */
  readonly isWhole: boolean;
  readonly isOpenedByConstructor: boolean;
  readonly confidence: Site['confidence'];
}

/** Finds the classes that hold leases, from what is known of the leases that their methods take. */
export class Owners {
  readonly #entities: Entities;
  readonly #program: Program;
  readonly #releasing = new Map<ts.ClassElement, Map<string, boolean>>();
  readonly #found = new Map<ts.ClassLikeDeclaration, Draft>();

  constructor(entities: Entities, program: Program) {
    this.#entities = entities;
    this.#program = program;
  }

  /** Takes a lease into account that was followed. Gives the class that holds it, if that is news. */
  add(site: Site, verdict: Verdict): Owner | null {
    const node = classAround(site.node);
    const member = node === null ? null : memberAround(site.node, node);
    if (node === null || member === null || hasStatic(member)) return null;
    const fields = ts.isPropertyDeclaration(member) ? fieldOf(member, site) : verdict.stored;
    const stored = fields.filter(({ path }) => !/\.(\[\]|\d+)(\.|$)/.test(path));
    if (stored.length === 0 || isShared(node)) return null;
    const before = this.#found.get(node);
    const draft = before ?? new Draft(node, site);
    for (const { path, isLazy } of stored) {
      for (const call of this.#armingCalls(node, path, isLazy, site)) draft.arms.add(call);
      for (const name of this.#closers(node, member, path, site)) draft.closers.add(name);
    }
    this.#found.set(node, draft);
    return draft.isNews() ? draft.owner(this.#family(node)) : null;
  }

  /** Whether a method of a class, or of one that it extends, gives back what its instances keep. */
  hasClosers(node: ts.ClassLikeDeclaration): boolean {
    return this.#family(node).some((one) => (this.#found.get(one)?.closers.size ?? 0) > 0);
  }

  /** A class whose constructor takes a lease that none of its methods gives back. */
  ownerWithout(node: ts.ClassLikeDeclaration, { node: arming, spec, confidence, pattern }: Site): Owner {
    return {
      node,
      spec: { ...spec, acquire: [], isPersonal: false, release: { methods: [], takes: [], ofParent: [] } },
      arms: new Set([arming]),
      openers: [],
      enters: new Set(),
      isWhole: pattern.isWhole === true,
      isOpenedByConstructor: true,
      confidence,
    };
  }

  /** A class with the classes that it extends and those that extend it: a method may be in any of them. */
  #family(node: ts.ClassLikeDeclaration): ts.ClassLikeDeclaration[] {
    const found = [node, ...this.#entities.subclasses.of(node)];
    for (
      let at = this.#entities.baseOf(node);
      at !== null && !found.includes(at);
      at = this.#entities.baseOf(at)
    )
      found.push(at);
    return found;
  }

  /** The calls that open what a field has: `this.client.connect()`, or the one that acquires it. */
  #armingCalls(node: ts.ClassLikeDeclaration, path: string, isLazy: boolean, site: Site): ts.Node[] {
    const { pattern } = site;
    if (pattern.lazy !== true && pattern.armedBy === undefined) return [site.node];
    const arms = (name: string) => pattern.armedBy?.includes(name) ?? !isCloser(name);
    const onField = this.#family(node).flatMap((one) => callsOn(one, `this${path}`));
    const found = onField.filter(({ name }) => arms(name)).map(({ call }) => call);
    if (isLazy || found.length > 0) return found;
    // It was opened before it went to the field.
    const before = callsOn(unitOf(site.node), null).filter(({ name }) => arms(name));
    return before.length > 0 && pattern.armedBy !== undefined ? before.map(({ call }) => call) : [site.node];
  }

  /** The methods that give back what is in a field. */
  #closers(node: ts.ClassLikeDeclaration, opener: ts.ClassElement, path: string, site: Site): string[] {
    // The opener may also keep the function that releases: `this.done = done`.
    const fields = [path.slice(1).split('.')[0] ?? '', ...fieldsAssignedIn(opener)];
    const members = this.#family(node).flatMap(({ members }) => [...members]);
    const found = new Set<string>();
    for (let size = -1; size !== found.size; ) {
      size = found.size;
      for (const member of members) {
        const name = memberName(member);
        if (name === null || member === opener || found.has(name) || hasStatic(member)) continue;
        if (isCloser(name) ? this.#gives(member, fields, found) : this.#releases(name, member, path, site))
          found.add(name);
      }
    }
    return [...found];
  }

  /** Whether a method that is named for it has to do with the field, or calls one that has. */
  #gives(member: ts.ClassElement, fields: readonly string[], closers: ReadonlySet<string>): boolean {
    const text = member.getText();
    const mentions = (name: string) =>
      new RegExp(`\\b(this|super|self|that)\\b[?!]?\\.${escaped(name)}(?![\\w$])`).test(text);
    if (
      fields.some(
        (name) =>
          name !== '' &&
          (mentions(name) || new RegExp(`\\{[^{}]*\\b${escaped(name)}\\b[^{}]*\\}\\s*=\\s*this`).test(text)),
      )
    )
      return true;
    return [...closers].some((name) => mentions(name));
  }

  /** Whether a method of any name, such as `commit`, releases what is in the field wherever it returns. */
  #releases(name: string, member: ts.ClassElement, path: string, site: Site): boolean {
    if (!ts.isMethodDeclaration(member) || member.body === undefined) return false;
    const field = path.slice(1).split('.')[0] ?? '';
    const text = member.body.getText();
    if (!text.includes(field)) return false;
    // To follow every method of a large class would take longer than all the rest.
    const ends = saysItEnds(name) || site.spec.release.methods.some((one) => text.includes(`.${one}(`));
    if (!ends) return false;
    // Large families of classes ask the same for each of their openers.
    const known = this.#releasing.get(member) ?? new Map<string, boolean>();
    this.#releasing.set(member, known);
    const key = `${site.spec.id} ${path}`;
    const answer = known.get(key) ?? this.#walksToRelease(member, path, site);
    known.set(key, answer);
    return answer;
  }

  #walksToRelease(member: ts.MethodDeclaration, path: string, site: Site): boolean {
    const walk = new Walk(this.#program, site, { isCoarse: true });
    const { returned } = walk.run(member, [{ ...START_STATE, status: 'held', holders: [`this${path}`] }]);
    return (
      !walk.isExhausted &&
      walk.hasReleased &&
      returned.length > 0 &&
      returned.every(({ status }) => status === 'released')
    );
  }
}

/** The files in which calls are looked for, and their names. */
export interface Search {
  readonly project: Project;
  readonly entities: Entities;
  readonly among: readonly SourceUnit[];
  namesOf(callees: ReadonlySet<Callee>): ReadonlySet<string>;
}

/** The places that make instances of a class that holds leases, or of one that extends it. */
export function instancesOf(owner: Owner, { project, entities, among, namesOf }: Search): Site[] {
  const classes = new Set([owner.node, ...entities.subclasses.of(owner.node)]);
  const names = namesOf(classes);
  if (names.size === 0) return [];
  const pattern = callNames(names);
  return among.flatMap((unit) =>
    project.callsNamed(unit, pattern).flatMap((node) => {
      if (!ts.isNewExpression(node) || ts.isExpressionStatement(node.parent)) return [];
      const made = entities.of(node.expression);
      return made?.kind === 'class' && classes.has(made.node) ? [siteOf(node, owner)] : [];
    }),
  );
}

function siteOf(node: ts.NewExpression, owner: Owner): Site {
  const { spec, openers, isOpenedByConstructor, isWhole, confidence, arms, enters } = owner;
  return {
    node,
    spec,
    pattern: {
      kind: 'new',
      name: node.expression.getText(),
      from: [],
      ...(isOpenedByConstructor ? {} : { armedBy: openers }),
      ...(isWhole ? { isWhole } : {}),
    },
    at: [''],
    confidence,
    when: new Map(),
    via: null,
    arms,
    enters,
  };
}

/** The facts found about a class so far. */
class Draft {
  readonly arms = new Set<ts.Node>();
  readonly closers = new Set<string>();
  readonly #node: ts.ClassLikeDeclaration;
  readonly #site: Site;
  #told = '';

  constructor(node: ts.ClassLikeDeclaration, site: Site) {
    this.#node = node;
    this.#site = site;
  }

  isNews(): boolean {
    const state = `${this.arms.size} ${[...this.closers].sort().join()}`;
    if (this.closers.size === 0 || this.arms.size === 0 || state === this.#told) return false;
    this.#told = state;
    return true;
  }

  owner(family: readonly ts.ClassLikeDeclaration[]): Owner {
    const { spec, confidence, pattern } = this.#site;
    const openers = openersOf(family, this.arms, this.closers);
    return {
      node: this.#node,
      arms: new Set(this.arms),
      openers: [...openers].filter((name) => name !== CONSTRUCTOR),
      enters: new Set([...openers, ...callersOf(family, this.closers)]),
      isOpenedByConstructor: openers.has(CONSTRUCTOR),
      isWhole: pattern.isWhole === true,
      confidence,
      spec: {
        ...spec,
        title: `${spec.title} in an instance of ${this.#node.name?.text ?? 'a class'}`,
        acquire: [],
        isPersonal: false,
        release: { methods: [...this.closers].sort(), takes: spec.release.takes, ofParent: [] },
        protocol: [...new Set([...spec.protocol, ...[...openers].filter((name) => OPENING.test(name))])],
      },
    };
  }
}

const CONSTRUCTOR = 'constructor';
/** A method that only opens. */
const OPENING = /^(connect|open|init|initialize|start|setup|acquire|begin|ensure|attach|login)/i;

/** The methods that make one of the calls, or call a method that does, without closing again. */
function openersOf(
  family: readonly ts.ClassLikeDeclaration[],
  arms: ReadonlySet<ts.Node>,
  closers: ReadonlySet<string>,
): Set<string> {
  const openers = new Set<string>();
  for (const node of arms) {
    const owner = classAround(node);
    const member = owner === null ? null : memberAround(node, owner);
    const name =
      member === null
        ? null
        : ts.isPropertyDeclaration(member) && !hasFunction(member)
          ? CONSTRUCTOR
          : memberName(member);
    if (name !== null) openers.add(name);
  }
  const members = family.flatMap(({ members }) => [...members]);
  for (let size = -1; size !== openers.size; ) {
    size = openers.size;
    for (const member of members) {
      const name = memberName(member);
      if (name === null || openers.has(name) || closers.has(name) || hasStatic(member)) continue;
      const called = new Set(callsOn(member, 'this').map((one) => one.name));
      const opens = [...openers].some((one) => called.has(one));
      if (opens && ![...closers].some((one) => called.has(one))) openers.add(name);
    }
  }
  return openers;
}

/** The methods that call one of these methods. */
function callersOf(family: readonly ts.ClassLikeDeclaration[], names: ReadonlySet<string>): string[] {
  return family.flatMap(({ members }) =>
    [...members].flatMap((member) => {
      const name = memberName(member);
      return name !== null && callsOn(member, 'this').some((one) => names.has(one.name)) ? [name] : [];
    }),
  );
}

/** A class whose constructor gives or publishes its instances: there is one for all, or somebody keeps account of them. */
function isShared(node: ts.ClassLikeDeclaration): boolean {
  const body = constructorOf(node)?.body;
  if (body === undefined) return false;
  let found = false;
  const visit = (child: ts.Node): void => {
    if (ts.isReturnStatement(child) && child.expression !== undefined) found = true;
    if (ts.isFunctionExpression(child) || ts.isArrowFunction(child)) return;
    // `Db.instance = this`, `instances.push(this)`
    if (ts.isBinaryExpression(child) && child.right.kind === ts.SyntaxKind.ThisKeyword) {
      if (!ts.isIdentifier(child.left) || !/^(self|that|_this|me)$/.test(child.left.text)) found = true;
    }
    if (
      ts.isCallExpression(child) &&
      child.arguments.some(({ kind }) => kind === ts.SyntaxKind.ThisKeyword)
    ) {
      const callee = child.expression;
      if (ts.isPropertyAccessExpression(callee) && /^(push|add|set|register)$/.test(callee.name.text))
        found = true;
    }
    ts.forEachChild(child, visit);
  };
  ts.forEachChild(body, visit);
  return found;
}

/** `client = new Client()` of a class body. */
function fieldOf(member: ts.PropertyDeclaration, { pattern, at }: Site): readonly Stored[] {
  const name = memberName(member);
  if (name === null || hasFunction(member) || hasStatic(member)) return [];
  const isLazy = pattern.lazy === true || pattern.armedBy !== undefined;
  return at.filter((one) => !one.startsWith('!')).map((suffix) => ({ path: `.${name}${suffix}`, isLazy }));
}

function hasFunction(member: ts.PropertyDeclaration): boolean {
  const value = member.initializer;
  return value !== undefined && (ts.isArrowFunction(value) || ts.isFunctionExpression(value));
}

function memberAround(node: ts.Node, owner: ts.ClassLikeDeclaration): ts.ClassElement | null {
  let at = node;
  while (at.parent !== owner) {
    if (at.parent === undefined) return null;
    at = at.parent;
  }
  return ts.isClassElement(at) ? at : null;
}

function memberName(member: ts.ClassElement): string | null {
  if (ts.isConstructorDeclaration(member)) return CONSTRUCTOR;
  const { name } = member;
  if (name !== undefined && ts.isComputedPropertyName(name)) return `[${name.expression.getText()}]`;
  return nameOf(member);
}

/** The calls of methods on an object, by how that is written: `this.client`; null for any. */
function callsOn(
  within: ts.Node,
  object: string | null,
): { readonly call: ts.CallExpression; readonly name: string }[] {
  const found: { call: ts.CallExpression; name: string }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression, name } = node.expression;
      if (object === null || expression.getText().replace(/[?!]/g, '') === object)
        found.push({ call: node, name: name.text });
    }
    ts.forEachChild(node, visit);
  };
  visit(within);
  return found;
}

function fieldsAssignedIn(member: ts.ClassElement): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && ts.isPropertyAccessExpression(node.left)) {
      if (node.left.expression.kind === ts.SyntaxKind.ThisKeyword) found.push(node.left.name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(member);
  return found;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
