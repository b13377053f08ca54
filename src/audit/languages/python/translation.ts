import type { Imports } from './imports.js';
import type { PythonModules } from './modules.js';
import type { PyNode } from './syntax.js';
import { Writer } from './writer.js';

/** The surroundings of the code that is being written. */
export interface Surrounding {
  readonly kind: 'module' | 'function' | 'class';
  /** The first parameter of the method around: `self` or `cls`. */
  readonly self: string | null;
  /** The class around. */
  readonly className: string | null;
  /** A constructor or a property cannot wait. */
  readonly awaits: boolean;
  /** Whether a yield of the function passes a value to a `with` statement. */
  readonly lends: boolean;
  readonly isConstructor: boolean;
  /** The parameters of a function that `with` runs: what it yields of them is theirs. */
  readonly lent: ReadonlySet<string>;
  /** Only the first step of a generator, which its caller runs by `next`: what it yields is what it gives. */
  readonly isFirstStep: boolean;
  /** The assignments that declare a name. */
  readonly declaredBy: ReadonlyMap<PyNode, string>;
  /** For each loop around, the label that `break` needs for the sake of an `else`. */
  readonly loops: readonly (string | null)[];
}

/** The translation of one file in progress. */
export class Translation {
  readonly source: string;
  readonly path: string;
  readonly out: Writer;
  readonly imports: Imports;
  readonly modules: PythonModules;
  readonly targets: ReadonlyMap<number, PyNode>;
  readonly classes: ReadonlySet<string>;
  /** Names that are exported at the end: functions that are defined under a condition. */
  readonly exported: string[] = [];
  /** Generators of other files whose first step is run here. */
  readonly stepped = new Set<string>();
  around: Surrounding;
  #count = 0;

  constructor(
    source: string,
    path: string,
    imports: Imports,
    modules: PythonModules,
    targets: ReadonlyMap<number, PyNode>,
  ) {
    this.source = source;
    this.path = path;
    this.out = new Writer(source);
    this.imports = imports;
    this.modules = modules;
    this.targets = targets;
    this.classes = modules.classesIn(path);
    this.around = {
      kind: 'module',
      self: null,
      className: null,
      awaits: true,
      lends: false,
      isConstructor: false,
      lent: new Set(),
      isFirstStep: false,
      declaredBy: new Map(),
      loops: [],
    };
  }

  textOf({ from, to }: PyNode): string {
    return this.source.slice(from, to);
  }

  /** A name that the file does not have. */
  fresh(stem: string): string {
    return `$${stem}${this.#count++}`;
  }

  /** Runs a part of the translation in other surroundings. */
  within(change: Partial<Surrounding>, work: () => void): void {
    const before = this.around;
    this.around = { ...before, ...change };
    work();
    this.around = before;
  }

  put(text: string): void {
    this.out.put(text);
  }
}

/** Words that are no names in the language that is written. */
const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
    'false finally for function if implements import in instanceof interface let new null package private protected ' +
    'public return static super switch this throw true try typeof var void while with yield undefined process ' +
    'console module exports require Promise global assert async of type'
  ).split(' '),
);

/** The suffix of a generator of which only the first step runs. */
export const STEP = '$next';

/** The name of the first step of a generator. */
export function stepOf(name: string): string {
  return name + STEP;
}

/** The name that a Python name has in the translation. */
export function nameFor(name: string): string {
  return RESERVED.has(name) ? `${name}$` : name;
}
