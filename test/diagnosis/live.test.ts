import { afterEach, beforeEach } from 'vitest';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
} from '../helpers/postgres.js';
import { incident, type Lab } from '../incidents/lab.js';

/** One incident of each kind; `npm run incidents` recreates all of them. */
describeWithPostgres('top, health and doctor, of a real application in an incident', () => {
  let own: OwnDatabase;

  beforeEach(async () => {
    own = await newDatabase();
    const admin = await connectAdmin(own.name);
    await admin.query('create table accounts (id int primary key, balance int); create table log (x int)');
    await admin.query('insert into accounts select i, 0 from generate_series(1, 9) i');
    await admin.end();
  });
  afterEach(() =>
    ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${own.name}'`),
  );

  const runs = (lab: Lab, state: string): void => {
    lab.sources = [own.url()];
    lab.app('pg.mjs', [own.url(), state]);
  };

  const CASES: readonly (readonly [state: string, cause: string, says: RegExp])[] = [
    ['leftOpen', 'transaction-left-open', /pg\.mjs:\d+/],
    ['poisoned', 'poisoned-connection', /inside an open transaction/],
    ['listen', 'listen-takes-a-place', /subscription \(LISTEN jobs\)/],
    ['nested', 'nested-acquire', /wait for a second one/],
    ['ended', 'pool-ended-too-early', /closed, and still asked/],
    ['clientTimeout', 'query-left-by-client-timeout', /still run on the server/],
    ['poolPerRequest', 'pool-per-request', /\d+ pools .* made at/],
  ];
  for (const [state, cause, says] of CASES)
    incident(`${state}: all name ${cause}`, async (lab) => {
      runs(lab, state);
      await lab.expect(cause, { says });
    });
  for (const state of ['burst', 'full'])
    incident(`${state} is a pool that is used well, and nothing is reported`, async (lab) => {
      runs(lab, state);
      await lab.expect(null);
    });
});
