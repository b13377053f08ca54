import type { Clock, Timer } from '../../base/clock.js';

export interface Repeated {
  /** No more; what is under way goes on until `done`. */
  stop(): void;
  readonly done: Promise<void>;
}

/** Does something at once, and again and again, `intervalMs` from start to start but never two at a time. */
export function repeat(work: () => Promise<void>, intervalMs: number, clock: Clock): Repeated {
  let stopped = false;
  let wake: () => void = () => {};
  let timer: Timer | null = null;
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      wake = resolve;
      timer = clock.setTimer(resolve, ms, { background: true });
    });
  const run = async (): Promise<void> => {
    for (let dueAt = clock.now(); !stopped; dueAt = Math.max(dueAt + intervalMs, clock.now())) {
      if (dueAt > clock.now()) await pause(dueAt - clock.now());
      if (!stopped) await work();
    }
  };
  const done = run();
  return {
    done,
    stop() {
      stopped = true;
      timer?.cancel();
      wake();
    },
  };
}
