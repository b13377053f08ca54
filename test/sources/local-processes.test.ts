import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { LocalProcesses } from '../../src/sources/local-processes.js';

describe.skipIf(process.platform !== 'linux')('processes of this machine', () => {
  const [title = ''] = readFileSync('/proc/self/cmdline', 'utf8').split('\0');

  it('are told by their use of CPU, memory and disk, from the second reading on', async () => {
    const processes = new LocalProcesses(systemClock);
    const first = (await processes.use([process.pid], title)).get(process.pid);
    expect(first).toMatchObject({ cpuShare: null, readPerSecond: null });
    expect(first?.memoryBytes).toBeGreaterThan(1_000_000);
    const until = process.cpuUsage().user + 60_000;
    while (process.cpuUsage().user < until);
    const second = (await processes.use([process.pid], title)).get(process.pid);
    expect(second?.cpuShare).toBeGreaterThan(0);
    expect(second?.readPerSecond).toBeGreaterThanOrEqual(0);
  });

  it('of another kind that have the pid, or none, are left out', async () => {
    const processes = new LocalProcesses(systemClock);
    expect((await processes.use([process.pid, 4_194_303], 'postgres: ')).size).toBe(0);
  });
});
