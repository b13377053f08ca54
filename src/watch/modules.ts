import Module from 'node:module';
import { isObject } from './hooking.js';
import { changed } from './undo.js';
import type { Watcher } from './watcher.js';

/** Libraries whose pools are known, and as which kind. */
const KNOWN: Readonly<Record<string, string>> = {
  'pg-pool': 'pg',
  mysql2: 'mysql2',
  tarn: 'tarn',
  'generic-pool': 'generic-pool',
  'sequelize-pool': 'sequelize-pool',
};
/** Libraries that have pools of a kind of their own. */
const UNKNOWN = ['oracledb'];

/**
 * Looks at each CommonJS module when it is loaded, also by an ES module, for classes of pools, by their structure.
 * It finds every copy of a library under any name. Their prototypes are patched before the program has them.
 */
export function watchModules(watcher: Watcher): void {
  const loader = Module as unknown as { _load(...args: unknown[]): unknown };
  const load = loader._load;
  const seen = new WeakSet<object>();
  const watched = function loadWatched(this: unknown, ...args: unknown[]) {
    const exports = load.apply(this, args);
    try {
      for (const one of candidates(exports)) {
        if (seen.has(one)) continue;
        seen.add(one);
        watcher.addClass(one);
      }
      noteGaps(args[0], watcher);
    } catch {
      // The module must not notice the look at its exports.
    }
    return exports;
  };
  loader._load = watched;
  changed(loader, (one) => {
    if (one._load === watched) one._load = load;
  });
}

/** The classes of pools among the exports of a module that is loaded already. */
export function meetModule(exports: unknown, watcher: Watcher): void {
  for (const one of candidates(exports)) watcher.addClass(one);
}

/** Candidates for a class of pools: the exports, or their properties. Getters are left alone. */
function candidates(exports: unknown): object[] {
  if (!isObject(exports)) return [];
  const named = ['Pool', 'default', 'QueryBuilder'].map(
    (name) => Object.getOwnPropertyDescriptor(exports, name)?.value as unknown,
  );
  return [exports, ...named].filter((one) => typeof one === 'function');
}

function noteGaps(request: unknown, watcher: Watcher): void {
  if (typeof request !== 'string') return;
  const kind = Object.hasOwn(KNOWN, request) ? KNOWN[request] : undefined;
  if (kind !== undefined && !watcher.knows(kind)) {
    watcher.gap(`${request} is of a version that poolctl does not know: its pools are not watched`);
  } else if (UNKNOWN.includes(request)) {
    watcher.gap(`${request} is in use, whose pools poolctl does not know`);
  }
}
