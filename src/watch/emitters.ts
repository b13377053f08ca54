import { EventEmitter } from 'node:events';
import { hook } from './hooking.js';
import type { Watcher } from './watcher.js';

/**
 * Meets the first object of each class that is an event emitter, as most pools are, while it is being made. The module that
 * the class came from does not matter: a bundle has classes of its own, which no loader sees.
 *
 * Node's EventEmitter calls its static `init` for each emitter; node:domain replaces it in the same way.
 */
export function watchEmitters(watcher: Watcher): void {
  const seen = new WeakSet<object>();
  let latest: object | null = null;
  hook<object>(
    EventEmitter,
    'init',
    (init) =>
      function initWatched(this: object, ...args) {
        const prototype = Object.getPrototypeOf(this) as object | null;
        // Sockets and streams are made one after another.
        if (prototype !== null && prototype !== latest) {
          latest = prototype;
          if (!seen.has(prototype)) {
            seen.add(prototype);
            meet(prototype, watcher);
          }
        }
        return init.apply(this, args);
      },
  );
}

function meet(prototype: object, watcher: Watcher): void {
  try {
    watcher.addPrototype(prototype);
  } catch {
    // A class of any kind must not notice the look.
  }
}
