/** A scheduled callback that can be taken back. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as an argument: whatever waits or measures takes one of these, so that tests can turn the hands.
 */
export interface Clock {
  /** Monotonic milliseconds, with a fraction. Only differences mean anything. */
  now(): number;
  /** Milliseconds since the epoch, for stamps that people read. */
  wallTime(): number;
  /**
   * Calls back once, `delayMs` from now.
   * A background timer does not keep the process alive; any other does.
   */
  setTimer(callback: () => void, delayMs: number, options?: { background?: boolean }): Timer;
  /** Calls back in a later turn of the event loop, after pending input and output has been looked at. */
  defer(callback: () => void): void;
}

/** The longest delay that setTimeout honors; beyond it Node fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

// The global is a getter, which costs as much again as the reading.
const { performance } = globalThis;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(callback, delayMs, options) {
    const handle = setTimeout(callback, Math.min(Math.max(0, Math.ceil(delayMs)), MAX_DELAY_MS));
    if (options?.background) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  defer: (callback) => void setImmediate(callback),
};
