import type { Clock, Timer } from '../base/clock.js';
import type { LoadModel, LoadPlan } from './api.js';

/** Iterations that never wait for anything would never let a timer or Ctrl-C have its turn; after this long they do. */
const LONGEST_TURN_MS = 5;

/** A pause between bursts that is shorter than this is not worth telling. */
const LEAST_PAUSE_MS = 50;

/** All times are the clock's own. */
export interface ArrivalContext {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly abort: AbortSignal;
  /** Whether the pool has come to rest, so that a warm-up that waits for that can end. */
  readonly settled: () => boolean;
  /** Called once, when the warm-up is over; gives the time at which the measurement begins. */
  readonly begin: () => number;
  /** Told of an arrival for which there is no place. */
  readonly onDrop: (dueAt: number) => void;
  /** Called when no iteration will begin any more, with the length of the arrivals; only the first call counts. */
  readonly onEnd: (arrivalsMs: number) => void;
  /** Told when measured iterations get under way, and when none is until the next is due. */
  readonly onActive: (active: boolean) => void;
  /** Starts an iteration, and calls back once with the time at which it ended, perhaps before it returns. */
  readonly iterate: (
    seq: number,
    dueAt: number,
    startedAt: number,
    measured: boolean,
    onEnd: (at: number) => void,
  ) => void;
}

export interface Arrivals {
  /** No iteration will begin any more. */
  readonly ended: boolean;
  readonly dropped: number;
  /** Resolves when everything that began has ended, or at once on an abort. */
  readonly drained: Promise<void>;
}

/** Begins iterations by the plan, until a limit is reached or `stop` aborts. */
export function arrive(plan: LoadPlan, context: ArrivalContext): Arrivals {
  const { model, warmup } = plan;
  if (model.kind === 'closed') return closed(plan, model.workers, context);
  if (warmup === null) return open(plan, model, context);

  const warm = closed({ iterations: 0, durationMs: null, warmup }, warmup.workers, {
    ...context,
    begin: () => context.clock.now(),
    onActive: () => {},
    onEnd: () => {},
  });
  let after: Arrivals | null = null;
  return {
    get ended() {
      return after?.ended ?? false;
    },
    get dropped() {
      return after?.dropped ?? 0;
    },
    drained: warm.drained.then(() => {
      after = open(plan, model, context);
      return after.drained;
    }),
  };
}

/**
 * Workers go from the warm-up into the measurement without a break: to let them all end first would close the
 * connections beyond the pool's size, and the measurement would begin with opening them again.
 */
function closed(plan: Omit<LoadPlan, 'model'>, workers: number, context: ArrivalContext): Arrivals {
  const { clock, stop, abort, iterate, onActive, onEnd } = context;
  const iterations = plan.iterations ?? Number.POSITIVE_INFINITY;
  const durationMs = plan.durationMs ?? Number.POSITIVE_INFINITY;
  const isWarm = warmthOf(plan.warmup, context);
  const turns = watchTurns(clock);
  /** When the measurement began; null while warming up. */
  let startedAt: number | null = null;
  let next = 0;
  let warmEnded = 0;
  let working = 0;

  function begin(): number {
    startedAt = context.begin();
    onActive(true);
    if (plan.iterations === null && plan.durationMs !== null) onEnd(plan.durationMs);
    return startedAt;
  }
  if (plan.warmup === null) begin();

  function isOver(now: number): boolean {
    if (stop.aborted || abort.aborted) return true;
    return startedAt !== null && (next >= iterations || now - startedAt >= durationMs);
  }

  const all = new Promise<void>((resolve) => {
    const leave = (): void => {
      working--;
      if (working > 0) return;
      onActive(false);
      resolve();
    };
    /** Goes on from one iteration to the next. Those that end at once are a loop, since as calls they would fill the stack. */
    function work(): void {
      let freeAt: number | null = clock.now();
      let isLooping = false;
      let turn = NO_TURN;
      const take = (): number | null => {
        const at = freeAt;
        freeAt = null;
        return at;
      };
      const ended = (at: number): void => {
        if (startedAt === null) warmEnded++;
        freeAt = at;
        if (!isLooping) loop();
      };
      const loop = (): void => {
        isLooping = true;
        for (let at = take(); at !== null; at = take()) {
          const pause = turns.overdue(turn, at);
          if (pause !== null) {
            void pause.then(() => {
              freeAt = clock.now();
              loop();
            });
            break;
          }
          if (startedAt === null && isWarm(at, warmEnded)) {
            at = begin();
            next = 0;
          }
          if (isOver(at)) {
            if (startedAt !== null) onEnd(Math.min(durationMs, at - startedAt));
            leave();
            return;
          }
          turn = turns.current(at);
          iterate(next++, at, at, startedAt !== null, ended);
        }
        isLooping = false;
      };
      loop();
    }
    working = Math.min(workers, plan.warmup === null ? iterations : workers);
    if (working === 0) resolve();
    for (let started = working; started > 0; started--) work();
  });
  return {
    drained: unlessAborted(all, abort),
    dropped: 0,
    get ended() {
      return working === 0 || isOver(clock.now());
    },
  };
}

