import Module from 'node:module';
import { performance } from 'node:perf_hooks';
import { announced, brandOf } from '../../pool/brand.js';
import { isKnexClient } from '../mappers.js';
import { meetModule } from '../modules.js';
import type { Watcher } from '../watcher.js';
import { type Walk, type WalkCounts, walk } from './reach.js';
import { openScopes } from './scopes.js';

export interface Search {
  readonly watcher: Watcher;
  /** From where the search starts, beside loaded modules and globals. */
  readonly roots: readonly object[];
  /** Objects of Node itself: they lead to no pool, and to a lot else. */
  readonly builtIn: ReadonlySet<object>;
  /** Ends the search early. */
  readonly isOver: () => boolean;
}

export interface Found extends WalkCounts {
  readonly pools: number;
  /** The longest time for which the search kept the program waiting, in milliseconds. */
  readonly longestMs: number;
}

/** The program gets its turn after this time. */
const SLICE_MS = 3;
/** Objects that are looked at. The pools of a server are a few steps from its handlers. */
const MOST_OBJECTS = 60_000;
const MOST_FUNCTIONS = 2000;
/** The time that the search may take in all, most of which is the program's own. */
const MOST_MS = 10_000;

/**
 * Finds the pools of a running program: first the classes in its loaded modules, then, from whatever keeps the program
 * alive, the pools themselves. A pool that is not found now is met when it is next used, by its class.
 *
 * The heap itself is not searched (`queryObjects`): that collects garbage first, which stops the program for longer.
 */
export async function findPools({ watcher, roots, builtIn, isOver }: Search): Promise<Found> {
  const counts: WalkCounts = { objects: 0, functions: 0, isCut: false };
  let pools = 0;
  const kinds = new WeakMap<object, boolean>();
  /** Whether objects of that prototype may be pools: asked once for each class. */
  const meet = (object: object): boolean => {
    const prototype = Object.getPrototypeOf(object) as object | null;
    if (prototype === null || prototype === Object.prototype) return false;
    let isPool = kinds.get(prototype);
    if (isPool === undefined) {
      isPool = brandOf(object) !== null || isKnexClient(object) || watcher.isKind(object);
      kinds.set(prototype, isPool);
    }
    if (!isPool) return false;
    try {
      if (watcher.meet(object)) pools++;
      return true;
    } catch {
      // The prototype of a class looks like its pools, and has nothing in it.
      return false;
    }
  };
  const scopes = openScopes();
  const options = {
    scopesOf: scopes.of,
    meet,
    without: builtIn,
    mostObjects: MOST_OBJECTS,
    mostFunctions: MOST_FUNCTIONS,
  };
  try {
    const longestMs = await inSlices(steps(watcher, roots, options, counts), isOver);
    return { ...counts, pools, longestMs };
  } finally {
    scopes[Symbol.dispose]();
  }
}

function* steps(
  watcher: Watcher,
  roots: readonly object[],
  options: Walk,
  counts: WalkCounts,
): Generator<void> {
  const modules = Object.values((Module as unknown as { _cache: Record<string, NodeJS.Module> })._cache);
  for (const module of modules) {
    yield;
    try {
      meetModule(module.exports, watcher);
    } catch {
      // The module must not notice the look at its exports.
    }
  }
  yield* walk([...announced(), ...roots, ...rootsOf(modules)], options, counts);
}

/** Globals, and what modules export: first the program's own, then those of packages. */
function rootsOf(modules: readonly NodeJS.Module[]): object[] {
  const isPackage = ({ filename }: NodeJS.Module): boolean => /[\\/]node_modules[\\/]/.test(filename ?? '');
  const own = modules.filter((one) => !isPackage(one));
  const others = modules.filter(isPackage);
  const globals = Reflect.ownKeys(globalThis).flatMap((key) => {
    const value: unknown = Object.getOwnPropertyDescriptor(globalThis, key)?.value;
    return typeof value === 'object' && value !== null ? [value] : [];
  });
  const exported = [...own, ...others].flatMap((one): object[] => {
    const value: unknown = one.exports;
    return (typeof value === 'object' || typeof value === 'function') && value !== null ? [value] : [];
  });
  return [...globals, ...exported];
}

/** Runs a generator, and gives the program its turn in between. Resolves to the longest time without one. */
function inSlices(work: Generator<void>, isOver: () => boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const endAt = performance.now() + MOST_MS;
    let longestMs = 0;
    const slice = (): void => {
      const begunAt = performance.now();
      let now = begunAt;
      try {
        let isDone = false;
        while (!isDone && now - begunAt < SLICE_MS) {
          isDone = work.next().done === true;
          now = performance.now();
        }
        longestMs = Math.max(longestMs, now - begunAt);
        if (isDone || isOver() || now > endAt) resolve(longestMs);
        // Not setImmediate: the program would have no more than every other turn of a busy loop.
        else setTimeout(slice, 1).unref();
      } catch (error) {
        reject(error);
      }
    };
    slice();
  });
}
