import type { Frame } from './frames.js';

/** The frame that is responsible for a lease. */
export interface Blame {
  /** The line to repair; null where the stack is not known. */
  readonly site: string | null;
  /** The helper that acquired for it; null where `site` acquired by itself. */
  readonly helper: string | null;
  /** The calls from the innermost one up to the responsible one. */
  readonly calls: readonly Frame[];
}

/** The fate of leases acquired along the same call path. */
interface Way {
  readonly frames: readonly Frame[];
  held: number;
  returned: number;
}

/** How a function used leases that were acquired in it. */
interface Use {
  /** It sent statements itself. */
  direct: number;
  /** A function that it called sent statements. */
  below: number;
  /** A function did that its caller had passed to it. */
  lent: number;
  /** Statements were sent by its callers, after it had handed the lease to them. */
  outside: number;
}

/** The oldest are forgotten beyond as many. */
const MOST_WAYS = 500;
const MOST_FUNCTIONS = 500;

/**
 * Determines the line of a stack that is responsible for a lease. It is the innermost one, unless a helper acquires there
 * for its callers. A helper returns the lease to its caller, or passes it to a function of its caller's: statements tell,
 * some of which have their stack recorded. Where they do not, the ways decide: if the leases of one line come along
 * several ways, the first call in which these differ is responsible.
 */
export class BlameBook {
  readonly #ways = new Map<string, Way>();
  readonly #uses = new Map<string, Use>();

  /** A lease that was acquired along this way has come back. */
  returned(frames: readonly Frame[]): void {
    if (frames.length > 0) this.#wayOf(frames).returned++;
  }

  /** A statement was sent through a lease: the stack of the acquire, and that of the statement. */
  used(acquire: readonly Frame[], statement: readonly Frame[]): void {
    const sent = new Set(statement.map(({ fn }) => fn));
    const user = acquire.findIndex(({ fn }) => sent.has(fn));
    // The stack of the statement begins in a callback, and does not tell who began it.
    if (user < 0) return;
    const sender = statement.find(({ fn }) => fn === acquire[user]?.fn);
    // It still waits for the call in which the lease was acquired: the stack has lost the calls in between.
    if (user > 0 && sender?.line === acquire[user]?.line) return;
    for (const { fn } of acquire.slice(0, user)) this.#recordOf(fn).outside++;
    const { fn } = acquire[user] as Frame;
    const use = this.#recordOf(fn);
    const callees = statement.slice(
      0,
      statement.findIndex((frame) => frame.fn === fn),
    );
    if (callees.length === 0) use.direct++;
    else if (callees.some((callee) => isPassedIn(callee, acquire[user + 1]))) use.lent++;
    else use.below++;
  }

  /** The responsible frame for each lease that is out now, in their order. */
  of(held: readonly (readonly Frame[])[]): Blame[] {
    for (const way of this.#ways.values()) way.held = 0;
    for (const frames of held) if (frames.length > 0) this.#wayOf(frames).held++;
    return held.map((frames) => this.#blame(frames));
  }

  /** The same for callers that have no lease yet. */
  peek(stacks: readonly (readonly Frame[])[]): Blame[] {
    return stacks.map((frames) => this.#blame(frames));
  }

  #blame(frames: readonly Frame[]): Blame {
    const [first] = frames;
    if (first === undefined) return { site: null, helper: null, calls: [] };
    const calls = frames.slice(0, this.#responsible(frames) + 1);
    const site = calls[calls.length - 1]?.site ?? first.site;
    return { site, helper: site === first.site ? null : first.site, calls };
  }

  #responsible(frames: readonly Frame[]): number {
    let depth = 0;
    for (; depth + 1 < frames.length; depth++) {
      const use = this.#uses.get(frames[depth]?.fn ?? '');
      if (use === undefined || use.outside === 0) break;
    }
    const use = this.#uses.get(frames[depth]?.fn ?? '');
    const isUser = use !== undefined && use.direct > 0 && use.lent === 0;
    if (isUser && use.below === 0) return depth;
    const alike = this.#alike(frames, depth);
    if (isUser && !isSpared(alike)) return depth;
    const difference = firstDifference(alike, frames, depth);
    if (difference !== null) return difference;
    const [held, returned] = [sum(alike, 'held'), sum(alike, 'returned')];
    return use !== undefined && use.lent > 0 && returned > held
      ? Math.min(depth + 1, frames.length - 1)
      : depth;
  }

  /** The ways with the same calls up to `depth`. */
  #alike(frames: readonly Frame[], depth: number): readonly Way[] {
    return [...this.#ways.values()].filter((way) => agree(way.frames, frames, depth));
  }

  #wayOf(frames: readonly Frame[]): Way {
    const key = frames.map(({ site }) => site).join('\n');
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = { frames, held: 0, returned: 0 };
      this.#ways.set(key, way);
      forgetOldest(this.#ways, MOST_WAYS);
    }
    return way;
  }

  #recordOf(fn: string): Use {
    let use = this.#uses.get(fn);
    if (use === undefined) {
      use = { direct: 0, below: 0, lent: 0, outside: 0 };
      this.#uses.set(fn, use);
      forgetOldest(this.#uses, MOST_FUNCTIONS);
    }
    return use;
  }
}

/** The first call, further out than `depth`, that is not the same in all of these ways. */
function firstDifference(ways: readonly Way[], frames: readonly Frame[], depth: number): number | null {
  let alike = ways;
  for (let at = depth + 1; at < frames.length; at++) {
    const same = alike.filter((way) => isSameCall(way.frames[at], frames[at]));
    if (same.length < alike.length) return at;
    alike = same;
  }
  return null;
}

/** Whether some of the ways give everything back, and others nothing. */
function isSpared(ways: readonly Way[]): boolean {
  const spared = ways.some(({ held, returned }) => held === 0 && returned > 0);
  return spared && ways.some(({ held, returned }) => held > 0 && returned === 0);
}

function sum(ways: readonly Way[], of: 'held' | 'returned'): number {
  return ways.reduce((total, way) => total + way[of], 0);
}

/** So many lines below a call begins a function that is written as its argument, at the most. */
const ARGUMENT_LINES = 5;

/** Whether a function is written as an argument of the call that the caller makes. */
function isPassedIn({ place, start }: Frame, caller: Frame | undefined): boolean {
  if (start === null || caller === undefined || place.file !== caller.place.file) return false;
  const below = start.line - caller.place.line;
  return below === 0 ? start.column > caller.place.column : below > 0 && below <= ARGUMENT_LINES;
}

function agree(one: readonly Frame[], other: readonly Frame[], depth: number): boolean {
  for (let at = 0; at <= depth; at++) if (!isSameCall(one[at], other[at])) return false;
  return true;
}

/**
 * Whether two frames are of one call. The same call has two places: where it is made, and, once the caller has begun to wait
 * for it, where it is awaited.
 */
function isSameCall(one: Frame | undefined, other: Frame | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (one.fn !== other.fn) return false;
  return one.line === other.line || isAwaited(one) !== isAwaited(other);
}

function isAwaited({ text }: Frame): boolean {
  return text.startsWith('at async ');
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
