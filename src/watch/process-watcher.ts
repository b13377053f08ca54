import { systemClock } from '../base/clock.js';
import { mark } from './undo.js';
import { Watcher } from './watcher.js';

/** The version in it is that of what the copies of poolctl in one process share. */
export const WATCHER = Symbol.for('poolctl.watcher.1');

/** The one watcher of this process, or thread: what a preload finds and what the program names itself come together. */
export function processWatcher(): Watcher {
  const shared = globalThis as { [WATCHER]?: Watcher };
  if (shared[WATCHER] === undefined) {
    mark(shared, WATCHER, new Watcher(systemClock));
  }
  return shared[WATCHER] as Watcher;
}
