import { ts } from 'ts-morph';
import type { Project, SourceUnit } from './project.js';
import { isFunction } from './scope.js';
import { bare, nameOf } from './syntax.js';

const BASES = /\b(?:extends|implements)\s+([^{;=()]{1,400})/g;
const PYTHON_BASES = /\bclass\s+\w+\s*\(([^()]{1,400})\)/g;

/** The types from which a class or an interface can be derived. */
export type Base = ts.ClassLikeDeclaration | ts.InterfaceDeclaration;

/** Finds the classes that extend a class or implement an interface, directly or not. */
export class Subclasses {
  readonly #project: Project;
  /** The meaning of a name in a heritage clause. */
  readonly #meaning: (name: ts.Expression) => Base | null;
  #units: Map<string, Set<SourceUnit>> | null = null;
  readonly #direct = new Map<Base, readonly Base[]>();

  constructor(project: Project, meaning: (name: ts.Expression) => Base | null) {
    this.#project = project;
    this.#meaning = meaning;
  }

  /** All classes that are derived, the nearest first. */
  of(base: Base): ts.ClassLikeDeclaration[] {
    const found = new Set<Base>();
    const queue = [base];
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      for (const derived of this.#directOf(one)) {
        if (found.has(derived) || derived === base) continue;
        found.add(derived);
        queue.push(derived);
      }
    }
    return [...found].filter(ts.isClassLike);
  }

  /** The bodies that a call of a method may run in derived classes. */
  overrides(base: Base, name: string): ts.SignatureDeclaration[] {
    return this.of(base).flatMap(({ members }) =>
      members.flatMap((member): ts.SignatureDeclaration[] => {
        if (nameOf(member) !== name) return [];
        if (ts.isMethodDeclaration(member)) return member.body === undefined ? [] : [member];
        // `begin = async () => { ... }`
        const given = ts.isPropertyDeclaration(member) ? member.initializer : undefined;
        const value = given === undefined ? undefined : withoutType(bare(given));
        return value !== undefined && isFunction(value) ? [value] : [];
      }),
    );
  }

  #directOf(base: Base): readonly Base[] {
    const known = this.#direct.get(base);
    if (known !== undefined) return known;
    this.#direct.set(base, []);
    const name = base.name?.text;
    const units = name === undefined ? [] : [...(this.#unitsBy().get(name) ?? [])];
    const found = units.flatMap((unit) => this.#derivedIn(this.#project.astOf(unit), base));
    this.#direct.set(base, found);
    return found;
  }

  #derivedIn(file: ts.SourceFile, base: Base): Base[] {
    const found: Base[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isClassLike(node) || ts.isInterfaceDeclaration(node)) {
        const bases = node.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
        if (bases.some(({ expression }) => this.#meaning(expression) === base)) found.push(node);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
    return found;
  }

  /** The files that name a class or interface behind `extends` or `implements`. */
  #unitsBy(): ReadonlyMap<string, ReadonlySet<SourceUnit>> {
    if (this.#units !== null) return this.#units;
    const byName = new Map<string, Set<SourceUnit>>();
    for (const unit of this.#project.files) {
      for (const name of basesIn(unit)) {
        const units = byName.get(name) ?? new Set();
        byName.set(name, units.add(unit));
      }
    }
    this.#units = byName;
    return byName;
  }
}

function withoutType(value: ts.Expression): ts.Expression {
  return ts.isAsExpression(value) ? bare(value.expression) : value;
}

const named = new WeakMap<SourceUnit, ReadonlySet<string>>();

/** The names behind `extends` and `implements` of one file, which does not change. */
export function basesIn(unit: SourceUnit): ReadonlySet<string> {
  const known = named.get(unit);
  if (known !== undefined) return known;
  const names = new Set<string>();
  const clauses =
    unit.language === 'typescript' ? unit.text.matchAll(BASES) : unit.source.matchAll(PYTHON_BASES);
  for (const [, bases = ''] of clauses)
    for (const [name] of bases.matchAll(/[A-Za-z_$][\w$]*/g)) names.add(name);
  named.set(unit, names);
  return names;
}
