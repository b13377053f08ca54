import { beforeAll, describe, expect, it } from 'vitest';
import { BASIC_TESTS, SCENARIO_NAMES } from '../../../src/lab/ib-stress/names.js';
import type { IbRun } from '../../../src/lab/ib-stress/types.js';
import { runsOf } from './runs.js';

/** It blocks this process's loop, which is none of the others' business. */
const ALONE = 'big-history';

/** Those that have a gateway. */
const SCENARIOS = SCENARIO_NAMES.filter((name) => !name.startsWith('replay-'));

describe('a sound pool', () => {
  let runs: ReadonlyMap<string, IbRun>;
  beforeAll(async () => {
    const together = SCENARIOS.filter((name) => name !== ALONE);
    const patience = 4;
    const some = await Promise.all([
      runsOf({ scenarios: together, jobs: together.length, patience }),
      runsOf({ tests: BASIC_TESTS, topologies: ['shared'], jobs: 3, patience }),
      runsOf({ tests: BASIC_TESTS, topologies: ['worker'], workers: 3, patience }),
    ]);
    runs = new Map([...some, await runsOf({ scenarios: [ALONE], patience })].flatMap((each) => [...each]));
  }, 180_000);

  it.each([...SCENARIOS, ...BASIC_TESTS.flatMap((name) => [`${name} shared`, `${name} worker`])])(
    'passes %s, and the gateway has counted the same',
    (name) => {
      const run = runs.get(name);
      expect(run?.checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(run?.comparisons?.filter(({ ok }) => !ok)).toEqual([]);
      expect(run?.checks.length).toBeGreaterThan(2);
      expect(run?.comparisons?.length).toBeGreaterThan(5);
      expect(run).toMatchObject({
        outcome: 'passed',
        figures: { leftovers: { sockets: 0, subscriptions: 0, workers: 0 } },
      });
    },
  );

  it('tells how long it took to find a loss and to recover, and who was lost in it', () => {
    expect(runs.get('half-open')?.figures).toMatchObject({
      detectMs: expect.any(Number),
      recoverMs: expect.any(Number),
      requests: { lost: 1, retried: 1, failed: 0 },
      clientIds: { seen: [1, 2, 3], unique: true },
    });
    expect(runs.get('id-collision')?.figures?.clientIds).toMatchObject({ unique: false, collisions: 1 });
    expect(runs.get('slow-gateway')?.figures?.requests).toMatchObject({ timedOut: 6, late: 12 });
    expect(runs.get('message-pacing')?.figures?.pacing).toMatchObject({ peakSecond: 45, tooFast: 0 });
  });

  it('is on threads of its own where each worker has a connection', () => {
    expect(runs.get('parallel worker')?.figures).toMatchObject({
      workerStart: { count: 3 },
      clientIds: { seen: [1, 2, 3], unique: true },
    });
    expect(runs.get('parallel shared')?.figures).toMatchObject({
      workerStart: { count: 1 },
      clientIds: { seen: [1] },
    });
  });
});
