import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialState, type Message, reduce } from '../../src/top/reduce.js';
import type { SizeReply } from '../../src/top/size-thread.js';
import { sizedPools } from '../../src/top/sized-pools.js';
import type { State } from '../../src/top/state.js';
import { leaseRecording, type MadeUpLoad } from '../helpers/lease-recordings.js';
import { keys, pool, server, source, tick, ticked } from './helpers.js';
import { frameOf } from './render.js';

const SELECT = { cwd: '/srv/shop' };
const NAME = '127.0.0.1:5432/shop';
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-sizes-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function sizesOf(load: MadeUpLoad): Promise<SizeReply> {
  const path = join(folder, 'leases.rec');
  await writeFile(path, leaseRecording(load));
  return { pools: await sizedPools([{ source: 'pool:a', path }]), problem: null };
}

function screen(
  sizes: SizeReply | null,
  messages: readonly Message[] = [],
  sources = [source({ pools: [shop()] })],
) {
  const state = initialState(
    { size: { columns: 120, rows: 40 }, intervalMs: 1000, recordsLeases: sizes !== null },
    SELECT,
  );
  const all: Message[] = [
    ticked(tick(...sources)),
    ...keys('8'),
    ...(sizes === null ? [] : [{ type: 'sizes' as const, sizes }]),
    ...messages,
  ];
  return textOf(all.reduce((before, message) => reduce(before, message, SELECT), state));
}

const shop = (pid = 7) =>
  pool({
    ...{ name: NAME, size: 6, maxOverflow: 0 },
    app: { name: 'shop', pid, host: 'here', node: 'v20.19.0', startedAtMs: 0 },
  });

const textOf = (state: State): string =>
  frameOf(state, { color: false, unicode: true, cwd: '/srv/shop' }).join('\n');

/** A pool of 6 whose callers wait, with three call sites. */
const BUSY = { size: 6, perSecond: 250, seconds: 30 };

describe('the sizes that pools need', () => {
  it('say how to record leases, and how many are missing', async () => {
    expect(screen(null)).toMatch(/shop +6 +- +- +- +- +start top with --record-leases FILE/);
    expect(screen({ pools: [], problem: null })).toContain('no lease recorded yet');
    const few = await sizesOf({ perSecond: 41, seconds: 1 });
    expect(screen(few)).toContain('not enough leases yet (41 of 100)');
    expect(screen({ pools: [], problem: 'leases.rec is gone' })).toContain('leases.rec is gone');
  });

  it('name the size, its wait, its cost and the call site to shorten, as poolctl size does', async () => {
    const sizes = await sizesOf(BUSY);
    const sizing = sizes.pools[0]?.sizing;
    const { size = null, shorten } = sizing?.recommendation ?? {};
    expect(size).toBeGreaterThan(6);
    const [row = ''] = screen(sizes)
      .split('\n')
      .filter((line) => line.includes('shorten'));
    expect(row).toMatch(new RegExp(`shop +6 +- +${size} +\\S+ms +\\+${Number(size) - 6} +shorten `));
    expect(row).toContain(`src/orders.ts:88, then ${shorten?.sizeIfHalved}`);
    const detail = screen(sizes, keys('enter'));
    expect(detail).toContain(`1 process x ${size} = ${size} connections, ${Number(size) - 6} more than now`);
    expect(detail).toContain(`${size} connections, up from 6.`);
    expect(detail).toMatch(/recommended/);
    expect(detail).toMatch(/recorded +[\d,]+ acquires in 30s/);
  });

  it('count all processes of an application, and the connections that the server has left', async () => {
    const sizes = await sizesOf(BUSY);
    const more = 2 * (Number(sizes.pools[0]?.sizing?.recommendation.size) - 6);
    const other = source({ source: 'pool:b', pools: [shop(8)] });
    const database = source({
      ...{ source: 'postgres://db', kind: 'postgres' as const },
      server: server({ maxConnections: 100, reservedConnections: 3, usedConnections: 96 }),
    });
    const shown = screen(sizes, [], [source({ pools: [shop()] }), other, database]);
    expect(shown).toContain(`+${more} of 1 free`);
    // Nothing was recorded of the second process.
    expect(shown).toContain('no lease recorded yet');
  });

  it('use the latest acquires of a long recording', async () => {
    const sizes = await sizesOf({ size: 6, perSecond: 2000, seconds: 30, slowdown: () => 0.05 });
    expect(sizes.pools[0]).toMatchObject({ acquires: 60_000, sizing: { acquires: 50_000 } });
    expect(sizes.pools[0]?.sizing?.durationMs).toBeLessThan(27_000);
  });
});