/** Answers whether the warm-up has gone on for long enough. */
function warmthOf(
  warmup: LoadPlan['warmup'],
  { clock, settled }: ArrivalContext,
): (now: number, ended: number) => boolean {
  if (warmup === null) return () => true;
  const iterations = warmup.iterations ?? Number.POSITIVE_INFINITY;
  const durationMs = warmup.durationMs ?? Number.POSITIVE_INFINITY;
  const startedAt = clock.now();
  return (now, ended) => {
    const passedMs = now - startedAt;
    if (ended < iterations && passedMs < durationMs) return false;
    return warmup.settleMs === null || passedMs >= warmup.settleMs || settled();
  };
}

function open(plan: LoadPlan, model: LoadModel & { kind: 'open' }, context: ArrivalContext): Arrivals {
  const { clock, stop, abort, iterate, onActive, onDrop, onEnd } = context;
  const iterations = plan.iterations ?? Number.POSITIVE_INFINITY;
  const durationMs = plan.durationMs ?? Number.POSITIVE_INFINITY;
  const maxInFlight = model.maxInFlight ?? Number.POSITIVE_INFINITY;
  const startedAt = context.begin();
  let next = 0;
  let inFlight = 0;
  let dropped = 0;
  let ended = false;
  let timer: Timer | null = null;
  const rest = () => {
    const pauseMs = ended ? Number.POSITIVE_INFINITY : startedAt + model.dueAt(next) - clock.now();
    if (inFlight === 0 && pauseMs >= LEAST_PAUSE_MS) onActive(false);
  };

  const all = new Promise<void>((resolve) => {
    const settle = () => {
      if (ended && inFlight === 0) resolve();
    };
    const end = (arrivalsMs: number) => {
      if (ended) return;
      ended = true;
      timer?.cancel();
      onEnd(arrivalsMs);
      settle();
    };
    const endEarly = () => end(clock.now() - startedAt);
    const iterationEnded = () => {
      inFlight--;
      rest();
      settle();
    };
    const beginDue = () => {
      while (!ended) {
        const dueMs = model.dueAt(next);
        if (next >= iterations || dueMs >= durationMs) {
          // A steady rate ends one distance after its last arrival, and a burst with itself.
          const nominalMs = model.burstSize === null ? Math.min(dueMs, durationMs) : 0;
          return end(Math.max(nominalMs, clock.now() - startedAt));
        }
        const dueAt = startedAt + dueMs;
        const now = clock.now();
        if (dueAt > now) {
          timer = clock.setTimer(beginDue, dueAt - now);
          return;
        }
        const seq = next++;
        if (inFlight >= maxInFlight) {
          dropped++;
          onDrop(dueAt);
          continue;
        }
        if (inFlight === 0) onActive(true);
        inFlight++;
        iterate(seq, dueAt, now, true, iterationEnded);
      }
    };
    stop.addEventListener('abort', endEarly, { once: true });
    abort.addEventListener('abort', endEarly, { once: true });
    if (stop.aborted || abort.aborted) endEarly();
    else beginDue();
  });
  return {
    drained: unlessAborted(all, abort),
    get dropped() {
      return dropped;
    },
    get ended() {
      return ended;
    },
  };
}

/** Resolves when `work` does, or as soon as the signal aborts. */
function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done);
    void work.then(done);
  });
}

/** The number of no turn. */
const NO_TURN = -1;

interface TurnWatch {
  /** The number of the event loop's current turn; turns that follow each other quickly may share one. */
  current(now: number): number;
  /**
   * The end of the turn, to be waited for if an iteration that began in it has ended in it too, and it has gone on
   * for too long. An iteration that has waited for anything ends in a later turn, and need not wait again: a pause
   * would leave connections idle that in truth were asked for.
   */
  overdue(begunIn: number, now: number): Promise<void> | null;
}

/**
 * The end of a turn is looked for only once in LONGEST_TURN_MS: a deferred call in each turn would keep the loop from
 * sleeping until there is something to read.
 */
function watchTurns(clock: Clock): TurnWatch {
  let turn = 0;
  let lookedForAt = clock.now();
  let end: Promise<void> | null = null;
  return {
    current(now) {
      if (end === null && now - lookedForAt >= LONGEST_TURN_MS) {
        lookedForAt = now;
        end = new Promise((resolve) => {
          clock.defer(() => {
            turn++;
            end = null;
            resolve();
          });
        });
      }
      return turn;
    },
    overdue: (begunIn, now) => (begunIn === turn && now - lookedForAt > LONGEST_TURN_MS ? end : null),
  };
}
