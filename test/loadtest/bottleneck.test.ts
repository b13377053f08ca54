import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { WorkloadRun } from '../../src/loadtest/api.js';
import { judgeBottleneck } from '../../src/loadtest/bottleneck.js';
import { runLoadTest } from '../../src/loadtest/load-test.js';
import type { Bottleneck, ClientFigures, ModelInfo } from '../../src/loadtest/result.js';
import { FIGURES, resultLike } from './results.js';

const IDLE: ClientFigures = {
  loopBusy: 0.2,
  loopRan: 0.18,
  loopQueued: 0.02,
  loopDelayMeanMs: 0.1,
  loopDelayP99Ms: 1,
  loopDelayMaxMs: 12,
  cpuCores: 0.3,
  machineBusy: 0.4,
  otherCores: 0.1,
  cores: 2,
};

interface Run {
  readonly client?: Partial<ClientFigures>;
  readonly inProcess?: boolean;
  readonly model?: ModelInfo;
  /** How much of each response was waiting. */
  readonly waitShare?: number;
}

/** What is said of a run that differs in this from one in which nothing had much to do. */
function judged({ client = {}, inProcess = false, model, waitShare = 0 }: Run): Bottleneck | null {
  const responsesMs = new Array<number>(100).fill(10);
  const { measurements } = resultLike({ responsesMs, waitShare, errors: {}, elapsedMs: 1000 });
  return judgeBottleneck({
    measurements,
    client: { ...IDLE, ...client },
    workload: { inProcess },
    model: model ?? { kind: 'closed', workers: 10 },
    pool: { figures: FIGURES },
  });
}

describe('the bottleneck', () => {
  it('is poolctl itself when its event loop is full, whatever else is', () => {
    const bottleneck = judged({ client: { loopBusy: 0.97, loopRan: 0.9, machineBusy: 1 }, waitShare: 0.9 });
    expect(bottleneck?.limit).toBe('client');
    expect(bottleneck?.sentence).toMatch(
      /^poolctl itself was the bottleneck: its event loop was busy 97 % of the time\./,
    );
  });

  it('is for another day when other programs have the processor', () => {
    const client = { machineBusy: 1, cpuCores: 0.2, otherCores: 1.8 };
    expect(judged({ client, inProcess: true })?.sentence).toMatch(
      /^Other programs had the processor: .* What limits this run shows on a quiet machine\.$/,
    );
    // A server of its own on this machine is no other program.
    expect(judged({ client, inProcess: false })?.sentence).toMatch(/^The processor was the limit/);
  });

  it('is the processor when its cores are full, though there is waiting for the pool too', () => {
    const own = judged({ client: { cpuCores: 1.9 }, inProcess: true, waitShare: 0.9 });
    expect(own).toEqual({
      limit: 'processor',
      sentence:
        'The processor was the limit, not poolctl itself: this process, with the database in it, used 1.9 of 2 ' +
        'cores. More connections cannot make that faster.',
    });
    const others = judged({ client: { machineBusy: 0.95 } });
    expect(others?.limit).toBe('processor');
    expect(others?.sentence).toContain('this process used 0.3 of 2 cores, the whole machine was 95 % busy');
  });

  it('is no reason for advice about the pool when other programs had the processor', () => {
    const disturbed = judged({ client: { machineBusy: 1, otherCores: 1.5 }, inProcess: true });
    expect(disturbed?.limit).toBe('processor');
    expect(disturbed?.sentence).not.toContain('More connections');
  });

  it('is the processor when the event loop only seems busy, and in truth stands in line for a core', () => {
    const starved = { loopBusy: 0.97, loopRan: 0.3, loopQueued: 0.5, cpuCores: 1.7 };
    const bottleneck = judged({ client: starved, inProcess: true });
    expect(bottleneck?.limit).toBe('processor');
    expect(bottleneck?.sentence).toContain("poolctl's event loop waited for a CPU core 50 % of the time");

    // Elsewhere than on Linux nobody knows; a database in this process that fills the cores is what it must be.
    const unknown = { ...starved, loopRan: null, loopQueued: null, cpuCores: 1.9 };
    expect(judged({ client: unknown, inProcess: true })?.limit).toBe('processor');
    expect(judged({ client: unknown })?.limit).toBe('client');
  });

  it('is the pool when iterations wait longer for it than they are served, and nothing else is full', () => {
    expect(judged({ waitShare: 0.9 })).toEqual({
      limit: 'pool',
      sentence:
        'The pool was the limit: iterations waited 9.00 ms for one of its 11 connections, to be served for ' +
        '1.00 ms. poolctl itself was not the bottleneck: its event loop was busy 20 % of the time.',
    });
  });

  it('lies beyond when none of these is', () => {
    expect(judged({})).toEqual({
      limit: 'target',
      sentence:
        'Neither the pool nor the processor was the limit. ' +
        'poolctl itself was not the bottleneck: its event loop was busy 20 % of the time.',
    });
  });

  it('of bursts says that the pauses do not count', () => {
    const model = { kind: 'burst', size: 10, count: 10, intervalMs: 1000 } as const;
    expect(judged({ model })?.sentence).toContain('busy 20 % of the time that bursts were under way');
  });

  it('is not guessed at where nothing was measured', () => {
    expect(judged({ client: { loopBusy: null } })).toBeNull();
    const little = { cpuCores: null, machineBusy: null, loopRan: null, loopQueued: null };
    expect(judged({ client: little })?.limit).toBe('target');
  });
});

describe('a real run', () => {
  /** Runs a load on the real clock, and says what it was limited by. */
  async function limitOf(model: ModelInfo, iterate: () => Promise<void>) {
    const run: WorkloadRun = {
      description: { target: '', work: '', simple: true, inProcess: false, statements: [] },
      async iterate(_, probe) {
        probe.acquired();
        await iterate();
      },
      snapshot: () => null,
      close: async () => {},
    };
    const { client } = await runLoadTest({
      workload: { name: 'made-up', open: async () => run },
      model,
      iterations: 12,
      client: {
        eventLoopUtilization: () => performance.eventLoopUtilization(),
        cpuTime: () => null,
        hostCpuTime: () => null,
        // What else runs on this machine is not to decide the test.
        threadTime: () => null,
        cores: null,
      },
    });
    return client;
  }
  const bursts = { kind: 'burst', size: 4, count: 3, intervalMs: 400 } as const;

  it.each<[string, ModelInfo]>([
    ['a closed load', { kind: 'closed', workers: 4 }],
    ['bursts with pauses between them', bursts],
  ])('of a busy client, under %s, has it said that poolctl was the bottleneck', async (_, model) => {
    const { bottleneck, loopBusy } = await limitOf(model, async () => {
      for (const until = systemClock.now() + 5; systemClock.now() < until; );
      await new Promise((resolve) => setImmediate(resolve));
    });
    expect({ loopBusy, bottleneck }).toMatchObject({ bottleneck: { limit: 'client' } });
    expect(bottleneck?.sentence).toMatch(/^poolctl itself was the bottleneck/);
  });

  it.each<[string, ModelInfo]>([
    ['a closed load', { kind: 'closed', workers: 4 }],
    ['bursts with pauses between them', bursts],
  ])('of a slow server, under %s, does not have it said', async (_, model) => {
    const { bottleneck, loopBusy } = await limitOf(
      model,
      () => new Promise((resolve) => void systemClock.setTimer(resolve, 40)),
    );
    expect({ loopBusy, bottleneck }).toMatchObject({ bottleneck: { limit: 'target' } });
    expect(bottleneck?.sentence).toContain('poolctl itself was not the bottleneck');
  });
});
