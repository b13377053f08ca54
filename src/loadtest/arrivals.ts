import type { Clock, Timer } from '../base/clock.js';
import type { LoadModel, LoadPlan, StartGate } from './api.js';
import { numberOf, shareOf, WHOLE } from './segment.js';

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
  /** The start that the run has in common with others; null: it begins when it is ready. */
  readonly gate: StartGate | null;
  /** Told that the gate refused the run, which ends then. */
  readonly onRefused: (error: unknown) => void;
  /**
   * Called once, when the warm-up is over; gives the time at which the measurement begins. `at` is that time, where it
   * was set beforehand.
   */
  readonly begin: (at?: number) => number;
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
  if (warmup === null && context.gate === null) return open(plan, model, context);

  const warm =
    warmup === null
      ? { drained: Promise.resolve() }
      : closed({ ...plan, iterations: 0, durationMs: null }, warmup.workers, {
          ...context,
          gate: null,
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
    drained: warm.drained
      .then(() => throughGate(context))
      .then(() => {
        after = open(plan, model, context);
        return after.drained;
      }),
  };
}

/** Waits for the common start, or until the run ends before it. */
function throughGate({ gate, clock, stop, abort, onRefused }: ArrivalContext): Promise<void> {
  if (gate === null || stop.aborted || abort.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    let timer: Timer | null = null;
    const done = () => {
      timer?.cancel();
      for (const signal of [stop, abort]) signal.removeEventListener('abort', done);
      resolve();
    };
    for (const signal of [stop, abort]) signal.addEventListener('abort', done);
    try {
      gate.ready();
    } catch (error) {
      onRefused(error);
      return done();
    }
    gate.onKnown(() => {
      timer = clock.setTimer(done, (gate.startsAt ?? 0) - clock.now());
    });
  });
}

/**
 * Workers go from the warm-up into the measurement without a break: to let them all end first would close the
 * connections beyond the pool's size, and the measurement would begin with opening them again.
 */
function closed(plan: Omit<LoadPlan, 'model'>, workers: number, context: ArrivalContext): Arrivals {
  const { clock, stop, abort, iterate, onActive, onEnd, gate } = context;
  const { segment = WHOLE } = plan;
  const iterations = plan.iterations === null ? Number.POSITIVE_INFINITY : shareOf(plan.iterations, segment);
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
  if (plan.warmup === null && gate === null) begin();

  let isReady = false;
  let hasBegun = false;
  /** Whether the common start has come. The workers go on warming up until then, which keeps all connections open. */
  function mayBegin(now: number): boolean {
    if (gate === null) return true;
    if (!isReady) {
      isReady = true;
      try {
        gate.ready();
      } catch (error) {
        context.onRefused(error);
      }
    }
    return gate.startsAt !== null && now >= gate.startsAt;
  }

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
          if (startedAt === null && isWarm(at, warmEnded) && mayBegin(at)) {
            at = begin();
            next = 0;
          }
          if (isOver(at)) {
            if (startedAt !== null) onEnd(Math.min(durationMs, at - startedAt));
            leave();
            return;
          }
          turn = turns.current(at);
          iterate(numberOf(segment, next++), at, at, startedAt !== null, ended);
        }
        isLooping = false;
      };
      loop();
    }
    const workAll = (): void => {
      hasBegun = true;
      working = Math.min(workers, plan.warmup === null ? iterations : workers);
      if (working === 0) resolve();
      for (let started = working; started > 0; started--) work();
    };
    if (plan.warmup !== null || gate === null) workAll();
    else {
      void throughGate(context).then(() => {
        if (!stop.aborted && !abort.aborted) begin();
        workAll();
      });
    }
  });
  return {
    drained: unlessAborted(all, abort),
    dropped: 0,
    get ended() {
      return (hasBegun && working === 0) || isOver(clock.now());
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
  const { segment = WHOLE } = plan;
  const iterations = plan.iterations ?? Number.POSITIVE_INFINITY;
  const durationMs = plan.durationMs ?? Number.POSITIVE_INFINITY;
  const maxInFlight = model.maxInFlight ?? Number.POSITIVE_INFINITY;
  const startedAt = context.begin(context.gate?.startsAt ?? undefined);
  let next = 0;
  let inFlight = 0;
  let dropped = 0;
  let ended = false;
  let timer: Timer | null = null;
  const rest = () => {
    const pauseMs = ended
      ? Number.POSITIVE_INFINITY
      : startedAt + model.dueAt(numberOf(segment, next)) - clock.now();
    if (inFlight === 0 && pauseMs >= LEAST_PAUSE_MS) onActive(false);
  };

  /** When the last arrival of any segment is due, seen from the first of this one that does not begin. */
  function lastDueMs(number: number): number {
    for (let other = number - 1; other > number - segment.count && other >= 0; other--) {
      if (other < iterations && model.dueAt(other) < durationMs) return model.dueAt(other);
    }
    return 0;
  }

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
        const number = numberOf(segment, next);
        const dueMs = model.dueAt(number);
        if (number >= iterations || dueMs >= durationMs) {
          // A steady rate ends one distance after its last arrival, and a burst with itself: those of the whole load.
          const nominalMs =
            model.burstSize === null
              ? Math.min(model.dueAt(Math.min(number, iterations)), durationMs)
              : lastDueMs(number);
          return end(Math.max(nominalMs, clock.now() - startedAt));
        }
        const dueAt = startedAt + dueMs;
        const now = clock.now();
        if (dueAt > now) {
          timer = clock.setTimer(beginDue, dueAt - now);
          return;
        }
        next++;
        if (inFlight >= maxInFlight) {
          dropped++;
          onDrop(dueAt);
          continue;
        }
        if (inFlight === 0) onActive(true);
        inFlight++;
        iterate(number, dueAt, now, true, iterationEnded);
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
