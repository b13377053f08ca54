import type { Habit, LeakKind, Misuse } from './types.js';

/** The text of `--explain` for a rule. The examples are run as tests. */
export interface RuleDocs {
  /** The subject of the rule, as a clause. */
  readonly title: string;
  readonly why: string;
  readonly leaks: string;
  readonly fixed: string;
  readonly exceptions: string;
}

/** Every kind of leak, misuse and habit that a finding can be of. */
export const RULES: Readonly<Record<LeakKind | Misuse | Habit, RuleDocs>> = {
  'never-released': {
    title: 'a lease that nothing releases, on any path',
    why: 'Each call takes one connection out of the pool for good. With a pool of ten, the eleventh call waits for ever.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function trades() {
  const client = await pool.connect();
  const { rows } = await client.query('select * from trades');
  return rows;
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function trades() {
  const client = await pool.connect();
  try {
    const { rows } = await client.query('select * from trades');
    return rows;
  } finally {
    client.release();
  }
}`,
    exceptions:
      'A lease that is returned, kept in a field or map, or given to who releases it, belongs to somebody else from there on. A function that returns one makes its calls acquire calls.',
  },
  'not-released-on-return': {
    title: 'a return between the acquire and the release',
    why: 'The early way out is taken rarely, so the pool runs dry slowly, and long after the change that did it.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function cancel(id: number, isDry: boolean) {
  const client = await pool.connect();
  if (isDry) return;
  try {
    await client.query('delete from orders where id = $1', [id]);
  } finally {
    client.release();
  }
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function cancel(id: number, isDry: boolean) {
  if (isDry) return;
  const client = await pool.connect();
  try {
    await client.query('delete from orders where id = $1', [id]);
  } finally {
    client.release();
  }
}`,
    exceptions: 'A return within a try whose finally releases the lease is not reported.',
  },
  'not-released-on-throw': {
    title: 'a statement between the acquire and the release that may throw',
    why: 'A query that fails, a rejected call or a check that throws leaves the function past the release. It is the most common leak by far, and shows when the database has a bad day.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function owner(id: number) {
  const client = await pool.connect();
  const { rows } = await client.query('select owner from carts where id = $1', [id]);
  client.release();
  return rows[0];
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function owner(id: number) {
  const client = await pool.connect();
  try {
    const { rows } = await client.query('select owner from carts where id = $1', [id]);
    return rows[0];
  } finally {
    client.release();
  }
}`,
    exceptions:
      'It is an error where ordinary work can throw, and a note where only connect, BEGIN or ROLLBACK can. A catch that neither throws nor returns comes to the release after it.',
  },
  overwritten: {
    title: 'an acquire in a loop, while the lease of the round before is still out',
    why: 'Each round loses the lease of the one before: nobody has it any more, and so nobody can release it.',
    leaks: `import { Pool, type PoolClient } from 'pg';
const pool = new Pool();
export async function visit(ids: number[]) {
  let client: PoolClient | undefined;
  try {
    for (const id of ids) {
      client = await pool.connect();
      await client.query('insert into visits values ($1)', [id]);
    }
  } finally {
    client?.release();
  }
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function visit(ids: number[]) {
  for (const id of ids) {
    const client = await pool.connect();
    try {
      await client.query('insert into visits values ($1)', [id]);
    } finally {
      client.release();
    }
  }
}`,
    exceptions: 'Leases that go into an array or map are all still there, and may be released together.',
  },
  'released-twice': {
    title: 'a release after another one',
    why: 'The second release throws, or puts a connection back that somebody else uses by then: two callers share one transaction.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function clear(id: number) {
  const client = await pool.connect();
  try {
    await client.query('delete from carts where id = $1', [id]);
  } catch (error) {
    client.release();
    throw error;
  } finally {
    client.release();
  }
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function clear(id: number) {
  const client = await pool.connect();
  try {
    await client.query('delete from carts where id = $1', [id]);
  } finally {
    client.release();
  }
}`,
    exceptions:
      'Only where the driver minds: a TypeORM query runner may be released again. It is a note where not every path comes to both.',
  },
  'used-after-release': {
    title: 'a use after the release',
    why: 'The connection may be in the hands of somebody else: the query lands in their transaction.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function bill(id: number) {
  const client = await pool.connect();
  try {
    await client.query('update orders set billed = true where id = $1', [id]);
  } finally {
    client.release();
  }
  return client.query('select total from orders where id = $1', [id]);
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function bill(id: number) {
  const client = await pool.connect();
  try {
    await client.query('update orders set billed = true where id = $1', [id]);
    return await client.query('select total from orders where id = $1', [id]);
  } finally {
    client.release();
  }
}`,
    exceptions:
      'A note where only some paths come from the release, and where a promise is returned out of a try without await.',
  },
  'dead-release': {
    title: 'a release that is named but not called',
    why: 'Without () nothing happens: it reads like a release, and the lease is lost.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function ping() {
  const client = await pool.connect();
  try {
    return await client.query('select 1');
  } finally {
    client.release;
  }
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function ping() {
  const client = await pool.connect();
  try {
    return await client.query('select 1');
  } finally {
    client.release();
  }
}`,
    exceptions: 'A release that another call receives, as in .finally(client.release), is not reported.',
  },
  'released-not-owned': {
    title: 'a release of a lease that may be the one of the caller',
    why: 'The caller goes on with a connection that is back in the pool.',
    leaks: `import { Pool, type PoolClient } from 'pg';
const pool = new Pool();
export async function next(given?: PoolClient) {
  const client = given ?? (await pool.connect());
  try {
    return await client.query("select nextval('ids')");
  } finally {
    client.release();
  }
}`,
    fixed: `import { Pool, type PoolClient } from 'pg';
const pool = new Pool();
export async function next(given?: PoolClient) {
  const client = given ?? (await pool.connect());
  try {
    return await client.query("select nextval('ids')");
  } finally {
    if (given === undefined) client.release();
  }
}`,
    exceptions: 'A release under a condition that asks who owns the lease is not reported. Always a note.',
  },
  'pool-per-call': {
    title: 'a pool that each call creates again',
    why: 'Connecting costs more than most queries, and the limit of each pool holds for one call only: together they use up the server.',
    leaks: `import { Pool } from 'pg';
export async function getData(id: number) {
  const pool = new Pool({ max: 5 });
  try {
    const { rows } = await pool.query('select * from data where id = $1', [id]);
    return rows[0];
  } finally {
    await pool.end();
  }
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool({ max: 5 });
export async function getData(id: number) {
  const { rows } = await pool.query('select * from data where id = $1', [id]);
  return rows[0];
}`,
    exceptions: 'A script may make its own: main(), migrations, and what lies in scripts/. Always a note.',
  },
  'held-through-work': {
    title: 'a lease that is held through work which does not need it',
    why: 'While the lease waits for something else, so does everybody who waits for a lease: a pool serves as many calls per second as its leases are short.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function report(day: string, render: (rows: unknown[]) => Promise<string>) {
  const client = await pool.connect();
  try {
    const { rows } = await client.query('select * from orders where day = $1', [day]);
    return await render(rows);
  } finally {
    client.release();
  }
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function report(day: string, render: (rows: unknown[]) => Promise<string>) {
  const { rows } = await pool.query('select * from orders where day = $1', [day]);
  return await render(rows);
}`,
    exceptions:
      'Work between two uses of the lease counts only where it is known to wait for another server, such as fetch(). Always a note.',
  },
  'module-session': {
    title: 'one lease that a whole module shares',
    why: 'All callers wait for each other, share one transaction, and stay without a connection once this one is broken.',
    leaks: `import { createDatabase } from 'poolctl';
const db = createDatabase('sqlite:app.db');
const session = await db.getDb();
export async function orders() {
  return await session.query('select * from orders');
}`,
    fixed: `import { createDatabase } from 'poolctl';
const db = createDatabase('sqlite:app.db');
export async function orders() {
  return await db.withSession((session) => session.query('select * from orders'));
}`,
    exceptions:
      'A client that listens for notifications is kept on purpose; so is one that the module releases. Always a note.',
  },
};
