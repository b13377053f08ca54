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

/** The snapshot, but for what differs between processes. */
export function show(s: Stage, pool: IbPool): void {
  const { wait, hold, holders, ib, ...rest } = pool.snapshot();
  const out = holders.map(({ leaseId, ageMs, leaked, site, stack }) => ({
    leaseId,
    ageMs,
    leaked,
    hasSite: site !== null && site !== '',
    frames: stack !== null,
  }));
  const { pacing, connections, ...broker } = ib;
  s.note(
    `pool: ${render({ ...rest, waits: wait?.count, waitUs: wait, holds: hold?.count, holdUs: hold, holders: out })}`,
  );
  s.note(
    `broker: ${render({ ...broker, sent: pacing?.sent, states: connections.map(({ state }) => state) })}`,
  );
}
