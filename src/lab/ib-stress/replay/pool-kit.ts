import type { IbLease, IbPool } from '../../../ib/pool.js';
import { render, type Stage } from './stage.js';

/** Takes and gives back leases under names. */
export function leasesOf(s: Stage, pool: IbPool) {
  const held = new Map<string, IbLease>();
  return {
    take(name: string, options?: Parameters<IbPool['acquire']>[0]): void {
      s.watch(
        name,
        pool.acquire(options).then((lease) => {
          held.set(name, lease);
          return { id: lease.id, clientId: lease.connection.clientId };
        }),
      );
    },
    give: (name: string): void => held.get(name)?.release(),
    get(name: string): IbLease {
      const lease = held.get(name);
      if (lease === undefined) throw new TypeError(`no lease '${name}'`);
      return lease;
    },
  };
}

/** The snapshot, but for what differs between processes, and what this kind of pool does not measure. */
export function show(s: Stage, pool: IbPool): void {
  s.timers();
  const { schema: _, counters, setup = {}, wait, hold, holders, ib, ...rest } = pool.snapshot();
  // As watchers of a process recognize a pool, by a name that other copies of this package share.
  const brand = Reflect.get(pool, Symbol.for('poolctl.pool')) as { isOver(): boolean };
  const out = holders.map(({ leaseId, ageMs, leaked, site, stack }) => ({
    ...{ leaseId, ageMs, leaked },
    ...{ hasSite: site !== null && site !== '', frames: stack !== null },
  }));
  const { pacing, connections, ...broker } = ib;
  s.note(`pool: ${render({ ...rest, isOver: brand.isOver(), ...measured(counters), holders: out })}`);
  s.note(`waits ${wait?.count} of ${wait?.sumUs} us, holds ${hold?.count} of ${hold?.sumUs} us`);
  s.note(
    `broker: ${render({ ...broker, ...measured(setup), sent: pacing?.sent, states: connections.map(({ state }) => state) })}`,
  );
}

function measured(figures: object): object {
  return Object.fromEntries(Object.entries(figures).filter(([, figure]) => figure !== null));
}
