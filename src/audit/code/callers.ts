import { basename, dirname } from 'node:path';
import { ts } from 'ts-morph';
import type { Entities } from './entities.js';
import type { Project, SourceUnit } from './project.js';
import { functionName, isFunction } from './scope.js';
import { hasModifier } from './syntax.js';

/** A function or a class that others may call by other names. */
export type Callee = ts.SignatureDeclaration | ts.ClassLikeDeclaration;

/**
 * The names by which functions and classes may be called anywhere in the project: their own, what imports, exports and
 * tables call them, and the names of default imports. A call of such a name still has to be looked up. `among` are the files
 * in which other names are looked for.
 */
export function namesOfCalls(
  callees: ReadonlySet<Callee>,
  project: Project,
  entities: Entities,
  among: readonly SourceUnit[] = project.files,
): Set<string> {
  const names = new Set<string>();
  const units = new Set<SourceUnit>();
  const wholes = new Set<SourceUnit>();
  for (const node of callees) {
    const name = ts.isClassLike(node) ? className(node) : functionName(node);
    if (name !== null) names.add(name);
    const unit = project.unitOf(node);
    units.add(unit);
    if (isNamedFreely(node, project)) wholes.add(unit);
  }
  const makers = new Set([...callees].flatMap((node) => makerOf(node) ?? []));
  if (makers.size > 0) for (const alias of resultsNamed(makers, among)) names.add(alias);
  if (names.size > 0)
    for (const alias of valuesOf(names, units, callees, { project, among }, entities)) names.add(alias);
  if (wholes.size > 0) for (const alias of importsOf(wholes, project, among)) names.add(alias);
  let fresh: ReadonlySet<string> = new Set(names);
  for (let round = 0; fresh.size > 0 && round < ROUNDS; round++) {
    fresh = new Set(renamesOf(fresh, among).filter((alias) => !names.has(alias)));
    for (const alias of fresh) names.add(alias);
  }
  return names;
}

const keys = new WeakMap<Callee, { readonly key: string; readonly isWhole: boolean }>();

/** Identifies a search for other names: functions and classes of the same key have the same names. */
export function searchKeyOf(node: Callee, project: Project): string {
  return keyOf(node, project).key;
}

/** Tells whether importers choose the name of a function or class. */
export function isNamedFreely(node: Callee, project: Project): boolean {
  return keyOf(node, project).isWhole;
}

function keyOf(node: Callee, project: Project): { readonly key: string; readonly isWhole: boolean } {
  const known = keys.get(node);
  if (known !== undefined) return known;
  const name = ts.isClassLike(node) ? className(node) : functionName(node);
  const unit = project.unitOf(node);
  const whole = isWhole(node, name, unit);
  const found = { key: `${unit.path} ${name ?? ''} ${makerOf(node) ?? ''} ${whole}`, isWhole: whole };
  keys.set(node, found);
  return found;
}

/** A name of a name of a name. */
const ROUNDS = 3;

/** `makeLender` of `const makeLender = (pool) => async () => pool.connect()`: the function that gives a function. */
function makerOf(node: Callee): string | null {
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return null;
  for (let at: ts.Node = node.parent; at !== undefined; at = at.parent) {
    if (isFunction(at)) return functionName(at);
    const isResult =
      ts.isReturnStatement(at) || ts.isBlock(at) || ts.isParenthesizedExpression(at) || ts.isAsExpression(at);
    if (!isResult) return null;
  }
  return null;
}

/** The names of what such functions give: `const lend = makeLender(pool)`. */
function resultsNamed(makers: ReadonlySet<string>, files: readonly SourceUnit[]): string[] {
  const any = [...makers].map(escaped).join('|');
  const assigned = new RegExp(`([\\w$]+)\\s*[:=]\\s*(?:await\\s+)?(?:[\\w$.]*\\.)?(?:${any})\\s*\\(`, 'g');
  const wanted = [...makers];
  return files.flatMap((unit) =>
    wanted.some((name) => unit.source.includes(name))
      ? [...unit.text.matchAll(assigned)].flatMap(([, name]) => name ?? [])
      : [],
  );
}

function className({ name, parent }: ts.ClassLikeDeclaration): string | null {
  if (name !== undefined) return name.text;
  return ts.isVariableDeclaration(parent) && ts.isIdentifier(parent.name) ? parent.name.text : null;
}

/** Whether a function is all that its file exports, or the default export: importers name it as they like. */
function isWhole(node: ts.Node, name: string | null, { text }: SourceUnit): boolean {
  const { parent } = node;
  if (ts.isExportAssignment(parent)) return true;
  if (ts.isBinaryExpression(parent) && /^module\.exports\b|^exports$/.test(parent.left.getText()))
    return true;
  if (hasModifier(node, ts.SyntaxKind.DefaultKeyword)) return true;
  return (
    name !== null &&
    new RegExp(`(export default|module\\.exports\\s*=)\\s*${escaped(name)}\\s*(;|$)`, 'm').test(text)
  );
}

