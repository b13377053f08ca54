import { ExitCode } from './exit-codes.js';

export type InterruptSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export interface Interruption {
  readonly signal: InterruptSignal;
  readonly exitCode: ExitCode;
}

/** The meaning of the process's signals for a command: the first asks it to stop, the second to drop everything. */
export interface Interrupts {
  /** Aborted by the first signal: take up no new work, drain, report what there is. */
  readonly stop: AbortSignal;
  /** Aborted by the second signal, and by a defect: give up at once, waiting for nothing. */
  readonly abort: AbortSignal;
  /** The first signal; null while there was none. */
  interruption(): Interruption | null;
}

export interface InterruptSource extends Interrupts {
  /** To be called for each signal. */
  receive(signal: InterruptSignal): void;
  /** Gives up at once, as after a defect: both signals are aborted, and no interruption is noted. */
  giveUp(cause: unknown): void;
}

const EXIT_CODES: Readonly<Record<InterruptSignal, ExitCode>> = {
  SIGINT: ExitCode.Interrupted,
  SIGTERM: ExitCode.Terminated,
  SIGHUP: ExitCode.HungUp,
};

export function createInterrupts(): InterruptSource {
  const stop = new AbortController();
  const abort = new AbortController();
  let first: Interruption | null = null;
  return {
    stop: stop.signal,
    abort: abort.signal,
    interruption: () => first,
    receive(signal) {
      const reason = new DOMException(`stopped by ${signal}`, 'AbortError');
      if (first === null) {
        first = { signal, exitCode: EXIT_CODES[signal] };
        stop.abort(reason);
      } else abort.abort(reason);
    },
    giveUp(cause) {
      stop.abort(cause);
      abort.abort(cause);
    },
  };
}
