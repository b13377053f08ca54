import { expect, it } from 'vitest';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { findCounterExample } from './property/interleavings.js';

/** More runs and other seeds: POOLCTL_PROPERTY_RUNS=100000 POOLCTL_PROPERTY_SEED=7 npx vitest run test/pool/property */
const runs = Number(process.env.POOLCTL_PROPERTY_RUNS ?? 3000);
const seed = Number(process.env.POOLCTL_PROPERTY_SEED ?? 20_260_101);

it(
  `keeps its invariants after every step of ${runs} random interleavings (seed ${seed})`,
  async () => {
    expect(await findCounterExample(QueuePool, { runs, seed })).toBeNull();
  },
  30_000 + runs * 100,
);
