import { dirname, join } from 'node:path';
import { ts } from 'ts-morph';
import { languageOf } from '../languages/language.js';
import { PythonModules } from '../languages/python/modules.js';
import { STEP } from '../languages/python/translation.js';
import { mayCall, pythonUnit } from '../languages/python/unit.js';
import { Reads, unresolved, VIA_CONFIG } from '../reads.js';
import { realOf } from '../repository.js';
import { type FoundFile, readSource } from './files.js';
import { isMarkup, type Script, scriptOf } from './markup.js';
import { hasDeepAsyncHeads } from './nesting.js';
import { Resolver } from './resolve.js';
import type { Range, SourceUnit } from './unit.js';

export type { SourceUnit };

/** The differences from an earlier version of a project. */
export interface ProjectChange {
  /** null where there is none. */
  readonly project: Project | null;
  /** The files that are new or changed, by their paths; null reads the text from the disk. */
  readonly texts: ReadonlyMap<string, string | null>;
}

/** The audited files, and how one finds another. */
export class Project {
  readonly files: readonly SourceUnit[];
  readonly warnings: { readonly file: string; readonly line: number | null; readonly reason: string }[] = [];
  /** Files of which nothing was audited. */
  readonly skipped = new Set<string>();
  /** The files that led to each file. */
  readonly reads: Reads;
  readonly #byPath = new Map<string, SourceUnit>();
  readonly #asts: WeakMap<SourceUnit, ts.SourceFile>;
  readonly #units: WeakMap<ts.SourceFile, SourceUnit>;
  /** Knows paths only, so that a changed file leaves its answers as they are. */
  readonly #resolver: Resolver<string>;
  #places: Map<SourceUnit, number> | null = null;
  #bySuffix: Map<string, { readonly path: string; readonly name: string }[]> | null = null;

