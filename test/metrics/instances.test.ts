import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Exporter } from '../../src/metrics/exporter.js';
import { Instances } from '../../src/metrics/instances.js';
import { findSockets } from '../../src/sources/discovery.js';
import { openSource } from '../../src/sources/registry.js';
import type { SocketOwner } from '../../src/watch/directory.js';
import { type Published, publish } from '../../src/watch/publish.js';
import { poolReading } from './readings.js';

describe('the number of a process among those of its application', () => {
  it('is given again once it is free', () => {
    const instances = new Instances();
    expect(instances.labelOf('a', 'shop')).toBe('shop/1');
    expect(instances.labelOf('b', 'shop')).toBe('shop/2');
    expect(instances.labelOf('c', 'mail')).toBe('mail/1');
    instances.gone('a');
    expect(instances.labelOf('d', 'shop')).toBe('shop/1');
    expect(instances.labelOf('b', 'shop')).toBe('shop/2');
  });

  it('comes once the process has been read', () => {
    const instances = new Instances();
    expect(instances.labelOf('a', null)).toBe('unknown/1');
    expect(instances.labelOf('b', null)).toBe('unknown/2');
    expect(instances.labelOf('a', 'shop')).toBe('shop/1');
    expect(instances.labelOf('a', null)).toBe('shop/1');
  });
});

describe('an application that is restarted 200 times', () => {
  let owner: SocketOwner;
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-restarts-'));
    owner = {
      ...{ platform: process.platform, env: { XDG_RUNTIME_DIR: folder }, uid: process.getuid?.() ?? null },
      ...{ userName: 'tester', tempFolder: folder },
    };
  });
  afterEach(() => rm(folder, { recursive: true }));

  const start = (pid: number): Promise<Published> =>
    publish({
      app: { name: 'shop', pid, host: 'here', node: process.version, startedAtMs: 0 },
      at: { kind: 'socket', owner, pid, thread: 0 },
      read: () => ({ takenAtMs: 1, pools: poolReading({}).pools as never, gaps: [] }),
      clock: systemClock,
    });

  it('has no more series than one that runs on', async () => {
    const open = (address: string) => openSource(address, { env: {}, clock: systemClock, owner });
    await using exporter = new Exporter([], {
      ...{ clock: systemClock, compat: [], maxPools: 100, limitMs: 5000 },
      discovery: {
        find: async () =>
          (await findSockets(owner, new AbortController().signal)).map(({ address }) => address),
        open,
      },
      log: () => {},
    });
    const seriesOf = async (): Promise<string[]> =>
      (await exporter.scrape()).split('\n').flatMap((line) => /^(\w+\{[^}]*\}) /.exec(line)?.[1] ?? []);
    const all = new Set<string>();
    let one = 0;
    for (let restart = 0; restart < 200; restart++) {
      const published = await start(1000 + restart);
      const series = await seriesOf();
      one = Math.max(one, series.length);
      for (const each of series) all.add(each);
      published.close();
    }
    expect(one).toBeGreaterThan(20);
    expect(all.size).toBe(one);
    expect([...all].every((each) => each.includes('source="shop/1"'))).toBe(true);
    expect([...all].join()).not.toContain('.sock');
  });
});
