import { expect, it } from 'vitest';
import { IbConnection } from '../../src/ib/connection.js';
import { createPacer } from '../../src/ib/pacing.js';
import { findCounterExample } from './property/interleavings.js';

/** More runs and other seeds: POOLCTL_PROPERTY_RUNS=5000 POOLCTL_PROPERTY_SEED=7 npx vitest run test/ib/property */
const runs = Number(process.env.POOLCTL_PROPERTY_RUNS ?? 150);
const seed = Number(process.env.POOLCTL_PROPERTY_SEED ?? 20_260_101);

it(`ends each request once, within the pacing, over all drops (${runs} interleavings, seed ${seed})`, async () => {
  expect(await findCounterExample({ IbConnection, createPacer }, { runs, seed })).toBeNull();
}, 120_000);