  /** `foreign` names packages that are never read as files of the project. `change` has what stays of an earlier version. */
  constructor(
    found: readonly FoundFile[],
    foreign: ReadonlySet<string> = new Set(),
    change: ProjectChange | null = null,
  ) {
    const before = change?.project ?? null;
    this.#asts = before === null ? new WeakMap() : before.#asts;
    this.#units = before === null ? new WeakMap() : before.#units;
    this.reads = before?.reads ?? new Reads();
    const files: SourceUnit[] = [];
    const paths = new Map<string, string>();
    const python = new Map<string, () => string>();
    const modules = new PythonModules(python, foreign);
    let next = before?.files.reduce((most, { index }) => Math.max(most, index + 1), 0) ?? 0;
    for (const { path, name } of found) {
      const known = before?.unitAt(path) ?? null;
      const isKept = change !== null && !change.texts.has(path);
      if (known !== null && isKept) files.push(known);
      else if (isKept && before?.skipped.has(name) === true) {
        this.warnings.push(...before.warnings.filter((one) => one.file === name));
        this.skipped.add(name);
        continue;
      } else {
        const given = change?.texts.get(path) ?? null;
        const read = given === null ? readSource(path) : { text: given };
        const reason = 'reason' in read ? read.reason : reasonToSkip(path, read.text);
        if ('reason' in read || reason !== null) {
          this.warnings.push({ file: name, line: null, reason: `skipped: ${reason}` });
          this.skipped.add(name);
          continue;
        }
        const source = read.text;
        const language = languageOf(path);
        const place = { index: known?.index ?? next++, path, name, source, language };
        files.push(
          language === 'python' ? pythonUnit(place, modules) : { ...place, ...scriptIn(path, source) },
        );
        this.reads.forget(path);
      }
      const unit = files.at(-1) as SourceUnit;
      if (unit.language === 'python') python.set(path, () => unit.code ?? unit.source);
      this.#byPath.set(path, unit);
      paths.set(path, path);
    }
    this.files = files;
    for (const unit of files) {
      // Files that are parsed already have their syntax errors still.
      const ast = this.#asts.get(unit);
      if (ast !== undefined) this.#warnOf(unit, ast);
    }
    const isSame =
      before !== null &&
      before.#byPath.size === paths.size &&
      files.every(({ path }) => before.#byPath.has(path));
    this.#resolver = isSame ? before.#resolver : new Resolver(paths, foreign);
    if (isSame) this.#bySuffix = before.#bySuffix;
  }

  /** The number of files that were parsed. */
  get parsedCount(): number {
    return this.files.filter((unit) => this.#asts.has(unit)).length;
  }

  /** The file at a path, if it is audited. */
  unitAt(path: string): SourceUnit | null {
    return this.#byPath.get(path) ?? null;
  }

  astOf(unit: SourceUnit): ts.SourceFile {
    const known = this.#asts.get(unit);
    if (known !== undefined) return known;
    const ast = ts.createSourceFile(unit.path, unit.text, PARSING, true, unit.kind);
    this.#asts.set(unit, ast);
    this.#units.set(ast, unit);
    this.#warnOf(unit, ast);
    return ast;
  }

  #warnOf(unit: SourceUnit, ast: ts.SourceFile): void {
    const line = unit.errors === undefined ? lineOfSyntaxError(ast) : lineOfFirst(unit.errors, unit);
    if (line !== null)
      this.warnings.push({
        file: unit.name,
        line,
        reason: 'audited as far as it can be read: a syntax error',
      });
  }

  /** The calls in a file whose name a pattern finds: the file is not gone through node by node. */
  callsNamed(unit: SourceUnit, pattern: RegExp): (ts.CallExpression | ts.NewExpression)[] {
    if (!isMentioned(unit, pattern)) return [];
    const found = new Set<ts.CallExpression | ts.NewExpression>();
    for (const match of unit.text.matchAll(pattern)) {
      const call = callOfName(nodeAt(this.astOf(unit), match.index));
      if (call !== null) found.add(call);
    }
    return [...found];
  }

  /** The name at a position of a file: `db.begin` where it is a property; null where there is none. */
  nameAt(unit: SourceUnit, position: number): ts.Expression | null {
    const node = nodeAt(this.astOf(unit), position);
    if (!ts.isIdentifier(node)) return null;
    return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node ? node.parent : node;
  }

  /** Maps a position of a tree to the line and column in the file, from 1. */
  placeAt(file: ts.SourceFile, position: number): { readonly line: number; readonly column: number } {
    const unit = this.unitOf(file);
    if (unit.language === 'typescript') {
      const { line, character } = file.getLineAndCharacterOfPosition(position);
      return { line: line + 1, column: character + 1 };
    }
    const before = unit.source.slice(0, unit.toSource(position));
    const start = before.lastIndexOf('\n') + 1;
    return { line: before.split('\n').length, column: before.length - start + 1 };
  }

  /** The code of a node as the file has it. */
  textOf(node: ts.Node): string {
    const unit = this.unitOf(node);
    if (unit.language === 'typescript') return node.getText();
    return unit.source.slice(unit.toSource(node.getStart()), unit.toSource(node.end - 1) + 1);
  }

  /** Whether the grammar understands a part of a file: of what it does not, no one can say what runs. */
  isUnderstood(node: ts.Node): boolean {
    const unit = this.unitOf(node);
    if (unit.errors === undefined || unit.errors.length === 0) return true;
    const [start, end] = [unit.toSource(node.getStart()), unit.toSource(node.end - 1)];
    return unit.errors.every(({ from, to }) => to < start || from > end);
  }

  unitOf(node: ts.Node): SourceUnit {
    const unit = this.#units.get(node.getSourceFile());
    if (unit === undefined) throw new Error('a node of a file that is not of this project');
    return unit;
  }

  /** The file that a node is of; null where that is no file of the project any more. */
  ownerOf(node: ts.Node): SourceUnit | null {
    const unit = this.#units.get(node.getSourceFile());
    return unit !== undefined && this.unitAt(unit.path) === unit ? unit : null;
  }

  /** The place of a node's file among all files. */
  placeOf(node: ts.Node): number {
    this.#places ??= new Map(this.files.map((unit, at) => [unit, at]));
    return this.#places.get(this.unitOf(node)) ?? -1;
  }

  /** The file that an import means, or null where it is a package or not among the audited files. */
  imported(from: SourceUnit, specifier: string): SourceUnit | null {
    if (from.language === 'python') return this.#importedByPath(from, specifier);
    const found = this.lookUp(from, specifier);
    if (found !== null) {
      this.reads.edge(from.path, found.path);
      if (!specifier.startsWith('.')) this.reads.edge(from.path, VIA_CONFIG);
    } else {
      const isRelative = specifier.startsWith('.');
      const wanted = isRelative ? join(dirname(realOf(from.path)), specifier) : specifier;
      this.reads.edge(from.path, unresolved(wanted));
    }
    return found;
  }

  /** The same, without a note of who asked. */
  lookUp(from: SourceUnit, specifier: string): SourceUnit | null {
    const folder = dirname(from.path);
    const path = this.#resolver.resolve(folder, specifier) ?? this.#byEnd(folder, specifier);
    return path === null ? null : this.unitAt(path);
  }

  /** Finds a file that a translation has resolved: a path is a file, anything else a package. */
  #importedByPath(from: SourceUnit, specifier: string): SourceUnit | null {
    const found = this.#byPath.get(specifier) ?? null;
    this.reads.edge(from.path, found?.path ?? unresolved(specifier));
    return found;
  }

