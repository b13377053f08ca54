import type { Clock } from '../base/clock.js';
import type { Tick } from '../snapshot/reading.js';
import { type FrameOptions, frameOf } from './frame.js';
import { decodeKeys } from './keys.js';
import { type Message, reduce } from './reduce.js';
import { openScreen, sizeOf, type Terminal } from './screen.js';
import { type BackendAction, initialState, type State, type StateOptions } from './state.js';

/** Where ticks come from: sources that are read, or a recording. */
export interface Feed extends AsyncDisposable {
  /** Begins; ticks come from now on. A recording ends. */
  start(onTick: (tick: Tick) => void, onEnd?: () => void): void;
  setInterval(intervalMs: number): void;
  /** Told, so that a recording can wait as well. */
  setPaused(paused: boolean): void;
}

export interface SessionOptions {
  readonly terminal: Terminal & { onResize(listener: () => void): () => void; readonly closed: boolean };
  readonly keyboard: { listen(onText: (text: string) => void): () => void };
  readonly feed: Feed;
  readonly clock: Clock;
  readonly drawing: FrameOptions;
  readonly state: Omit<StateOptions, 'size'>;
  /** Does what was confirmed, and says what became of it; null where the screen only reads. */
  readonly act:
    | ((action: BackendAction) => Promise<{ readonly done: boolean; readonly words: string }>)
    | null;
  /** Ends the screen. */
  readonly stop: AbortSignal;
}

/** Shows the screen until the user, or `stop`, ends it. The terminal is given back on every way out. */
export async function runSession(options: SessionOptions): Promise<void> {
  const { terminal, keyboard, feed, clock, drawing, act, stop } = options;
  let state: State = initialState({ ...options.state, size: sizeOf(terminal) });
  let drawPending = false;
  let ended = false;
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });

  const screen = openScreen(terminal);
  const finish = (): void => {
    if (ended) return;
    ended = true;
    // At once: after a defect the next thing on the terminal is what went wrong.
    stopKeys();
    stopResize();
    screen.close();
    end();
  };
  const draw = (): void => {
    drawPending = false;
    if (!ended) screen.draw(frameOf(state, drawing));
  };
  const dispatch = (message: Message): void => {
    if (ended) return;
    const before = state;
    state = reduce(state, message, drawing);
    if (state.intervalMs !== before.intervalMs) feed.setInterval(state.intervalMs);
    if (state.paused !== before.paused) feed.setPaused(state.paused);
    if (state.action !== null && before.action === null) perform(state.action);
    if (state.ended || terminal.closed) finish();
    // Keys that come in one go, as pasted ones do, are one frame.
    if (ended || drawPending) return;
    drawPending = true;
    clock.defer(draw);
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
  let typed = '';
  const stopKeys = keyboard.listen((text) => {
    const { keys, rest } = decodeKeys(typed + text);
    typed = rest;
    for (const key of keys) dispatch({ type: 'key', key });
  });
  const stopResize = terminal.onResize(() => {
    if (ended) return;
    screen.resized();
    dispatch({ type: 'resize', size: sizeOf(terminal) });
  });
  stop.addEventListener('abort', finish, { once: true });
  try {
    if (stop.aborted) finish();
    else {
      draw();
      feed.start(
        (tick) => dispatch({ type: 'tick', tick }),
        () => dispatch({ type: 'mode', mode: 'end of the recording' }),
      );
    }
    await over;
  } finally {
    stop.removeEventListener('abort', finish);
    finish();
  }
}
