import type { Message } from './reduce.js';
import type { State } from './state.js';
import type { Drawing } from './table.js';

/** The state as React's `useSyncExternalStore` expects it, and the only way to change it. */
export interface Store {
  subscribe(listener: () => void): () => void;
  getState(): State;
  dispatch(message: Message): void;
}

export interface ScreenDrawing extends Drawing {
  readonly color: boolean;
}
