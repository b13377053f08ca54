import { CreatePacer } from '../pool/create-pacer.js';
import { TimeHeap } from './time-heap.js';

/** Acquires in the order in which they arrive. */
export interface Load {
  readonly count: number;
  readonly arrivalMs: Float64Array;
  /** How long each lease is held while it has the database to itself; Infinity for one that never comes back. */
  readonly workMs: Float64Array;
}

/** How the pool opens connections and whom it gives them. */
export interface Algorithm {
  /**
   * `own`: a waiter gets the connection that was opened for it, and no other (pg.Pool, mysql2). `paced`: the longest waiter
   * gets whatever is free first, and connects are spread (QueuePool). `shared`: the same without a pace (tarn, generic-pool).
   */
  readonly connects: 'own' | 'paced' | 'shared';
  /** Lends the connection that came back last. */
  readonly lifo: boolean;
  /** null: idle connections stay open. */
  readonly maxIdleMs: number | null;
  /**
   * Each connection is checked for the acquire that gets it, however briefly it was idle (mysql). Only with `own` connects.
   * Default: false.
   */
  readonly pings?: boolean;
  /** A connection that was idle for as long is checked before it is lent; null: none is. Only `paced` pools check. */
  readonly checkIdleMs: number | null;
}

export interface ReplayOptions {
  readonly size: number;
  readonly algorithm: Algorithm;
  /** null waits for ever. */
  readonly timeoutMs: number | null;
  /** How long connects take, one after another, over and over. Empty: they take no time. */
  readonly connectMs: Float64Array;
  /** The same for checks of idle connections. */
  readonly checkMs: Float64Array;
  /** Connections that are open and idle at the beginning. */
  readonly warm: number;
  /** How many times longer a hold is while `n` leases are out, by n. */
  readonly slowdown: (n: number) => number;
}

export interface Replay {
  /** One value for each acquire, in the order of the load; after a timeout, the time until then. */
  readonly waitMs: Float64Array;
  /** How long its lease was held; 0 where it never came back, or never was. */
  readonly heldMs: Float64Array;
  readonly timedOut: Uint8Array;
  readonly timeouts: number;
  /** 1 for each acquire that was lent a connection straight after its check. */
  readonly checked: Uint8Array;
  /** Connection-milliseconds lent. */
  readonly busyMs: number;
  readonly peakInUse: number;
  readonly peakLive: number;
  readonly connects: number;
  readonly endMs: number;
}

/** Replays a load in a pool of another size. A test compares it with QueuePool, acquire by acquire. */
export function replay(load: Load, options: ReplayOptions): Replay {
  return new Simulation(load, options).run();
}

const NEVER = Number.POSITIVE_INFINITY;
const State = { Pending: 0, Served: 1, Gone: 2 } as const;

/**
 * A pool as events in time. Holds progress at a rate that depends on how many leases are out: `#virtualMs` is the work that
 * each lease out has got done since the beginning, so a lease ends when that reaches its start plus its work (processor
 * sharing, Kleinrock 1967).
 */
