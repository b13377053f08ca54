import { expect, it } from 'vitest';
import { IbConnection } from '../../../src/ib/connection.js';
import { findOrderCounterExample } from '../property/orders.js';

it('whatever comes in whatever order, the ledger comes to what is true, and places nothing twice', async () => {
  const seed = Number(process.env.ORDERS_SEED ?? 20_260_107);
  const runs = Number(process.env.ORDERS_RUNS ?? 60);
  expect(await findOrderCounterExample(IbConnection, { runs, seed })).toBeNull();
}, 120_000);
