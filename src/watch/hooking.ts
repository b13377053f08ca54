import { changed } from './undo.js';

const HOOKED = Symbol.for('poolctl.hooked');

type Method = (this: never, ...args: never[]) => unknown;

/**
 * Puts a method of ours in the place of one of an object's or a prototype's. It looks like the one before: its name,
 * its length, and what `Object.keys` says. Answers false, and does nothing, where ours is there already (also further
 * up the prototypes, or by another copy of poolctl), or no method of that name is.
 */
export function hook<This extends object>(
  target: This,
  name: string,
  make: (
    original: (this: This, ...args: unknown[]) => unknown,
  ) => (this: This, ...args: unknown[]) => unknown,
): boolean {
  const original = (target as Readonly<Record<string, unknown>>)[name];
  if (typeof original !== 'function' || HOOKED in original) return false;
  const made: Method = make(original as (this: This, ...args: unknown[]) => unknown);
  Object.defineProperties(made, {
    ...Object.getOwnPropertyDescriptors(original),
    [HOOKED]: { value: true },
  });
  const own = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, {
    value: made,
    writable: own?.writable ?? true,
    enumerable: own?.enumerable ?? false,
    configurable: true,
  });
  changed(target, (one) => restore(one, name, made, own));
  return true;
}

/** Puts the method back, unless the program has put one of its own over ours since. */
function restore(target: object, name: string, made: Method, own: PropertyDescriptor | undefined): void {
  if (Object.getOwnPropertyDescriptor(target, name)?.value !== made) return;
  if (own === undefined) delete (target as Record<string, unknown>)[name];
  else Object.defineProperty(target, name, own);
}

/** Whether an object has methods of these names, its own or inherited. Getters are not called. */
export function hasMethods(value: unknown, names: readonly string[]): value is object {
  return isObject(value) && names.every((name) => typeof plainValue(value, name) === 'function');
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** A property's value, wherever it is inherited from; undefined where it is a getter, which might do anything. */
export function plainValue(object: object, name: string): unknown {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found.value;
  }
  return undefined;
}
