import { performance } from 'node:perf_hooks';
import { captureSite } from '../base/call-site.js';
import { type Frame, framesOf } from './frames.js';
import { plainValue } from './hooking.js';
import { changed, mark } from './undo.js';

/** When and where a pool was made. */
export interface Making {
  /** By the watcher's clock. */
  readonly at: number;
  /** Holds the stack, unformatted. */
  readonly site: Error;
}

const MAKING = Symbol.for('poolctl.making');
const STACK_FRAMES = 30;

/**
 * Notes where each object of a class is made: a constructor assigns `property`, and a setter on the prototype meets that
 * assignment. The object then has the property as its own, as without us. A class whose fields are defined and not
 * assigned goes past it.
 */
export function noteMaking(prototype: object, property: string, now: () => number): void {
  if (Object.hasOwn(prototype, property) || plainValue(prototype, property) !== undefined) return;
  Object.defineProperty(prototype, property, {
    configurable: true,
    enumerable: false,
    get: () => undefined,
    set: function setWatched(this: object, value: unknown) {
      Object.defineProperty(this, property, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
      const making: Making = { at: now(), site: captureSite(setWatched, STACK_FRAMES) };
      mark(this, MAKING, making);
    },
  });
  changed(prototype, (one) => delete (one as Record<string, unknown>)[property]);
}

/** The making that runs now, of what calls this. */
export function makingHere(): Making {
  return { at: performance.now(), site: captureSite(makingHere, STACK_FRAMES) };
}

/** null where the making was not seen. */
export function makingOf(object: object): Making | null {
  return (object as { readonly [MAKING]?: Making })[MAKING] ?? null;
}

/** So many ways to the makings of pools are remembered. */
const MOST_WAYS = 100;

/** The makings of all pools of a process: a helper that makes pools for several callers is not the place itself. */
export class Makings {
  readonly #sites: Error[] = [];

  add(making: Making | null): void {
    if (making === null || this.#sites.length >= MOST_WAYS) return;
    this.#sites.push(making.site);
  }

  /** The first call, from the innermost one, that not all makings of that line share. null where it was not seen. */
  siteOf(making: Making | null): string | null {
    if (making === null) return null;
    const frames = framesOf(making.site);
    const [first] = frames;
    if (first === undefined) return null;
    const alike = this.#sites.map(framesOf).filter(([other]) => other?.site === first.site);
    const at = frames.findIndex((frame, i) => i > 0 && alike.some((other) => isOther(other[i], frame)));
    return (at < 0 ? first : frames[at])?.site ?? null;
  }
}

/** Calls of two lines. Behind the end of a stack nothing is known. */
function isOther(one: Frame | undefined, other: Frame): boolean {
  return one !== undefined && one.site !== other.site;
}
