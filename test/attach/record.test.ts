import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRecording } from '../../src/leases/file.js';
import { bin, dist, poolctl, type Running, start } from '../helpers/bin.js';
import { startInTerminal } from '../helpers/terminal.js';
import { KINDS, type RunningProgram, startProgram } from './programs.js';

const kinds = KINDS.filter(({ name }) => name === 'generic-pool');
let folder: string;
const running: (Running | RunningProgram)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-leases-'));
});
afterEach(async () => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

function top(...argv: string[]): Running {
  const begun = start(bin, ['top', '--json', '--interval=100ms', ...argv], {
    env: { XDG_RUNTIME_DIR: folder },
    cwd: folder,
  });
  running.push(begun);
  return begun;
}

/** A program whose pool is watched from its start. */
async function published(env: Readonly<Record<string, string>> = {}): Promise<RunningProgram> {
  const program = await startProgram(kinds, {
    ...{ folder: join(folder, 'app'), env: { XDG_RUNTIME_DIR: folder, ...env } },
    args: ['--import', join(dist, 'src/watch/register.js')],
  });
  running.push(program);
  return program;
}

async function firstLine({ child }: Running): Promise<void> {
  await new Promise((seen) => child.stdout?.once('data', seen));
}

/** Has the program use its pool while it is recorded, and gives what is in the file then. */
async function recordUses(program: RunningProgram, screen: Running, uses: number) {
  await firstLine(screen);
  for (let n = 0; n < uses; n++) await program.act('use');
  // Two readings later the leases have come.
  for (let n = 0; n < 2; n++) await firstLine(screen);
  screen.child.kill('SIGINT');
  const { code, stderr } = await screen.finished;
  expect([code, stderr]).toEqual([0, expect.stringContaining('poolctl size')]);
  return readRecording(join(folder, 'leases.rec'));
}

describe('poolctl top --record-leases', { timeout: 60_000 }, () => {
  it('records the leases of an application that is watched, from now on and until the end', async () => {
    const program = await published();
    for (let n = 0; n < 3; n++) await program.act('use');
    const recording = await recordUses(program, top('--record-leases=leases.rec'), 20);
    expect(recording).toMatchObject({ end: 'stopped', lostBytes: 0, process: { pid: program.pid } });
    expect(recording.pools).toHaveLength(1);
    const count = recording.pools[0]?.leases.count ?? 0;
    // A reading that is interrupted takes its leases along.
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(20);
    // It is recorded once more, and replaces the file.
    expect(
      (await recordUses(program, top('--record-leases=leases.rec'), 0)).pools[0]?.leases.count ?? 0,
    ).toBe(0);
  });

  it('records a process that it attaches', async () => {
    const program = await startProgram(kinds, {
      ...{ folder: join(folder, 'app'), env: { XDG_RUNTIME_DIR: folder } },
      args: ['--inspect-port=127.0.0.1:0'],
    });
    running.push(program);
    const screen = top('--attach', String(program.pid), '--yes', '--record-leases=leases.rec');
    const recording = await recordUses(program, screen, 20);
    expect(recording).toMatchObject({ end: 'stopped', lostBytes: 0 });
    expect(recording.pools).toHaveLength(1);
  });

  it('shows the size that a pool needs, once there are enough leases', async () => {
    const program = await published();
    const screen = startInTerminal(
      ['top', '--interval=100ms', '--record-leases', join(folder, 'leases.rec')],
      {
        columns: 120,
        env: { XDG_RUNTIME_DIR: folder },
      },
    );
    await screen.shows(/no reading yet/);
    await program.act('use');
    await screen.shows(/generic-p/);
    screen.type('8');
    await screen.shows(/generic-pool.*not enough leases yet \(\d of 100\)/);
    for (let n = 0; n < 120; n++) await program.act('use');
    // One connection is enough for uses that come one after another.
    await screen.shows(/generic-pool +\S+ +7 +\S+ +1 +\S+ +-6/);
    screen.type('\r');
    await screen.shows(/1 connection, down from 7/);
    screen.type('q');
    expect(await screen.ended).toBe(0);
    expect(screen.output()).toContain('leases are recorded; see: poolctl size');
  });

  it('leaves a recording of poolctl run alone, and a file that is none', async () => {
    const own = join(folder, 'own.rec');
    const program = await published({ POOLCTL_RECORD_LEASES: own });
    const screen = top('--record-leases=leases.rec');
    await firstLine(screen);
    for (let n = 0; n < 5; n++) await program.act('use');
    screen.child.kill('SIGINT');
    expect((await screen.finished).stderr).toContain('it records its leases already');
    await program.act('quit');
    expect((await readRecording(own)).pools[0]?.leases.count).toBe(5);
    await writeFile(join(folder, 'notes.txt'), 'mine');
    const refused = await poolctl(['top', '--record-leases=notes.txt', 'pool:/nowhere.sock'], {
      cwd: folder,
    });
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('is not overwritten')]);
  });
});