class Simulation {
  readonly #load: Load;
  readonly #size: number;
  readonly #timeoutMs: number;
  readonly #connectMs: Float64Array;
  readonly #algorithm: Algorithm;
  readonly #pacer: CreatePacer | null;
  readonly #rates: Float64Array;
  readonly #waitMs: Float64Array;
  readonly #heldMs: Float64Array;
  readonly #timedOut: Uint8Array;
  readonly #state: Uint8Array;
  /** Acquires by the virtual time at which their lease ends. */
  readonly #leases = new TimeHeap();
  /** Connects by the time at which they are done. */
  readonly #opening = new TimeHeap();
  /** Checks by the time at which they are done. */
  readonly #checking = new TimeHeap();
  readonly #checkMs: Float64Array;
  readonly #checked: Uint8Array;
  #checks = 0;
  /** The acquire that each connect belongs to, or -1; and how long the connect takes. */
  readonly #openedFor: number[] = [];
  readonly #openMs: number[] = [];
  /** A ring of those that wait for whatever is free, in order. Those that gave up are passed over. */
  readonly #queue: Int32Array;
  #first = 0;
  #last = 0;
  #waiting = 0;
  /** Everyone who waits, own connects included, in the order of deadlines. */
  #expiring = 0;
  /** Since when each idle connection is idle, the longest first; negative for one that was never lent. */
  #idle: number[] = [];
  #idleFrom = 0;
  #inUse = 0;
  /** Leases that never come back, which are part of #inUse: they take a connection, and no server. */
  #stuck = 0;
  #live = 0;
  #nowMs = 0;
  #virtualMs = 0;
  #wakeMs = NEVER;
  #served = 0;
  #timeouts = 0;
  #busyMs = 0;
  #peakInUse = 0;
  #peakLive = 0;
  #connects = 0;
  #arrived = 0;

  constructor(load: Load, options: ReplayOptions) {
    const { size, algorithm, timeoutMs, connectMs, checkMs, warm, slowdown } = options;
    this.#load = load;
    this.#size = size;
    this.#timeoutMs = timeoutMs ?? NEVER;
    this.#connectMs = connectMs;
    this.#checkMs = checkMs;
    this.#checked = new Uint8Array(load.count);
    this.#algorithm = algorithm;
    this.#pacer = algorithm.connects === 'paced' ? new CreatePacer(() => 0) : null;
    this.#rates = Float64Array.from({ length: size + 1 }, (_, n) => 1 / slowdown(Math.max(1, n)));
    this.#waitMs = new Float64Array(load.count);
    this.#heldMs = new Float64Array(load.count);
    this.#timedOut = new Uint8Array(load.count);
    this.#state = new Uint8Array(load.count);
    this.#queue = new Int32Array(load.count);
    this.#live = Math.min(size, warm);
    this.#idle = Array.from({ length: this.#live }, () => 0);
    this.#peakLive = this.#live;
  }

  run(): Replay {
    const { arrivalMs, count } = this.#load;
    for (;;) {
      const arrival = this.#arrived < count ? (arrivalMs[this.#arrived] ?? NEVER) : NEVER;
      const release = this.#nextRelease();
      const opened = this.#opening.soonest;
      const checked = this.#checking.soonest;
      const deadline = this.#nextDeadline();
      // Events that free a connection come before others at the same time.
      const next = Math.min(release, opened, checked, arrival, deadline, this.#wakeMs);
      if (next === NEVER) break;
      this.#advance(next);
      if (release === next) this.#release();
      else if (opened === next) this.#opened();
      else if (checked === next) this.#checkDone();
      else if (arrival === next) this.#arrive(this.#arrived++);
      else if (deadline === next) this.#expire();
      else this.#wake();
    }
    this.#strand();
    return {
      ...{
        waitMs: this.#waitMs,
        heldMs: this.#heldMs,
        timedOut: this.#timedOut,
        timeouts: this.#timeouts,
        checked: this.#checked,
        busyMs: this.#busyMs,
      },
      ...{ peakInUse: this.#peakInUse, peakLive: this.#peakLive, connects: this.#connects },
      endMs: this.#nowMs,
    };
  }

  #advance(toMs: number): void {
    const passed = toMs - this.#nowMs;
    if (passed <= 0) return;
    this.#virtualMs += passed * this.#rate();
    this.#busyMs += passed * this.#inUse;
    this.#nowMs = toMs;
  }

  #nextRelease(): number {
    const { soonest } = this.#leases;
    if (soonest === NEVER) return NEVER;
    return this.#nowMs + Math.max(0, soonest - this.#virtualMs) / this.#rate();
  }

