import { seededRandom } from '../../src/base/random.js';
import { LeaseEncoder } from '../../src/leases/encoder.js';
import { MAGIC, Meta } from '../../src/leases/format.js';
import { replay } from '../../src/sizing/replay.js';

export interface MadeUpLoad {
  readonly size?: number;
  readonly perSecond?: number;
  readonly seconds?: number;
  readonly seed?: number;
  /** How many times longer a hold is with so many leases out. */
  readonly slowdown?: (n: number) => number;
  /** Leases that never come back, acquired in the middle. */
  readonly leaks?: number;
  readonly name?: string;
  /** A pool of ours, which checks a connection that was idle for so long. A check takes 2 ms, and a connect 4 ms. */
  readonly checkIdleMs?: number;
  /** A pool of mysql, which pings each connection before it lends it: a ping takes so long. */
  readonly pingMs?: number;
}

/** Holds of three call sites, in milliseconds on average, and how often each is called. */
const SITES = [
  { site: '/srv/shop/src/orders.ts:88:31', meanMs: 40, share: 0.2 },
  { site: '/srv/shop/src/users.ts:12:18', meanMs: 8, share: 0.5 },
  { site: '/srv/shop/src/stock.ts:40:9', meanMs: 15, share: 0.3 },
];

/** The bytes of a recording of an application with three call sites, whose callers come at random. */
export function leaseRecording(made: MadeUpLoad = {}): Buffer {
  const { size = 8, perSecond = 200, seconds = 20, seed = 1, leaks = 0, name = '127.0.0.1:5432/shop' } = made;
  const { checkIdleMs = null, pingMs = null } = made;
  const own = checkIdleMs !== null;
  const random = seededRandom(seed);
  const exponential = (mean: number): number => -mean * Math.log(1 - random());
  const count = perSecond * seconds;
  const arrivalMs = new Float64Array(count);
  const workMs = new Float64Array(count);
  const sites: number[] = [];
  let at = 10;
  for (let i = 0; i < count; i++) {
    at += exponential(1000 / perSecond);
    arrivalMs[i] = at;
    const which = random();
    const site = which < 0.2 ? 0 : which < 0.7 ? 1 : 2;
    sites.push(site);
    workMs[i] = exponential(SITES[site]?.meanMs ?? 0);
  }
  const lost = new Set(Array.from({ length: leaks }, (_, i) => Math.floor(count / 2) + 97 * i));
  for (const i of lost) workMs[i] = Number.POSITIVE_INFINITY;
  const { waitMs, heldMs, endMs } = replay(
    { count, arrivalMs, workMs },
    {
      ...{
        size,
        timeoutMs: 5000,
        connectMs: Float64Array.of(4),
        checkMs: Float64Array.of(pingMs ?? 2),
        warm: 0,
      },
      algorithm: own
        ? { connects: 'paced', lifo: false, maxIdleMs: null, checkIdleMs }
        : { connects: 'own', lifo: pingMs === null, maxIdleMs: null, checkIdleMs, pings: pingMs !== null },
      slowdown: made.slowdown ?? (() => 1),
    },
  );
  const blocks: Buffer[] = [MAGIC];
  const encoder = new LeaseEncoder((block) => blocks.push(block));
  encoder.meta(Meta.Process, 0, { app: 'shop', pid: 4711, node: 'v20.19.0', startedAtMs: 1_700_000_000_000 });
  encoder.pool(0, 0, {
    ...{ name, driver: 'pg', library: own ? 'poolctl' : pingMs === null ? 'pg' : 'mysqljs', size },
    ...(own ? { checkIdleMs, lifo: false } : {}),
    ...{ acquireTimeoutMs: 5000, maxIdleMs: 'never', leakAfterMs: 60_000 },
  });
  for (const [id, { site }] of SITES.entries()) encoder.site(id, 0, 0, site);
  for (let i = 0; i < Math.min(size, 4); i++) encoder.connect(0, 14_000 + i, 4000);
  const us = (ms: number): number => Math.round(ms * 1000);
  Array.from({ length: count }, (_, i) => i)
    .filter((i) => !lost.has(i))
    .map((i) => ({ i, backMs: (arrivalMs[i] ?? 0) + (waitMs[i] ?? 0) + (heldMs[i] ?? 0) }))
    .sort((one, other) => one.backMs - other.backMs)
    .forEach(({ i, backMs }) => {
      encoder.lease(sites[i] ?? 0, us(backMs), us(heldMs[i] ?? 0), us(waitMs[i] ?? 0));
    });
  encoder.gauge(0, us(endMs), { live: size, idle: size - leaks, inUse: leaks, waiting: 0 });
  for (const i of lost) encoder.open(sites[i] ?? 0, us(endMs), us(endMs - (arrivalMs[i] ?? 0)), 0, false);
  encoder.meta(Meta.End, us(endMs), 'exit');
  blocks.push(encoder.take() as Buffer);
  return Buffer.concat(blocks);
}
