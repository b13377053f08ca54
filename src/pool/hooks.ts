/** Facts that a hook receives beside the resource itself. */
export interface HookContext {
  /** The user's notes on this resource; empty again after a reconnect. */
  readonly info: Record<string, unknown>;
  /** The user's notes on the slot; kept over reconnects. null for a detached resource. */
  readonly slotInfo: Record<string, unknown> | null;
}

export interface ResetState {
  /** The layer above has reset the resource already; the built-in reset will be skipped. */
  readonly alreadyReset: boolean;
  /** The resource is about to be closed: it need not be made fit for another borrower. */
  readonly terminateOnly: boolean;
  /** Whether the hook may wait. False where a lease is reclaimed by the garbage collector. */
  readonly asyncSafe: boolean;
}

/**
 * Functions that users add to the life of a resource. Unlike an event listener a hook is part of the operation: it is
 * awaited, and what it throws counts.
 */
export interface PoolHooks<R> {
  /** Once per pool, before anybody gets a resource; tried again with the next one if it throws. */
  firstConnect(resource: R, context: HookContext): Promise<void> | void;
  /** For each new resource; a throw closes it, and the create has failed. */
  connect(resource: R, context: HookContext): Promise<void> | void;
  /** Before each hand-over; a disconnect replaces the resource (twice at most), another error fails the acquire. */
  acquire(resource: R, context: HookContext): Promise<void> | void;
  /** When a resource comes back, before the built-in reset; a throw closes it. */
  reset(resource: R, state: ResetState): Promise<void> | void;
  /** After the reset, before the next borrower or the idle queue; a throw closes it. */
  release(resource: R, context: HookContext): void;
  /**
   * Judges an error. true: the connection is gone. false: it works and stays in the pool. undefined: keep the
   * previous verdict. `unfit`: the connection works, but the pool closes it when it comes back.
   */
  error(error: unknown, judged: ErrorJudgment): boolean | undefined;
}

export interface ErrorJudgment {
  readonly disconnect: boolean;
  readonly unfit: boolean;
}

export type HookName = keyof PoolHooks<unknown>;

/** The hooks of one pool, each kind in the order in which they run. */
export type Hooks<R> = { readonly [N in HookName]: PoolHooks<R>[N][] };

export function newHooks<R>(): Hooks<R> {
  return { firstConnect: [], connect: [], acquire: [], reset: [], release: [], error: [] };
}

/** Adds a hook behind those that are there, or before them; returns the way to take it back. */
export function addHook<R, N extends HookName>(
  hooks: Hooks<R>,
  name: N,
  hook: PoolHooks<R>[N],
  options: { first?: boolean },
): () => void {
  const list = hooks[name] as PoolHooks<R>[N][];
  if (options.first) list.unshift(hook);
  else list.push(hook);
  return () => {
    const at = list.indexOf(hook);
    if (at >= 0) list.splice(at, 1);
  };
}

/** Runs hooks one after the other, each awaited. */
export async function runHooks<A extends readonly unknown[]>(
  hooks: readonly ((...args: A) => Promise<void> | void)[],
  ...args: A
): Promise<void> {
  for (const hook of [...hooks]) await hook(...args);
}

export function copyHooks<R>(from: Hooks<R>, to: Hooks<R>): void {
  for (const name of Object.keys(from) as HookName[]) (to[name] as unknown[]).push(...from[name]);
}
