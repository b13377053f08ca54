import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithPostgres } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import { provesBothWays, setSystem, urlOf } from './bench.js';

describeWithPostgres('a check of PostgreSQL alone', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.remove());

  const patient = () => ({ server, targets: [urlOf(server)] });

  it('idle-transaction-timeout: a transaction may be left open for ever', async () => {
    const [before, after] = await provesBothWays('idle-transaction-timeout', 'fail', patient());
    expect(before.evidence).toEqual(['idle_in_transaction_session_timeout = 0 (default)']);
    expect(after.summary).toBe('after 10m');
    await setSystem(server, 'idle_in_transaction_session_timeout', '0');
  });
});
