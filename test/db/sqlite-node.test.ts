import { expect, it } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import { hasNodeSqlite, testOn } from '../helpers/sqlite-engine.js';

// All tests of SQLite once more, on the engine that Node brings along.
if (hasNodeSqlite()) {
  testOn('node:sqlite');
  await import('./sqlite.test.js');
  await import('./sqlite-conformance.test.js');
} else {
  process.stderr.write(`not tested: SQLite on node:sqlite, which Node ${process.version} does not have\n`);
}

it('the engine is the one that was asked for, or the connection is refused with a hint', async () => {
  await using db = createDatabase('sqlite::memory:?engine=node:sqlite');
  const engine = db.pool.use(async (connection) => connection.engine);
  if (hasNodeSqlite()) expect(await engine).toBe('node:sqlite');
  else
    await expect(engine).rejects.toMatchObject({ hint: expect.stringContaining('use Node 22.13 or later') });
});
