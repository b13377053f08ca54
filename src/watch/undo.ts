type Undo = (carrier: object) => void;

interface Changes {
  /** Newest last. */
  carriers: WeakRef<object>[];
  /** Holds its functions no longer than their object, though they may lead to it. */
  readonly undos: WeakMap<object, Undo[]>;
  pruneAt: number;
}

const PRUNE_AT = 10_000;
let changes: Changes | null = null;

/**
 * Notes every change that the watch makes to the program's objects from now on. Gives the function that takes all of
 * them back, newest first. A watch that stays for the life of its process does not call this, and notes nothing.
 */
export function noteChanges(): () => void {
  const noted: Changes = { carriers: [], undos: new WeakMap(), pruneAt: PRUNE_AT };
  changes = noted;
  return () => {
    if (changes === noted) changes = null;
    for (const reference of noted.carriers.reverse()) {
      const carrier = reference.deref();
      const undo = carrier === undefined ? undefined : noted.undos.get(carrier)?.pop();
      try {
        if (carrier !== undefined) undo?.(carrier);
      } catch {
        // A frozen object keeps its change. The other changes still go.
      }
    }
    noted.carriers = [];
  };
}

/** Tells how to take back a change of `carrier`. The note does not keep the object alive. */
export function changed<T extends object>(carrier: T, undo: (carrier: T) => void): void {
  if (changes === null) return;
  const { carriers, undos } = changes;
  const known = undos.get(carrier);
  if (known === undefined) undos.set(carrier, [undo as Undo]);
  else known.push(undo as Undo);
  carriers.push(new WeakRef(carrier));
  if (carriers.length < changes.pruneAt) return;
  changes.carriers = carriers.filter((one) => one.deref() !== undefined);
  changes.pruneAt = Math.max(PRUNE_AT, 2 * changes.carriers.length);
}

/** Defines a property that the program does not see in its loops, and that goes when the watch ends. */
export function mark(carrier: object, key: symbol, value: unknown): void {
  Object.defineProperty(carrier, key, { value, configurable: true });
  changed(carrier, (one) => delete (one as Record<symbol, unknown>)[key]);
}
