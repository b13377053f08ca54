import type { QueuePool } from '../../pool/queue-pool.js';
import type { PoolSetup } from '../../snapshot/pool.js';
import { framesOf } from '../frames.js';
import type { LeaseRecorder, OpenLease } from './recorder.js';

/** Earlier versions of poolctl tell no wait where the pool does not measure it. */
interface AcquireEvent {
  readonly leaseId: number;
  readonly slotId: number;
  readonly waitedMs: number | null;
}

/** Records a pool of our own by its events. */
export function recordOwnPool(
  pool: QueuePool<object>,
  recorder: LeaseRecorder,
  { name, setup }: { name(): string; setup: PoolSetup },
): void {
  const { clock, limit, prePing, pingIdleMs, lifo } = pool.settings;
  /** By slot. */
  const waited: number[] = [];
  const sites: (string | null)[] = [];
  const leaseOf: number[] = [];
  const since: number[] = [];
  const tape = recorder.add(() => {
    const { live, idle, inUse, waiting } = pool.figures();
    const now = clock.now();
    return {
      facts: {
        name: name(),
        driver: pool.settings.driver.name,
        library: 'poolctl',
        size: Number.isFinite(limit) ? limit : null,
        acquireTimeoutMs: setup.acquireTimeoutMs,
        maxIdleMs: setup.maxIdleMs,
        leakAfterMs: setup.leakAfterMs,
        checkIdleMs: prePing ? pingIdleMs : 'never',
        lifo,
      },
      ...{ live, idle, inUse, waiting, gaveUp: null },
      open: leaseOf.flatMap((lease, slot): OpenLease[] =>
        lease === 0
          ? []
          : [
              {
                ageMs: now - (since[slot] ?? now),
                waitedMs: waited[slot] ?? 0,
                site: () => sites[slot] ?? null,
                isPurpose: false,
              },
            ],
      ),
    };
  });
  const offs = [
    pool.on('acquire', ({ leaseId, slotId, waitedMs }: AcquireEvent) => {
      // Its wait is not known, and would count as none.
      if (waitedMs === null) return;
      const now = clock.now();
      leaseOf[slotId] = leaseId;
      since[slotId] = now;
      waited[slotId] = waitedMs;
      sites[slotId] = tape.wantsSite(now) ? (framesOf(pool.siteOfLease(slotId))[0]?.site ?? null) : null;
    }),
    pool.on('release', ({ leaseId, slotId }) => {
      // One that was lent before the recording began.
      if (leaseOf[slotId] !== leaseId) return;
      const now = clock.now();
      leaseOf[slotId] = 0;
      tape.lease(now, now - (since[slotId] ?? now), waited[slotId] ?? 0, sites[slotId] ?? null);
    }),
    pool.on('create', ({ tookMs }) => tape.connected(clock.now(), tookMs)),
    pool.on('acquireTimeout', ({ error }) => tape.gaveUp(clock.now(), error.facts.waitedMs)),
    pool.on('acquireAborted', ({ waitedMs }) => tape.gaveUp(clock.now(), waitedMs)),
  ];
  recorder.whenOver(() => {
    for (const off of offs) off();
  });
}
