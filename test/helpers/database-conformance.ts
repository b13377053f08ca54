import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Connection, DatabaseOptions } from '../../src/db/connection.js';
import type { Database } from '../../src/db/database.js';
import { DatabaseError } from '../../src/db/errors.js';
import type { Session } from '../../src/db/session.js';
import { expectNoLeaks } from '../../src/testing/index.js';
import { newGate } from './pools.js';
import { VirtualClock } from './virtual-clock.js';

/** What the suite must know of a kind of database. */
export interface DatabaseUnderTest {
  readonly title: string;
  /** A database of this test's own, the same one for every pool that the test opens. */
  prepare(): Promise<TestDatabase>;
  /** The parameter at a position, from 1. */
  placeholder(position: number): string;
  /** The codes of: a syntax error, a value that a column does not take, a parameter too few. */
  readonly codes: Record<'syntax' | 'notNull' | 'parameterMissing', string>;
  /** Whether it tells where in a statement an error is. */
  readonly positions: boolean;
  /** The types of: an integer key that counts up, text, a floating-point number, bytes, a 64-bit integer. */
  readonly types: Record<'key' | 'text' | 'real' | 'bytes' | 'bigint', string>;
  /** A statement that takes long enough for whatever happens meanwhile, and ends by itself. */
  readonly slow: string;
  /** What this kind can do, or have done to it. The tests of what it cannot are left out. */
  readonly can: {
    /** Several connections reach the same data. */
    readonly share: boolean;
    /** Their statements run at the same time. */
    readonly runInParallel: boolean;
    /** TestDatabase has `kill`. */
    readonly beKilled: boolean;
    /** TestDatabase has `outage`. */
    readonly beAway: boolean;
  };
}

export interface TestDatabase {
  open(options?: DatabaseOptions): Database;
  /** Ends a connection from outside, the oldest first, as if its server had hung up. */
  kill(): Promise<void>;
  /** Takes the whole database away, and brings it back. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
  /** Resolves as soon as no connection is open any more, as seen from outside. */
  allClosed(): Promise<void>;
  remove(): Promise<void>;
}

