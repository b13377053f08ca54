import { expect, it } from 'vitest';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { findCounterExample } from './property/shaken.js';

/** More runs and other seeds: POOLCTL_PROPERTY_RUNS=5000 POOLCTL_PROPERTY_SEED=7 npx vitest run test/ws/property */
const runs = Number(process.env.POOLCTL_PROPERTY_RUNS ?? 150);
const seed = Number(process.env.POOLCTL_PROPERTY_SEED ?? 20_260_101);

it(`keeps the server's set equal to the wanted one, however it is shaken (${runs} runs, seed ${seed})`, async () => {
  expect(await findCounterExample(SubscriptionPool, { runs, seed })).toBeNull();
}, 120_000);
