/**
 * The connection for a new symbol. - `first-fit`: the first with room, so that there are few connections, which
 * venues count. - `least-loaded`: the one with the fewest symbols, so that messages are spread; opens all
 * connections.
 */
export type PlacementStrategy = 'first-fit' | 'least-loaded';

export interface PlacementRoom {
  readonly strategy: PlacementStrategy;
  /** Symbols that fit on one connection. */
  readonly capacity: number;
  readonly maxConnections: number;
  /** Connections that take symbols, by id. */
  readonly connections: readonly { readonly id: number; readonly used: number }[];
  /** Connections that take none now but count: those that are closing or have failed. */
  readonly unusable: number;
}

/** Plans the connections for new symbols. */
export interface Placement {
  /** Per symbol the connection: its id, or for one that has yet to be opened -1, -2, ...; null where none has room. */
  readonly targets: readonly (number | null)[];
  /** How many connections have to be opened. */
  readonly opened: number;
}

/** Plans places for `count` new symbols, in order. Pure: nothing is opened here. */
export function placeSymbols(count: number, room: PlacementRoom): Placement {
  const { strategy, capacity, maxConnections, unusable } = room;
  const loads = room.connections.map(({ id, used }) => ({ id, used })).sort((a, b) => a.id - b.id);
  const mayOpen = Math.max(0, maxConnections - loads.length - unusable);
  let opened = 0;
  const open = () => {
    opened++;
    const load = { id: -opened, used: 0 };
    loads.push(load);
    return load;
  };
  const targets: (number | null)[] = [];
  let first = 0;
  for (let i = 0; i < count; i++) {
    let target: { id: number; used: number } | undefined;
    if (strategy === 'first-fit') {
      // Connections before `first` are full, and stay full while this plan is made.
      while (first < loads.length && (loads[first]?.used ?? 0) >= capacity) first++;
      target = loads[first] ?? (opened < mayOpen ? open() : undefined);
    } else {
      target = loads.reduce<(typeof loads)[number] | undefined>(
        (least, load) => (least === undefined || load.used < least.used ? load : least),
        undefined,
      );
      if ((target === undefined || target.used > 0) && opened < mayOpen) target = open();
    }
    if (target === undefined || target.used >= capacity) {
      targets.push(null);
      continue;
    }
    target.used++;
    targets.push(target.id);
  }
  return { targets, opened };
}
