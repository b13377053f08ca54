import type { Order } from './wire/model.js';

interface Holder {
  readonly order: Order;
}

/**
 * The orders that are not over, in the order of their placement. Brackets and groups are indexed, so that an event
 * costs no more when many other orders rest. An order keeps its parent and its group for as long as it is in here.
 */
export class LiveOrders<Entry extends Holder> {
  readonly #byKey = new Map<string, Entry>();
  readonly #byParent = new Map<string, Set<Entry>>();
  readonly #byGroup = new Map<string, Set<Entry>>();

  /** Replaces the order with the same id. */
  add(entry: Entry): void {
    const key = keyOf(entry.order.clientId, entry.order.id);
    const known = this.#byKey.get(key);
    if (known !== undefined) this.#drop(known);
    this.#byKey.set(key, entry);
    const { parent, group } = indexesOf(entry.order);
    if (parent !== null) join(this.#byParent, parent, entry);
    if (group !== null) join(this.#byGroup, group, entry);
  }

  delete(entry: Entry): void {
    if (this.#byKey.delete(keyOf(entry.order.clientId, entry.order.id))) this.#drop(entry);
  }

  get(clientId: number, id: number): Entry | undefined {
    return this.#byKey.get(keyOf(clientId, id));
  }

  values(): Iterable<Entry> {
    return this.#byKey.values();
  }

  /** The orders whose parent has this id. */
  childrenOf(clientId: number, id: number): readonly Entry[] {
    return [...(this.#byParent.get(keyOf(clientId, id)) ?? [])];
  }

  /** The orders of the same OCA group, or where it has none, of the same parent. The order itself is among them. */
  groupOf(order: Order): readonly Entry[] {
    const { parent, group } = indexesOf(order);
    if (group !== null) return [...(this.#byGroup.get(group) ?? [])];
    return parent === null ? [] : [...(this.#byParent.get(parent) ?? [])];
  }

  #drop(entry: Entry): void {
    const { parent, group } = indexesOf(entry.order);
    if (parent !== null) leave(this.#byParent, parent, entry);
    if (group !== null) leave(this.#byGroup, group, entry);
  }
}

/** The name of an order among those of all clients. */
export function keyOf(clientId: number, id: number): string {
  return `${clientId}/${id}`;
}

function indexesOf({ clientId, parentId, terms }: Order): {
  readonly parent: string | null;
  readonly group: string | null;
} {
  return {
    parent: parentId === 0 ? null : keyOf(clientId, parentId),
    group: terms.ocaGroup === '' ? null : `${terms.account}/${terms.ocaGroup}`,
  };
}

function join<Entry>(index: Map<string, Set<Entry>>, key: string, entry: Entry): void {
  const known = index.get(key);
  if (known === undefined) index.set(key, new Set([entry]));
  else known.add(entry);
}

function leave<Entry>(index: Map<string, Set<Entry>>, key: string, entry: Entry): void {
  const known = index.get(key);
  known?.delete(entry);
  if (known?.size === 0) index.delete(key);
}
