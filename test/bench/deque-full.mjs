import { performance } from 'node:perf_hooks';

/**
 * What a pool costs at the least: idle resources and waiters in two queues, with a lease that refuses a second
 * release, counters, and a deadline for every acquire (or, `lazy`, only for those that wait), kept by one timer. It opens everything at the
 * start, checks nothing, and knows no state but idle and lent. The mark that the lean configuration of QueuePool is
 * measured against.
 */
export class DequePool {
  #idle;
  /** @type {Ring<Waiter>} */
  #waiters = new Ring();
  #timeoutMs;
  #lazy;
  /** @type {NodeJS.Timeout | null} */
  #timer = null;
  acquired = 0;
  released = 0;
  timedOut = 0;
  inUse = 0;

  /**
   * @param {object[]} resources
   * @param {number} timeoutMs how long an acquire waits
   * @param {boolean} lazy whether the clock is read only when an acquire has to wait
   */
  constructor(resources, timeoutMs, lazy) {
    this.#lazy = lazy;
    this.#idle = [...resources];
    this.#timeoutMs = timeoutMs;
  }

  /** @returns {Promise<DequeLease>} */
  acquire() {
    let deadline = this.#lazy ? 0 : performance.now() + this.#timeoutMs;
    const resource = this.#idle.pop();
    if (resource !== undefined) return Promise.resolve(this.#lend(resource));
    if (this.#lazy) deadline = performance.now() + this.#timeoutMs;
    const waiter = new Waiter(deadline);
    this.#waiters.push(waiter);
    if (this.#timer === null) this.#arm(this.#timeoutMs);
    return waiter.promise;
  }

  /** @param {object} resource */
  giveBack(resource) {
    this.released++;
    this.inUse--;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#idle.push(resource);
    else waiter.resolve(this.#lend(resource));
  }

  /** @param {object} resource */
  #lend(resource) {
    this.acquired++;
    this.inUse++;
    return new DequeLease(this, resource);
  }

  /** @param {number} delayMs */
  #arm(delayMs) {
    this.#timer = setTimeout(() => this.#expire(), Math.ceil(delayMs));
  }

  // Time-outs are all equal, so the longest waiter is also the first to expire.
  #expire() {
    this.#timer = null;
    const now = performance.now();
    for (let first = this.#waiters.first; first !== undefined; first = this.#waiters.first) {
      if (first.deadline > now) {
        this.#arm(first.deadline - now);
        return;
      }
      this.#waiters.shift();
      this.timedOut++;
      first.reject(new Error('acquire timed out'));
    }
  }
}

export class DequeLease {
  #pool;
  #resource;
  #over = false;

  /**
   * @param {DequePool} pool
   * @param {object} resource
   */
  constructor(pool, resource) {
    this.#pool = pool;
    this.#resource = resource;
  }

  get resource() {
    if (this.#over) throw new Error('used after release');
    return this.#resource;
  }

  release() {
    if (this.#over) throw new Error('released twice');
    this.#over = true;
    this.#pool.giveBack(this.#resource);
  }
}

/** @type {(lease: DequeLease) => void} */
let resolveNew;
/** @type {(error: Error) => void} */
let rejectNew;

/**
 * One executor for all waiters: a closure for each would cost more than the rest of the waiter.
 * @param {(lease: DequeLease) => void} resolve
 * @param {(error: Error) => void} reject
 */
function takeFunctions(resolve, reject) {
  resolveNew = resolve;
  rejectNew = reject;
}

class Waiter {
  /** @param {number} deadline */
  constructor(deadline) {
    /** @type {Promise<DequeLease>} */
    this.promise = new Promise(takeFunctions);
    this.resolve = resolveNew;
    this.reject = rejectNew;
    this.deadline = deadline;
  }
}

/**
 * A queue in one array of a power of two.
 * @template T
 */
class Ring {
  /** @type {(T | undefined)[]} */
  #items = new Array(16).fill(undefined);
  #head = 0;
  #length = 0;

  /** @returns {T | undefined} */
  get first() {
    return this.#items[this.#head];
  }

  /** @param {T} item */
  push(item) {
    if (this.#length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#length) & (this.#items.length - 1)] = item;
    this.#length++;
  }

  /** @returns {T | undefined} */
  shift() {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#length--;
    return item;
  }

  #grow() {
    const { length } = this.#items;
    const inOrder = [...this.#items.slice(this.#head), ...this.#items.slice(0, this.#head)];
    this.#items = inOrder.concat(new Array(length).fill(undefined));
    this.#head = 0;
  }
}
