import type { Clock } from '../base/clock.js';
import type { Tick } from '../snapshot/reading.js';
import { type Keyboard, openKeys } from './keyboard.js';
import { initialState, type Message, reduce, type StateOptions } from './reduce.js';
import { openScreen, sizeOf, type Terminal } from './screen.js';
import type { Sizes } from './size-thread.js';
import type { BackendAction, State } from './state.js';
import type { ScreenDrawing, Store } from './store.js';

/** The origin of ticks: live sources, or a recording. */
export interface Feed extends AsyncDisposable {
  /** Begins; ticks come from now on. A recording ends. */
  start(onTick: (tick: Tick) => void, onEnd?: () => void): void;
  setInterval(intervalMs: number): void;
  /** Told, so that a recording can wait as well. */
  setPaused(paused: boolean): void;
}

export interface SessionOptions {
  readonly terminal: Terminal & { readonly closed: boolean };
  readonly keyboard: Keyboard;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly drawing: ScreenDrawing;
  readonly state: Omit<StateOptions, 'size'>;
  /** Performs a confirmed action and describes the outcome; null for a read-only screen. */
  readonly act:
    | ((action: BackendAction) => Promise<{ readonly done: boolean; readonly words: string }>)
    | null;
  /** The sizes that pools need; null where no leases are recorded. Default: null. */
  readonly sizes?: Sizes | null;
  /** Ends the screen. */
  readonly stop: AbortSignal;
}

/** Shows the screen until the user, or `stop`, ends it. The terminal is given back on every way out. */
export async function runSession(options: SessionOptions): Promise<void> {
  const { terminal, keyboard, feed, clock, drawing, act, stop } = options;
  const { promise: over, resolve: end, reject: fail } = deferred();
  const listeners = new Set<() => void>();
  let state: State = initialState({ ...options.state, size: sizeOf(terminal) }, drawing);
  let notifyPending = false;
  let ended = false;
  let unmount = (): void => {};

  const screen = openScreen(terminal);
  const keys = openKeys(keyboard, clock);
  const finish = (): void => {
    if (ended) return;
    ended = true;
    // At once: after a defect the next thing on the terminal is what went wrong.
    keys.close();
    screen.close();
    unmount();
    end();
  };
  const notify = (): void => {
    notifyPending = false;
    for (const listener of listeners) listener();
  };
  const dispatch = (message: Message): void => {
    if (ended) return;
    const before = state;
    state = reduce(state, message, drawing);
    if (state.intervalMs !== before.intervalMs) feed.setInterval(state.intervalMs);
    if (state.paused !== before.paused) feed.setPaused(state.paused);
    if (state.action !== null && before.action === null) perform(state.action);
    if (state.ended || terminal.closed) finish();
    // Keys that arrive together, as pasted ones do, are one frame.
    if (ended || notifyPending) return;
    notifyPending = true;
    clock.defer(notify);
  };
  const perform = (action: BackendAction): void => {
    const outcome =
      act === null ? Promise.resolve({ done: false, words: 'this screen only reads' }) : act(action);
    outcome.then(
      ({ done, words }) => dispatch({ type: 'acted', done, words }),
      (error: unknown) =>
        dispatch({
          type: 'acted',
          done: false,
          words: error instanceof Error ? error.message : String(error),
        }),
    );
  };
  const store: Store = {
    getState: () => state,
    dispatch,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  stop.addEventListener('abort', finish, { once: true });
  try {
    if (stop.aborted) finish();
    else {
      const { mount } = await import('./components/mount.js');
      if (!ended) {
        unmount = mount({ store, drawing, stdout: screen.stdout, stdin: keys.stdin, onError: fail });
        feed.start(
          (tick) => dispatch({ type: 'tick', tick }),
          () => dispatch({ type: 'mode', mode: 'end of the recording' }),
        );
        options.sizes?.start((sizes) => dispatch({ type: 'sizes', sizes }));
      }
    }
    await over;
  } finally {
    stop.removeEventListener('abort', finish);
    finish();
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve = (): void => {};
  let reject = (_error: unknown): void => {};
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}