  #rate(): number {
    return this.#rates[this.#inUse - this.#stuck] ?? 1;
  }

  // ---- what happens ---------------------------------------------------------------------------------------------

  #arrive(acquire: number): void {
    this.#closeIdle();
    if (this.#waiting === 0 && this.#hasIdle && !this.#needsCheck()) {
      this.#takeIdle();
      this.#hand(acquire);
    } else if (this.#algorithm.connects === 'own' && this.#live < this.#size) this.#open(acquire);
    else this.#enqueue(acquire);
  }

  #release(): void {
    const acquire = this.#leases.pop();
    const { arrivalMs } = this.#load;
    this.#heldMs[acquire] = this.#nowMs - (arrivalMs[acquire] ?? 0) - (this.#waitMs[acquire] ?? 0);
    this.#inUse--;
    this.#free();
  }

  #opened(): void {
    const connect = this.#opening.pop();
    const acquire = this.#openedFor[connect] ?? -1;
    this.#pacer?.succeeded(this.#openMs[connect] ?? 0);
    if (acquire >= 0 && this.#state[acquire] === State.Pending) this.#lend(acquire);
    else if (this.#waiting > 0) this.#free();
    else this.#idle.push(-this.#nowMs);
    if (this.#waiting > 0) this.#pump();
  }

  #checkDone(): void {
    this.#checking.pop();
    const acquire = this.#shift();
    if (acquire >= 0) {
      this.#checked[acquire] = 1;
      this.#lend(acquire);
    } else this.#idle.push(this.#nowMs);
    if (this.#waiting > 0) this.#pump();
  }

  /** The longest waiter has waited for as long as it may. */
  #expire(): void {
    const acquire = this.#expiring++;
    this.#state[acquire] = State.Gone;
    this.#timedOut[acquire] = 1;
    this.#waitMs[acquire] = this.#timeoutMs;
    this.#timeouts++;
    this.#dropGone();
  }

  #wake(): void {
    this.#wakeMs = NEVER;
    this.#pump();
  }

  // ---- the pool -------------------------------------------------------------------------------------------------

  #lend(acquire: number): void {
    this.#state[acquire] = State.Served;
    this.#waitMs[acquire] = this.#nowMs - (this.#load.arrivalMs[acquire] ?? 0);
    this.#served++;
    this.#inUse++;
    if (this.#inUse > this.#peakInUse) this.#peakInUse = this.#inUse;
    const work = this.#load.workMs[acquire] ?? 0;
    if (work === NEVER) this.#stuck++;
    else this.#leases.push(this.#virtualMs + work, acquire);
  }

  /** A connection is free: it goes to the longest waiter, or is kept. */
  #free(): void {
    const acquire = this.#shift();
    if (acquire >= 0) this.#hand(acquire);
    else this.#idle.push(this.#nowMs);
  }

  /** A connection that was lent before goes to an acquire, at once or after a ping. */
  #hand(acquire: number): void {
    if (this.#algorithm.pings) this.#reach(acquire, this.#nextCheckMs());
    else this.#lend(acquire);
  }

  #nextCheckMs(): number {
    const times = this.#checkMs;
    return times.length === 0 ? 0 : (times[this.#checks++ % times.length] ?? 0);
  }

  #enqueue(acquire: number): void {
    this.#queue[this.#last++] = acquire;
    if (++this.#waiting === 1) this.#pacer?.restart();
    this.#pump();
  }

  #shift(): number {
    while (this.#first < this.#last) {
      const acquire = this.#queue[this.#first++] ?? -1;
      if (this.#state[acquire] !== State.Pending) continue;
      this.#waiting--;
      return acquire;
    }
    return -1;
  }

  #dropGone(): void {
    // A gone waiter of the queue is its first: all wait equally long.
    while (this.#first < this.#last && this.#state[this.#queue[this.#first] ?? -1] === State.Gone) {
      this.#first++;
      this.#waiting--;
    }
  }

  /** Opens connections for waiters, as far as the size and the pace allow. */
  #pump(): void {
    if (this.#algorithm.connects === 'own') {
      while (this.#waiting > 0 && this.#live < this.#size) this.#open(this.#shift());
      return;
    }
    while (this.#hasIdle && this.#waiting > this.#checking.length) this.#offerIdle();
    const coming = this.#opening.length + this.#checking.length;
    const wanted = Math.min(this.#waiting - coming, this.#size - this.#live);
    if (wanted <= 0) return;
    const pacer = this.#pacer;
    const allowed =
      pacer?.allowed(this.#nowMs, {
        ...{
          wanted,
          waiting: this.#waiting,
          busy: this.#inUse + this.#checking.length > 0,
          overflow: false,
          served: this.#served,
        },
      }) ?? wanted;
    for (let i = 0; i < Math.min(wanted, allowed); i++) {
      pacer?.started(this.#nowMs);
      this.#open(-1);
    }
    if (allowed < wanted && pacer !== null) this.#wakeMs = Math.min(this.#wakeMs, pacer.nextAt(this.#nowMs));
  }

  #open(acquire: number): void {
    const times = this.#connectMs;
    this.#reach(acquire, times.length === 0 ? 0 : (times[this.#connects % times.length] ?? 0));
    this.#connects++;
    this.#live++;
    if (this.#live > this.#peakLive) this.#peakLive = this.#live;
  }

  /** Lends a connection once it is opened or pinged: to that acquire, or with -1 to the first waiter. */
  #reach(acquire: number, tookMs: number): void {
    this.#opening.push(this.#nowMs + tookMs, this.#openedFor.length);
    this.#openedFor.push(acquire);
    this.#openMs.push(tookMs);
  }

  /** The next idle connection goes to the longest waiter, or to its check. */
  #offerIdle(): void {
    const isChecked = this.#needsCheck();
    this.#takeIdle();
    if (!isChecked) {
      this.#lend(this.#shift());
      return;
    }
    this.#checking.push(this.#nowMs + this.#nextCheckMs(), 0);
  }

  get #hasIdle(): boolean {
    return this.#idle.length > this.#idleFrom;
  }

  /** Whether the idle connection that is next has been idle for so long that it is checked. */
  #needsCheck(): boolean {
    const { checkIdleMs, lifo } = this.#algorithm;
    if (checkIdleMs === null) return false;
    const since = this.#idle[lifo ? this.#idle.length - 1 : this.#idleFrom] ?? 0;
    return since >= 0 && this.#nowMs - since >= checkIdleMs;
  }

  #takeIdle(): void {
    if (this.#algorithm.lifo) this.#idle.pop();
    else this.#idleFrom++;
    if (this.#idleFrom === this.#idle.length) {
      this.#idle = [];
      this.#idleFrom = 0;
    }
  }

  /** Closes what has been idle for too long: looked at when it matters, which is when the next acquire comes. */
  #closeIdle(): void {
    const { maxIdleMs } = this.#algorithm;
    if (maxIdleMs === null) return;
    while (
      this.#idleFrom < this.#idle.length &&
      this.#nowMs - Math.abs(this.#idle[this.#idleFrom] ?? 0) >= maxIdleMs
    ) {
      this.#idleFrom++;
      this.#live--;
    }
  }

  #nextDeadline(): number {
    if (this.#timeoutMs === NEVER) return NEVER;
    while (this.#expiring < this.#arrived && this.#state[this.#expiring] !== State.Pending) this.#expiring++;
    if (this.#expiring >= this.#arrived) return NEVER;
    return (this.#load.arrivalMs[this.#expiring] ?? 0) + this.#timeoutMs;
  }

  /** Ends the waits for leases that never come back, when nothing else happens any more. */
  #strand(): void {
    for (let acquire = this.#shift(); acquire >= 0; acquire = this.#shift()) {
      this.#state[acquire] = State.Gone;
      this.#timedOut[acquire] = 1;
      this.#timeouts++;
      this.#waitMs[acquire] = this.#nowMs - (this.#load.arrivalMs[acquire] ?? 0);
    }
  }
}