/** What every kind of database must do, the same way. */
export function describeDatabase(kind: DatabaseUnderTest): void {
  describe(kind.title, () => {
    let database: TestDatabase;
    let opened: Database[];
    const open = (options?: DatabaseOptions): Database => {
      const db = database.open(options);
      opened.push(db);
      return db;
    };
    const { placeholder, can } = kind;
    // Left out, not skipped: what a database cannot do is nothing that a run has failed to test.
    const when = (possible: boolean) => (possible ? it : leaveOut);
    const marks = (count: number): string =>
      Array.from({ length: count }, (_, i) => placeholder(i + 1)).join(', ');

    beforeEach(async () => {
      opened = [];
      database = await kind.prepare();
    });
    afterEach(async () => {
      for (const db of opened) await db.close({ graceMs: 0 });
      await database.remove();
    });

    const withTable = async (options?: DatabaseOptions): Promise<Database> => {
      const db = open(options);
      const { key, text } = kind.types;
      await db.withSession((session) =>
        session.exec(
          `create table items (id ${key}, label ${text} not null); create table other (n integer)`,
        ),
      );
      return db;
    };
    const add = (session: Session, label: string | null) =>
      session.query(`insert into items (label) values (${placeholder(1)})`, [label]);
    const labels = async (db: Database): Promise<string[]> => {
      const { rows } = await db.withSession((session) =>
        session.query<{ label: string }>('select label from items order by id'),
      );
      return rows.map(({ label }) => label);
    };

    describe('queries', () => {
      it('give rows as objects, the columns, and how many rows there are', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        for (const label of ['a', 'b', 'c']) await add(session, label);
        expect(await session.query('select id, label from items order by id')).toMatchObject({
          rows: [
            { id: 1, label: 'a' },
            { id: 2, label: 'b' },
            { id: 3, label: 'c' },
          ],
          columns: ['id', 'label'],
          rowCount: 3,
        });
        expect(await session.query('select id, label from items where id > 9')).toMatchObject({
          rows: [],
          columns: ['id', 'label'],
          rowCount: 0,
        });
      });

      it('name every column, in order, also those of one name', async () => {
        await using session = await open().getDb();
        const sql = 'select 1 as b, 2 as "1", 3 as b';
        for (const each of [sql, `${sql} where 1 = 0`, sql, Array(9).fill(sql).join(' union all '), sql]) {
          expect((await session.query(each)).columns).toEqual(['b', '1', 'b']);
        }
        expect((await session.query(sql)).rows).toEqual([{ b: 3, 1: 2 }]);
      });

      it('say how many rows a statement has changed', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        for (const label of ['a', 'b', 'c']) await add(session, label);
        expect(await session.query('delete from items where id < 3')).toMatchObject({
          rows: [],
          rowCount: 2,
        });
        expect(await session.query('delete from items where id < 3')).toMatchObject({
          rows: [],
          rowCount: 0,
        });
      });

      it('give what RETURNING returns', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const { rows, rowCount } = await session.query(
          `insert into items (label) values (${placeholder(1)}) returning label`,
          ['a'],
        );
        expect({ rows, rowCount }).toEqual({ rows: [{ label: 'a' }], rowCount: 1 });
      });

      it('store and give back every type', async () => {
        const db = open();
        const { text, real, bytes, bigint } = kind.types;
        await using session = await db.getDb();
        await session.exec(
          `create table types (t ${text}, r ${real}, b ${bytes}, i ${bigint}, big ${bigint}, n ${text})`,
        );
        const blob = Buffer.from([0, 1, 127, 128, 255]);
        const values = [
          "it's ünï \u{1f980} \0-free?".replace('\0', ''),
          -1.5,
          blob,
          42,
          2n ** 60n + 1n,
          null,
        ];
        await session.query(`insert into types values (${marks(6)})`, values);
        const { rows } = await session.query<Record<string, unknown>>('select * from types');
        expect(rows[0]).toEqual({ t: values[0], r: -1.5, b: blob, i: 42, big: 2n ** 60n + 1n, n: null });
        expect(Buffer.isBuffer(rows[0]?.b)).toBe(true);
      });

      it('give integers as numbers where those are exact, and as BigInt beyond', async () => {
        await using session = await open().getDb();
        const { rows } = await session.query<{ exact: unknown; beyond: unknown }>(
          'select 9007199254740991 as exact, 9007199254740993 as beyond',
        );
        expect(rows[0]).toEqual({ exact: 9007199254740991, beyond: 9007199254740993n });
      });

      it('give the same for many rows as for one', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        await session.transaction(async (inner) => {
          for (let i = 1; i <= 50; i++) await add(inner, `label ${i}`);
        });
        for (const most of [1, 50, 1, 50, 3]) {
          const { rows } = await session.query(
            `select id, label from items where id <= ${placeholder(1)} order by id`,
            [most],
          );
          expect(rows).toEqual(
            Array.from({ length: most }, (_, i) => ({ id: i + 1, label: `label ${i + 1}` })),
          );
        }
      });

      it('see a table that was altered in between', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        for (let i = 0; i < 20; i++) await add(session, 'a');
        const columns = async () => (await session.query('select * from items')).columns;
        expect([await columns(), await columns()]).toEqual([
          ['id', 'label'],
          ['id', 'label'],
        ]);
        await session.exec('alter table items rename column label to title');
        expect([await columns(), await columns()]).toEqual([
          ['id', 'title'],
          ['id', 'title'],
        ]);
      });

      it('refuse undefined, objects and functions as parameters, naming each', async () => {
        await using session = await open().getDb();
        const refused = session.query(`select ${marks(4)}`, [1, undefined, { a: 1 }, () => 1]);
        await expect(refused).rejects.toMatchObject({
          code: 'ERR_DB_PARAM',
          message: expect.stringMatching(
            /parameter 2 is undefined.*parameter 3 is an object.*parameter 4 is a function/,
          ),
        });
        expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      });

      it('reject with the error, code and statement of the database, and the session goes on', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const failed = await session.query('selec 1').catch((error: unknown) => error);
        expect(failed).toBeInstanceOf(DatabaseError);
        expect(failed).toMatchObject({ code: kind.codes.syntax, sql: 'selec 1' });
        await expect(add(session, null)).rejects.toMatchObject({ code: kind.codes.notNull });
        expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      });

      it('reject a parameter too few and one too many, and the session goes on', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const sql = `select id from items where id = ${placeholder(1)} or label = ${placeholder(2)}`;
        for (const params of [[1], [], [1, 'a', 2]]) {
          await expect(session.query(sql, params)).rejects.toMatchObject({
            code: kind.codes.parameterMissing,
            sql,
          });
        }
        expect((await session.query(sql, [1, 'a'])).rows).toEqual([]);
      });

      it('refuse several statements in one, and run none of them', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const refused = session.query("insert into items (label) values ('a'); delete from items");
        await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('exec()') });
        expect((await session.query('select * from items')).rowCount).toBe(0);
      });

      it('say where in the statement an error is, if the database does', async () => {
        await using session = await open().getDb();
        await expect(session.query('select 1 +* 2')).rejects.toMatchObject({
          code: expect.any(String),
          position: kind.positions ? 10 : null,
        });
      });

      it('reject with a stack that leads to the caller', async () => {
        await using session = await open().getDb();
        const caller = async () => await session.query('selec 1');
        const failed = await caller().catch((error: unknown) => error);
        expect((failed as Error).stack).toMatch(/at (async )?caller /);
      });

      it('of one session take turns, in order', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        await Promise.all(['a', 'b', 'c', 'd'].map((label) => add(session, label)));
        const { rows } = await session.query('select label from items order by id');
        expect(rows.map(({ label }) => label)).toEqual(['a', 'b', 'c', 'd']);
      });

      it('run scripts of several statements through exec', async () => {
        await using session = await open().getDb();
        await session.exec(
          "create table a (x integer); insert into a values (1); -- 'done';\n insert into a values (2)",
        );
        expect((await session.query('select x from a order by x')).rows).toEqual([{ x: 1 }, { x: 2 }]);
        await expect(session.exec('insert into a values (3); selec')).rejects.toMatchObject({
          code: kind.codes.syntax,
        });
      });
    });

    describe('transactions', () => {
      it('commit when the work returns, and give its result', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const result = await session.transaction(async (inner) => {
          await add(inner, 'a');
          expect(session.inTransaction).toBe(true);
          return 'done';
        });
        expect(result).toBe('done');
        expect(session.inTransaction).toBe(false);
        expect((await session.query('select label from items')).rows).toEqual([{ label: 'a' }]);
      });

      it('roll back when the work throws, and throw what it threw', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const failure = new Error('of the work');
        const failed = session.transaction(async (inner) => {
          await add(inner, 'a');
          throw failure;
        });
        await expect(failed).rejects.toBe(failure);
        expect(session.inTransaction).toBe(false);
        expect((await session.query('select label from items')).rows).toEqual([]);
      });

      it('inside of others are savepoints, whichever session they are called on', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        await session.transaction(async (outer) => {
          await add(outer, 'kept');
          for (const handle of [outer, session]) {
            const failed = handle.transaction(async (inner) => {
              await add(inner, 'undone');
              await inner.transaction((innermost) => add(innermost, 'undone too'));
              throw new Error('inner');
            });
            await expect(failed).rejects.toThrow('inner');
            await handle.transaction((inner) => add(inner, 'kept too'));
          }
        });
        const { rows } = await session.query('select label from items order by id');
        expect(rows.map((row) => row.label)).toEqual(['kept', 'kept too', 'kept too']);
      });

      it('started side by side on one session take turns', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const gate = newGate();
        const undone = session.transaction(async (inner) => {
          await add(inner, 'undone');
          await gate.opened;
          throw new Error('first');
        });
        const done = session.transaction((inner) => add(inner, 'done'));
        const queried = session.query('select label from items');
        gate.open();
        await expect(undone).rejects.toThrow('first');
        await done;
        // It waited for both transactions, and saw nothing of the one that was undone.
        expect((await queried).rows).toEqual([{ label: 'done' }]);
      });

      it('let the work use the outer session', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const failed = session.transaction(async () => {
          await add(session, 'undone');
          throw new Error('work');
        });
        await expect(failed).rejects.toThrow('work');
        expect((await session.query('select label from items')).rows).toEqual([]);
      });

      it('wait at their end for queries that were not awaited', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        let left: Promise<unknown> = Promise.resolve();
        await session.transaction(async (inner) => {
          left = Promise.all([add(inner, 'a'), add(inner, 'b')]);
        });
        await left;
        expect((await session.query('select label from items order by id')).rowCount).toBe(2);
      });

      it('refuse queries on their session after their end', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        const leaked = await session.transaction(async (inner) => inner);
        await expect(leaked.query('select 1')).rejects.toMatchObject({ code: 'ERR_TRANSACTION_OVER' });
        expect(leaked.closed).toBe(true);
        expect(session.closed).toBe(false);
      });

      it('say so when a statement has ended them before their end', async () => {
        const db = await withTable();
        await using session = await db.getDb();
        await expect(session.transaction((inner) => inner.exec('rollback'))).rejects.toMatchObject({
          code: 'ERR_TRANSACTION_OVER',
        });
        expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      });

      it('in a session that is closed meanwhile are rolled back, and their work is told', async () => {
        const db = await withTable({ size: 1, maxOverflow: 0 });
        const session = await db.getDb();
        const failed = session.transaction(async (inner) => {
          await add(inner, 'a');
          await session.close();
          return 'never committed';
        });
        await expect(failed).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
        expect(await labels(db)).toEqual([]);
      });
    });

    describe('sessions', () => {
      it('that cannot be had in time are refused with the reason, and who has them', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        await using _holder = await db.getDb();
        const late = db.getDb({ timeoutMs: 1 });
        await expect(late).rejects.toMatchObject({
          code: 'ERR_POOL_TIMEOUT',
          message: expect.stringContaining('database-conformance.ts'),
        });
        expect(db.pool.snapshot()).toMatchObject({ inUse: 1, waiting: 0, counters: { timedOut: 1 } });
      });

      it('are back in the pool before close has returned', async () => {
        const db = open();
        const session = await db.getDb();
        expect(db.pool.snapshot().inUse).toBe(1);
        const closing = session.close();
        expect(db.pool.snapshot().inUse).toBe(0);
        expect(session.closed).toBe(true);
        await closing;
      });

      it('may be closed twice, and refuse queries afterwards', async () => {
        const db = open();
        const session = await db.getDb();
        await session.close();
        await session.close();
        await expect(session.query('select 1')).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
        await expect(session.transaction(async () => 1)).rejects.toMatchObject({
          code: 'ERR_SESSION_CLOSED',
        });
        expect(db.pool.snapshot().counters).toMatchObject({ released: 1, doubleReleased: 0 });
      });

      it('leave nothing open to the next borrower', async () => {
        const db = await withTable({ size: 1, maxOverflow: 0 });
        const first = await db.getDb();
        await first.exec('begin');
        await add(first, 'undone');
        await first.close();
        await using second = await db.getDb();
        expect(second.inTransaction).toBe(false);
        expect((await second.query('select label from items')).rows).toEqual([]);
        expect(db.pool.snapshot().counters.created).toBe(1);
      });

      it('that are closed while they run a query give the connection back when it is done', async () => {
        const db = await withTable({ size: 1, maxOverflow: 0 });
        const session = await db.getDb();
        await session.exec('begin');
        const left = add(session, 'undone');
        await session.close();
        await left;
        expect(await labels(db)).toEqual([]);
        expect(db.pool.snapshot().counters.created).toBe(1);
      });

      it('that are closed while they begin a transaction leave none open', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        const session = await db.getDb();
        const left = session.exec('begin');
        await session.close();
        await left;
        expect(await db.withSession((next) => next.inTransaction)).toBe(false);
        expect(db.pool.snapshot().counters.created).toBe(1);
      });

      it('are cleaned by a hook of what a rollback does not end', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        db.pool.hook('reset', (connection) => connection.exec('drop table if exists scratch'));
        for (let i = 0; i < 2; i++) {
          await db.withSession((session) => session.exec('create temporary table scratch (x integer)'));
        }
        expect(db.pool.snapshot().counters).toMatchObject({ created: 1, resetFailed: 0 });
      });

      it('cost no reset where nothing is open', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        await db.withSession((session) => session.query('select 1'));
        const session = await db.getDb();
        await session.query('select 1');
        void session.close();
        expect(db.pool.snapshot()).toMatchObject({ idle: 1, resetting: 0 });
      });

      it('from withSession are closed when the work returns', async () => {
        const db = open();
        expect(
          await db.withSession(async (session) => (await session.query('select 1 as one')).rowCount),
        ).toBe(1);
        expectNoLeaks(db);
      });

      it('from withSession are closed when the work throws, and what it threw is thrown', async () => {
        const db = open();
        const failure = new Error('of the work');
        const thrown = db.withSession(async (session) => {
          await session.exec('begin');
          throw failure;
        });
        await expect(thrown).rejects.toBe(failure);
        await expect(
          db.withSession(() => {
            throw failure;
          }),
        ).rejects.toBe(failure);
        expectNoLeaks(db);
      });

      it('are known to the pool by the line that asked for them', async () => {
        const db = open();
        const site = (): string => db.pool.snapshot().holders[0]?.site ?? '';
        const direct = await db.getDb();
        expect(site()).toContain('database-conformance.ts');
        await direct.close();
        expect(await db.withSession(site)).toContain('database-conformance.ts');
      });

      it('hold out to the end of the pool, which then closes their connections', async () => {
        const db = open();
        const session = await db.getDb();
        await db.close({ graceMs: 0 });
        await expect(session.query('select 1')).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
        await session.close();
        expect(db.pool.snapshot()).toMatchObject({ closed: true, inUse: 0, live: 0 });
        await expect(db.getDb()).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
      });
    });

    describe('closing', () => {
      when(can.share)('leaves nothing open', async () => {
        const db = open({ size: 3, maxOverflow: 1 });
        const sessions = await Promise.all([db.getDb(), db.getDb(), db.getDb(), db.getDb()]);
        await Promise.all(sessions.map((session) => session.query('select 1')));
        await Promise.all(sessions.map((session) => session.close()));
        await db.close();
        await database.allClosed();
        expect(db.pool.snapshot()).toMatchObject({ closed: true, live: 0, inUse: 0 });
      });

      it('lets sessions that are out finish, and refuses new ones at once', async () => {
        const db = await withTable();
        const session = await db.getDb();
        const closing = db.close({ graceMs: 60_000 });
        await expect(db.getDb()).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
        await session.transaction((inner) => add(inner, 'a'));
        expect((await session.query('select label from items')).rows).toEqual([{ label: 'a' }]);
        await session.close();
        await closing;
        await database.allClosed();
      });

      it('rejects those who wait for a session', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        const session = await db.getDb();
        const waiting = db.getDb();
        const closing = db.close({ graceMs: 60_000 });
        await expect(waiting).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
        await session.close();
        await closing;
      });

      when(can.runInParallel)('cuts off what still runs when its time is up', async () => {
        const db = open();
        const session = await db.getDb();
        const running = session.query(kind.slow);
        const closing = db.close({ graceMs: 0 });
        await expect(running).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
        await closing;
        await database.allClosed();
        expect(session.closed).toBe(true);
        await session.close();
      });

      when(can.share)('while connections are being opened ends those too', async () => {
        const db = open();
        const wanted = db.getDb();
        const closing = db.close();
        await expect(wanted).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
        await closing;
        await database.allClosed();
      });
    });

    describe('aborts', () => {
      it('before a query begins cost nothing', async () => {
        const db = await withTable({ size: 1, maxOverflow: 0 });
        await using session = await db.getDb();
        const aborted = session.query('select 1', [], { signal: AbortSignal.abort(new Error('no need')) });
        await expect(aborted).rejects.toMatchObject({
          name: 'AbortError',
          code: 'ERR_QUERY_ABORTED',
          cause: { message: 'no need' },
        });
        expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      });

      it('of a query that waits for its turn cost nothing', async () => {
        await using session = await open().getDb();
        const gate = newGate();
        const running = session.transaction(() => gate.opened);
        const controller = new AbortController();
        const waiting = session.query('select 1', [], { signal: controller.signal });
        controller.abort();
        await expect(waiting).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
        gate.open();
        await running;
        expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      });

      when(can.runInParallel)('of a running query end its session, and no other', async () => {
        const db = open();
        const [session, other] = await Promise.all([db.getDb(), db.getDb()]);
        const controller = new AbortController();
        const running = session.query(kind.slow, [], { signal: controller.signal });
        controller.abort();
        await expect(running).rejects.toMatchObject({ name: 'AbortError', code: 'ERR_QUERY_ABORTED' });
        expect(session.closed).toBe(true);
        await expect(session.query('select 1')).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
        expect((await other.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
        await Promise.all([session.close(), other.close()]);
        expect(db.pool.snapshot()).toMatchObject({ inUse: 0, counters: { invalidated: 1 } });
      });

      when(can.runInParallel)('by a time limit say that it was one', async () => {
        await using session = await open().getDb();
        const limited = session.query(kind.slow, [], { signal: AbortSignal.timeout(1) });
        await expect(limited).rejects.toMatchObject({
          code: 'ERR_QUERY_ABORTED',
          cause: { name: 'TimeoutError' },
        });
      });

      when(can.runInParallel)('in a transaction undo it', async () => {
        const db = await withTable();
        const session = await db.getDb();
        const controller = new AbortController();
        const failed = session.transaction(async (inner) => {
          await add(inner, 'undone');
          const running = inner.exec(kind.slow, { signal: controller.signal });
          controller.abort();
          await running;
        });
        await expect(failed).rejects.toMatchObject({ code: 'ERR_QUERY_ABORTED' });
        await session.close();
        expect(await labels(db)).toEqual([]);
      });

      it('may share one signal among many queries', async () => {
        const warnings: Error[] = [];
        const listen = (warning: Error) => void warnings.push(warning);
        process.on('warning', listen);
        const db = open();
        const { signal } = new AbortController();
        await using session = await db.getDb();
        await Promise.all(Array.from({ length: 30 }, () => session.query('select 1', [], { signal })));
        await new Promise(setImmediate);
        process.off('warning', listen);
        expect(warnings).toEqual([]);
      });
    });

    describe('connections', () => {
      when(can.runInParallel)('run their statements side by side', async () => {
        const db = await withTable({ size: 6, maxOverflow: 0 });
        await db.withSession((session) => add(session, 'x'));
        const gate = newGate();
        const holding = newGate();
        const holder = db.withSession((session) =>
          session.transaction(async (inner) => {
            await inner.query("update items set label = 'held'");
            holding.open();
            await gate.opened;
          }),
        );
        await holding.opened;
        // Four statements wait inside of the database for the lock. If they ran one after the other, or in this
        // thread, the sixth session's would never be served.
        const blocked = Array.from({ length: 4 }, () =>
          db.withSession((session) => session.query("update items set label = concat(label, '+')")),
        );
        expect(
          await db.withSession(async (session) => (await session.query('select label from items')).rows),
        ).toEqual([{ label: 'x' }]);
        expect(db.pool.snapshot().inUse).toBe(5);
        gate.open();
        await Promise.all([holder, ...blocked]);
        expect(await labels(db)).toEqual(['held++++']);
      });

      when(can.runInParallel)('lose no write of many at once', async () => {
        const db = await withTable({ size: 4, maxOverflow: 2 });
        await db.withSession((session) => session.query('insert into other (n) values (0)'));
        const increment = () =>
          db.withSession((session) =>
            session.transaction((inner) => inner.query('update other set n = n + 1')),
          );
        await Promise.all(Array.from({ length: 60 }, increment));
        const { rows } = await db.withSession((session) => session.query('select n from other'));
        expect(rows).toEqual([{ n: 60 }]);
        expectNoLeaks(db);
      });

      when(can.runInParallel)('that only read do not wait for one that writes', async () => {
        const db = await withTable({ size: 2, maxOverflow: 0 });
        await using writer = await db.getDb();
        await writer.transaction(async (inner) => {
          await add(inner, 'not yet committed');
          const seen = await db.withSession((session) =>
            session.transaction((reading) => reading.query('select * from items'), { readOnly: true }),
          );
          expect(seen.rowCount).toBe(0);
        });
        expect(await labels(db)).toEqual(['not yet committed']);
      });

      it('are handed on in order when all are in use', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        const order: number[] = [];
        await Promise.all(
          Array.from({ length: 5 }, (_, i) =>
            db.withSession(async (session) => {
              await session.query('select 1');
              order.push(i);
            }),
          ),
        );
        expect(order).toEqual([0, 1, 2, 3, 4]);
        expect(db.pool.snapshot().counters).toMatchObject({ created: 1, acquired: 5 });
      });

      when(can.share)('are replaced when they are too old', async () => {
        const clock = new VirtualClock();
        const db = open({ clock, size: 1, maxOverflow: 0, recycleMs: 1000, recycleJitter: 0 });
        await db.withSession((session) => session.query('select 1'));
        clock.block(1000);
        await db.withSession((session) => session.query('select 1'));
        expect(db.pool.snapshot().counters).toMatchObject({ created: 1, recycled: 0 });
        clock.block(1);
        await db.withSession((session) => session.query('select 1'));
        expect(db.pool.snapshot().counters).toMatchObject({ created: 2, recycled: 1 });
      });

      it('can be set up by a hook', async () => {
        const db = open();
        const seen: Connection[] = [];
        db.pool.hook('connect', async (connection) => {
          await connection.exec('create table from_hook (x integer)');
          seen.push(connection);
        });
        await db.withSession((session) => session.query('select * from from_hook'));
        expect(seen.length).toBe(1);
      });

      it('35: fresh ones are not pinged, idle ones are', async () => {
        const db = open({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
        let pings = 0;
        const { driver } = db.pool.settings;
        const ping = driver.ping?.bind(driver);
        driver.ping = async (connection) => {
          pings++;
          return (await ping?.(connection)) ?? false;
        };
        await db.withSession((session) => session.query('select 1'));
        expect(pings).toBe(0);
        await db.withSession((session) => session.query('select 1'));
        expect(pings).toBe(1);
        expect(db.pool.snapshot().counters.created).toBe(1);
      });

      it('39: errors can be judged by a hook, as a disconnect or not', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        let verdict: boolean | undefined;
        db.pool.hook('error', () => verdict);
        await using ordinary = await db.getDb();
        await expect(ordinary.query('selec 1')).rejects.toMatchObject({ code: kind.codes.syntax });
        expect(ordinary.closed).toBe(false);
        verdict = true;
        await expect(ordinary.query('selec 1')).rejects.toMatchObject({ code: kind.codes.syntax });
        expect(ordinary.closed).toBe(true);
        expect(db.pool.snapshot().counters.invalidated).toBe(1);
      });

      it('52: an ordinary error invalidates nothing', async () => {
        const db = open({ size: 1, maxOverflow: 0 });
        await db.withSession(async (session) => {
          await expect(session.query('selec 1')).rejects.toThrow();
        });
        await db.withSession((session) => session.query('select 1'));
        expect(db.pool.snapshot().counters).toMatchObject({ created: 1, invalidated: 0, softInvalidated: 0 });
      });

      when(can.beKilled)('that break while idle are noticed and replaced, and crash nothing', async () => {
        const db = open({ size: 1, maxOverflow: 0, prePing: false });
        await db.withSession((session) => session.query('select 1'));
        const noticed = new Promise((resolve) => db.pool.on('invalidate', resolve));
        await database.kill();
        expect(await noticed).toMatchObject({ soft: false, cause: { code: 'ERR_CONNECTION_LOST' } });
        expect(
          await db.withSession(async (session) => (await session.query('select 1 as one')).rows),
        ).toEqual([{ one: 1 }]);
        expect(db.pool.snapshot().counters).toMatchObject({ created: 2, invalidated: 1 });
      });

      when(can.beKilled)('36: that break unnoticed are found by the ping, and replaced', async () => {
        const db = open({ size: 1, maxOverflow: 0, prePing: true, pingIdleMs: 0 });
        db.pool.settings.driver.onBroken = () => () => {};
        await db.withSession((session) => session.query('select 1'));
        await database.kill();
        const rows = await db.withSession(async (session) => (await session.query('select 1 as one')).rows);
        expect(rows).toEqual([{ one: 1 }]);
        expect(db.pool.snapshot().counters).toMatchObject({ created: 2, pingFailed: 1 });
      });

      when(can.beKilled)('38: that break come to light at the query, without a ping', async () => {
        const db = open({ size: 1, maxOverflow: 0, prePing: false });
        const session = await db.getDb();
        await session.query('select 1');
        await database.kill();
        await expect(session.query('select 1')).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
        expect(session.closed).toBe(true);
        await session.close();
        await db.withSession((next) => next.query('select 1'));
        expectNoLeaks(db);
      });

      when(can.beKilled)(
        '52: that break under a query reject it, and take all others of their age with them',
        async () => {
          const db = await withTable({ size: 3, maxOverflow: 0, prePing: false });
          const victim = await db.getDb();
          const [idle, busy] = await Promise.all([db.getDb(), db.getDb()]);
          await idle.close();
          const running = victim.query(kind.slow);
          const killed = database.kill();
          await expect(running).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
          // The other that is out works on until it comes back.
          expect((await busy.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
          await Promise.all([killed, victim.close(), busy.close()]);
          await Promise.all([1, 2, 3].map(() => db.withSession((session) => session.query('select 1'))));
          const { live, counters } = db.pool.snapshot();
          expect(live).toBeLessThanOrEqual(3);
          expect(counters).toMatchObject({ invalidated: 1, destroyed: 3 });
          expectNoLeaks(db);
        },
      );

      when(can.beKilled)('that break in a transaction reject its work with the loss', async () => {
        const db = await withTable({ prePing: false });
        const session = await db.getDb();
        const failed = session.transaction(async (inner) => {
          await add(inner, 'undone');
          await database.kill();
          await add(inner, 'undone');
        });
        await expect(failed).rejects.toMatchObject({ code: 'ERR_CONNECTION_LOST' });
        await session.close();
        expect(await labels(db)).toEqual([]);
      });

      when(can.beAway)('37: that cannot be opened reject with the reason, and keep their place', async () => {
        const { outage } = database;
        const db = open({ size: 2, maxOverflow: 1, prePing: true, pingIdleMs: 0 });
        await outage.begin();
        for (let i = 0; i < 4; i++) {
          const failed = await db.getDb().catch((error: unknown) => error);
          expect(failed).toMatchObject({ code: 'ERR_POOL_CREATE', cause: { code: expect.any(String) } });
        }
        await outage.end();
        const sessions = await Promise.all([db.getDb(), db.getDb(), db.getDb()]);
        expect(db.pool.snapshot()).toMatchObject({ live: 3, inUse: 3 });
        await Promise.all(sessions.map((session) => session.close()));
      });
    });
  });
}

function leaveOut(_name: string, _test: () => Promise<void>): void {}