  /** The audited files that an import may mean whose path has parts that are not known, written as `*`. */
  importedByPattern(from: SourceUnit, pattern: string): SourceUnit[] {
    if (!pattern.startsWith('.') || !/\w/.test(pattern.replaceAll('*', ''))) return [];
    const words = join(dirname(from.path), pattern.replace(/\.[cm]?[jt]sx?$/, '')).split('*');
    const path = new RegExp(`^${words.map(escaped).join('[^/]*')}(\\.[cm]?[jt]sx?)?$`);
    const found = this.files.filter((unit) => path.test(unit.path));
    for (const unit of found) this.reads.edge(from.path, unit.path);
    return found;
  }

  /**
   * An alias such as `@/db/pool` or `src/db/pool` that no config defines: read by its end. One that fits several files,
   * or none, is taken for a package.
   */
  #byEnd(folder: string, specifier: string): string | null {
    if (specifier.startsWith('node:') || specifier.startsWith('.')) return null;
    const tail = specifier.replace(/^[@~#]?[\w-]*\//, '').replace(/\.[cm]?jsx?$/, '');
    const isAlias = /^([@~#]\/|#|src\/|app\/|lib\/)/.test(specifier) || /^@?[\w-]+\/.+\/./.test(specifier);
    if (!isAlias || tail === '') return null;
    const [name = ''] = /^(@[\w.-]+\/)?[\w.-]+/.exec(specifier) ?? [];
    if (this.#resolver.dependsOn(folder, name)) return null;
    this.#bySuffix ??= this.#suffixes();
    const stem = tail.split('/').at(-1) ?? '';
    const fits = (this.#bySuffix.get(stem) ?? []).filter((unit) => {
      const path = `/${unit.name.replace(/\.[cm]?[jt]sx?$/, '')}`;
      return path.endsWith(`/${tail}`) || path.endsWith(`/${tail}/index`);
    });
    return fits.length === 1 ? (fits[0]?.path ?? null) : null;
  }

  #suffixes(): Map<string, SourceUnit[]> {
    const found = new Map<string, SourceUnit[]>();
    const add = (key: string, unit: SourceUnit) => found.set(key, [...(found.get(key) ?? []), unit]);
    for (const unit of this.files) {
      const parts = unit.name.replace(/\.[cm]?[jt]sx?$/, '').split('/');
      const stem = parts.at(-1) ?? '';
      add(stem, unit);
      if (stem === 'index' && parts.length > 1) add(parts.at(-2) ?? '', unit);
    }
    return found;
  }
}

/** Whether a file may have a name in its translation. To translate it takes longer than to look. */
function isMentioned({ language, source }: SourceUnit, pattern: RegExp): boolean {
  if (language === 'typescript' || mayCall(source, pattern)) return true;
  return pattern.source.includes(STEP.replace('$', '\\$')) && /\bnext\(/.test(source);
}

/** Comments are not read: they take a third of the time. */
const PARSING: ts.CreateSourceFileOptions = {
  languageVersion: ts.ScriptTarget.Latest,
  jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
};

function scriptIn(path: string, source: string): Script & Pick<SourceUnit, 'toSource'> {
  const script = isMarkup(path) ? scriptOf(path, source) : { text: source, kind: kindOf(path) };
  return { ...script, toSource: (position) => position };
}

function kindOf(path: string): ts.ScriptKind {
  if (path.endsWith('.tsx')) return ts.ScriptKind.TSX;
  if (/\.[cm]?ts$/.test(path)) return ts.ScriptKind.TS;
  return ts.ScriptKind.JSX; // JSX in .js files is common, and plain JavaScript reads the same
}

/**
 * The first line with a syntax error, from 1; null if there is none. The compiler knows it, though its types do not
 * show it.
 */
function lineOfSyntaxError(ast: ts.SourceFile): number | null {
  const { parseDiagnostics } = ast as { readonly parseDiagnostics?: readonly ts.DiagnosticWithLocation[] };
  const first = parseDiagnostics?.[0];
  return first === undefined ? null : ast.getLineAndCharacterOfPosition(first.start).line + 1;
}

function lineOfFirst([first]: readonly Range[], { source }: SourceUnit): number | null {
  return first === undefined ? null : source.slice(0, first.from).split('\n').length;
}

/** Why the text of a file is not parsed; null if it is. */
function reasonToSkip(path: string, text: string): string | null {
  if (isMinified(path, text)) return 'it looks minified';
  return hasDeepAsyncHeads(text) ? 'it opens too many "async (" inside each other' : null;
}

/**
 * Lines that no one wrote: an average of more than 500 characters over a file of some size. The contents of strings do
 * not count: a drawing or a certificate may be one long line of a file that is written by hand.
 */
function isMinified(path: string, text: string): boolean {
  // A notebook holds pictures.
  if (text.length < 20_000 || path.endsWith('.ipynb')) return false;
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  if (text.length / lines <= 500) return false;
  return text.replace(LONG_STRING, '').length / lines > 500;
}

const LONG_STRING = /(["'`])(?:(?!\1)[^\\\n]|\\[^\n]){200,}\1/g;

/** The smallest node around a position of the text. */
function nodeAt(file: ts.SourceFile, position: number): ts.Node {
  let node: ts.Node = file;
  const isAround = (one: ts.Node) => one.pos <= position && position < one.end;
  for (;;) {
    const child: ts.Node | undefined = ts.forEachChild(
      node,
      (one) => (isAround(one) ? one : undefined),
      (nodes) => lastFrom(nodes, position, isAround),
    );
    if (child === undefined) return node;
    node = child;
  }
}

/**
 * The last node that begins before a position, if it encloses the position. The nodes are in the order of the text.
 */
function lastFrom(
  nodes: readonly ts.Node[],
  position: number,
  isAround: (node: ts.Node) => boolean,
): ts.Node | undefined {
  let [low, high] = [0, nodes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((nodes[middle]?.pos ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  const found = nodes[low - 1];
  return found !== undefined && isAround(found) ? found : undefined;
}

/** The call that a node is the name of: `connect` of `pool.connect()`. */
function callOfName(node: ts.Node): ts.CallExpression | ts.NewExpression | null {
  if (!ts.isIdentifier(node) && !ts.isPrivateIdentifier(node)) return null;
  const callee = ts.isPropertyAccessExpression(node.parent) && node.parent.name === node ? node.parent : node;
  const call = callee.parent;
  const isCall = (ts.isCallExpression(call) || ts.isNewExpression(call)) && call.expression === callee;
  return isCall ? call : null;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