/**
 * The names that imports, exports and destructuring give: `{ getClient as lend }`, `const { getClient: lend } = db`.
 */
function renamesOf(names: ReadonlySet<string>, files: readonly SourceUnit[]): string[] {
  const wanted = [...names];
  const any = wanted.map(escaped).join('|');
  const quick = new RegExp(`(?<![\\w$])(?:${any})(?:\\s+as\\s|\\s*:)`);
  const renamed = new RegExp(`(?<![\\w$.])(?:${any})\\s*(?:\\sas\\s|:)\\s*([\\w$]+)`, 'g');
  return files.flatMap((unit) => {
    if (!wanted.some((name) => unit.source.includes(name))) return [];
    // Names are the same in a translation: a file without any need not be translated.
    if (!quick.test(unit.language === 'python' ? unit.source : unit.text)) return [];
    const { text } = unit;
    return [...text.matchAll(CLAUSE)].flatMap(([, one, two]) =>
      [...(one ?? two ?? '').matchAll(renamed)].flatMap(([, alias]) => alias ?? []),
    );
  });
}

/** The braces of `import { ... }`, `export { ... }` and `{ ... } =`. */
const CLAUSE = /\b(?:import|export)\b[^;'"{}=]*\{([^{}]*)\}|\{([^{}()]*)\}\s*=(?!=|>)/g;

/** `{ begin: getClient }`, `exports.begin = getClient`: the names of what has one of the functions as its value. */
function valuesOf(
  names: ReadonlySet<string>,
  units: ReadonlySet<SourceUnit>,
  callees: ReadonlySet<Callee>,
  { project, among }: { readonly project: Project; readonly among: readonly SourceUnit[] },
  entities: Entities,
): string[] {
  const wanted = [...names];
  const any = wanted.map(escaped).join('|');
  const value = new RegExp(`([\\w$]+)\\s*[:=]\\s*(?:[^,;{}=>\\n]*[.\\s])?(${any})\\s*[,;}\\n]`, 'g');
  const imports = new RegExp(
    `\\b(?:import|require)\\b[^;]*\\b(?:${any})\\b|\\b(?:${any})\\b[^;]*\\brequire\\b`,
  );
  const inPython = new RegExp(`[:=]\\s*(?:[^,;{}=>\\n]*[.\\s])?(?:${any})[ \\t]*(?:[,;})\\n\\r#]|$)`);
  const found: string[] = [];
  for (const unit of among) {
    // To look for a text is much faster than to match a pattern.
    if (!wanted.some((name) => unit.source.includes(name))) continue;
    if (unit.language === 'python' && !inPython.test(unit.source)) continue;
    if (!units.has(unit) && !imports.test(unit.text)) continue;
    for (const match of unit.text.matchAll(value)) {
      const [whole, alias = '', name = ''] = match;
      if (alias === name) continue;
      const node = project.nameAt(unit, match.index + whole.lastIndexOf(name));
      const meant = node === null ? null : entities.of(node);
      const isMeant = (meant?.kind === 'function' || meant?.kind === 'class') && callees.has(meant.node);
      if (isMeant) found.push(alias);
    }
  }
  return found;
}

/** The names that other files give to what they import of files as a whole. */
function importsOf(
  wholes: ReadonlySet<SourceUnit>,
  project: Project,
  among: readonly SourceUnit[],
): string[] {
  const stems = new Set([...wholes].flatMap(({ path }) => [stemOf(path), basename(dirname(path))]));
  return among.flatMap((unit) =>
    // A Python module is no function.
    unit.language !== 'typescript'
      ? []
      : [...unit.text.matchAll(WHOLE_IMPORT)].flatMap(([, esm, reexported, from, cjs, required]) => {
          const [name, specifier] = [esm ?? reexported ?? cjs, from ?? required];
          if (name === undefined || specifier === undefined) return [];
          const isNear =
            stems.has(stemOf(specifier)) || /^[.]*$/.test(specifier) || /^(@[^/]+\/)?[^/.]+$/.test(specifier);
          const found = isNear ? project.imported(unit, specifier) : null;
          return found !== null && wholes.has(found) ? [name] : [];
        }),
  );
}

function stemOf(path: string): string {
  return basename(path).replace(/\.[cm]?[jt]sx?$/, '');
}

/** `import x from './x'`, `{ default as x } from './x'`, `const x = require('./x')`. */
const WHOLE_IMPORT =
  /\b(?:import\s+(?:type\s+)?([\w$]+)|default\s+as\s+([\w$]+))[^'";=]*from\s*['"]([^'"]+)['"]|([\w$]+)\s*=\s*require\(\s*['"]([^'"]+)['"]/g;

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
