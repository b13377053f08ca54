import { types } from 'node:util';

export interface Walk {
  /** The closed-over variables of a function, and what it is bound to. */
  readonly scopesOf: (fn: object) => readonly unknown[];
  /** Called for each object, once. Answers whether what is within it is of no interest. */
  readonly meet: (object: object) => boolean;
  /** Objects that are not looked at, nor what only they lead to. */
  readonly without: ReadonlySet<object>;
  readonly mostObjects: number;
  readonly mostFunctions: number;
}

export interface WalkCounts {
  objects: number;
  functions: number;
  /** Whether something was left out, since a limit was reached. */
  isCut: boolean;
}

/** Entries of one array, map, set or object that are followed: larger ones are data. */
const MOST_ENTRIES = 500;

/**
 * Walks from some objects over whatever they lead to: properties, entries, closures. It calls no code of the program:
 * getters and proxies are left out. Objects of classes and functions come before plain data, of which a program may have
 * a lot. It yields after each object, so that its caller can give the program its turn.
 */
export function* walk(roots: readonly object[], options: Walk, counts: WalkCounts): Generator<void> {
  const seen = new Set<object>();
  const [first, later]: [object[], object[]] = [[], []];
  const add = (value: unknown): void => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return;
    if (seen.has(value) || options.without.has(value) || types.isProxy(value) || isPlainBytes(value)) return;
    if (seen.size >= options.mostObjects) {
      counts.isCut = true;
      return;
    }
    seen.add(value);
    (isData(value) ? later : first).push(value);
  };
  for (const root of roots) add(root);
  for (let [atFirst, atLater] = [0, 0]; atFirst < first.length || atLater < later.length; ) {
    const object = (atFirst < first.length ? first[atFirst++] : later[atLater++]) as object;
    counts.objects++;
    yield;
    if (options.meet(object)) continue;
    addProperties(object, add);
    if (types.isMap(object) || types.isSet(object)) addEntries(object, add);
    if (typeof object !== 'function') continue;
    if (counts.functions >= options.mostFunctions) {
      counts.isCut = true;
      continue;
    }
    counts.functions++;
    for (const value of options.scopesOf(object)) add(value);
    yield;
  }
}

/** The methods of a class see the variables that its constructor sees. */
const CLASS_KEYS: ReadonlySet<unknown> = new Set(['prototype', 'super_']);

function addProperties(object: object, add: (value: unknown) => void): void {
  if (Array.isArray(object)) {
    for (const value of object.slice(0, MOST_ENTRIES)) add(value);
    return;
  }
  const isFunction = typeof object === 'function';
  let left = MOST_ENTRIES;
  for (const key of Reflect.ownKeys(object)) {
    if (--left < 0) return;
    if (isFunction && CLASS_KEYS.has(key)) continue;
    try {
      add(Object.getOwnPropertyDescriptor(object, key)?.value);
    } catch {
      // An export of a module that is still loading.
    }
  }
}

function addEntries(
  entries: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>,
  add: (value: unknown) => void,
): void {
  let left = MOST_ENTRIES;
  // The built-in iterators, whatever the class of the program has made of its own.
  const iterate = types.isMap(entries) ? Map.prototype.entries : Set.prototype.entries;
  for (const [key, value] of iterate.call(entries as never)) {
    if (--left < 0) return;
    add(key);
    add(value);
  }
}

function isPlainBytes(value: object): boolean {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
}

function isData(value: object): boolean {
  if (typeof value === 'function') return false;
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}
