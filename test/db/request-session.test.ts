import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type Database, type Session } from '../../src/db/database.js';
import { currentSession, runWithSession, sessionPerRequest } from '../../src/db/request-session.js';
import { expectNoLeaks } from '../../src/testing/index.js';
import { newGate } from '../helpers/pools.js';

let folder: string;
let db: Database;
let server: Server | null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-request-'));
  db = createDatabase(`sqlite:${join(folder, 'app.db')}?mode=inline`, { size: 2, maxOverflow: 0 });
  server = null;
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await db.close({ graceMs: 0 });
  await rm(folder, { recursive: true });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** A server as applications have it: the middleware, then the handler, whose errors become a 500. */
async function serve(handler: Handler, perRequest = sessionPerRequest(db)): Promise<string> {
  server = createServer((request, response) => {
    perRequest(request, response, async () => {
      try {
        await handler(request, response);
      } catch (error) {
        response.statusCode = 500;
        response.end(error instanceof Error && 'code' in error ? String(error.code) : String(error));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Resolves at the next release; to be called before what leads to it. */
function nextRelease(database: Database = db): Promise<unknown> {
  return new Promise((resolve) => database.pool.on('release', resolve));
}

describe('a session per request', () => {
  it('is taken by the first who asks, shared by all who serve the request, and back after the response', async () => {
    const outAtStart: number[] = [];
    const url = await serve(async (_, response) => {
      outAtStart.push(db.pool.snapshot().inUse);
      const [first, second] = await Promise.all([currentSession(), currentSession()]);
      expect(db.pool.snapshot().inUse).toBe(1);
      const { rows } = await first.query('select 1 as one');
      response.end(JSON.stringify([first === second, first === (await currentSession()), rows]));
    });
    const released = nextRelease();
    expect(await textOf(url)).toBe('[true,true,[{"one":1}]]');
    await released;
    expect(outAtStart).toEqual([0]);
    expectNoLeaks(db);
  });

  it('costs a request that does not ask for it nothing', async () => {
    const url = await serve((_, response) => void response.end('hello'));
    expect(await textOf(url)).toBe('hello');
    expect(db.pool.snapshot().counters).toMatchObject({ created: 0, acquired: 0 });
  });

  it('is back after a handler that throws, with its transaction undone', async () => {
    await db.withSession((session) => session.exec('create table t (n integer)'));
    const url = await serve(async () => {
      const session = await currentSession();
      await session.exec('begin; insert into t values (1)');
      throw new Error('of the handler');
    });
    const released = nextRelease();
    expect(await textOf(url)).toBe('Error: of the handler');
    await released;
    expect(await db.withSession((session) => session.query('select * from t'))).toMatchObject({
      rowCount: 0,
    });
    expectNoLeaks(db);
  });

  it('is closed when the client goes, and the handler hears of it at its next query', async () => {
    const gate = newGate();
    const handled = newGate();
    let failure: unknown;
    const url = await serve(async () => {
      const session = await currentSession();
      try {
        await session.transaction(async (inner) => {
          await inner.exec('create table never (n integer)');
          client.destroy();
          await gate.opened;
          await inner.query('select 1');
        });
      } catch (error) {
        failure = error;
      }
      handled.open();
    });
    const released = nextRelease();
    const client = get(url).on('error', () => {});
    await released;
    gate.open();
    await handled.opened;
    expect(failure).toMatchObject({ code: 'ERR_SESSION_CLOSED' });
    await expect(db.withSession((session) => session.query('select * from never'))).rejects.toThrow(
      /no such table/,
    );
    expectNoLeaks(db);
  });

  it('that is still waited for when the client goes is given up, and its place in the queue with it', async () => {
    const holders = [await db.getDb(), await db.getDb()];
    const handled = newGate();
    let failure: unknown;
    const url = await serve(async () => {
      const waiting = currentSession();
      client.destroy();
      failure = await waiting.catch((error: unknown) => error);
      handled.open();
    });
    const client = get(url).on('error', () => {});
    await handled.opened;
    expect(failure).toMatchObject({ code: 'ERR_SESSION_CLOSED', cause: { code: 'ERR_POOL_ABORTED' } });
    expect(db.pool.snapshot().waiting).toBe(0);
    for (const holder of holders) await holder.close();
    expectNoLeaks(db);
  });

  it('of requests side by side are different ones, and stay so over awaits', async () => {
    const seen = new Map<string, Session>();
    const both = newGate();
    const url = await serve(async ({ url: path = '' }, response) => {
      const session = await currentSession();
      seen.set(path, session);
      if (seen.size === 2) both.open();
      await both.opened;
      await new Promise((resolve) => setImmediate(resolve));
      response.end(String(session === (await currentSession())));
    });
    expect(await Promise.all([textOf(`${url}/a`), textOf(`${url}/b`)])).toEqual(['true', 'true']);
    expect(new Set(seen.values()).size).toBe(2);
    expect(db.pool.snapshot().counters.acquired).toBe(2);
  });

  it('that was closed by hand is followed by another', async () => {
    const url = await serve(async (_, response) => {
      const session = await currentSession();
      await session.close();
      const next = await currentSession();
      response.end(String(next !== session && !next.closed));
    });
    const released = nextRelease();
    expect(await textOf(url)).toBe('true');
    await released;
  });

  it('that could not be had is tried for again by the next who asks', async () => {
    const holders = [await db.getDb(), await db.getDb()];
    const url = await serve(
      async (_, response) => {
        const failed: unknown = await currentSession().catch((error: unknown) => error);
        expect(failed).toMatchObject({ code: 'ERR_POOL_TIMEOUT' });
        for (const holder of holders) await holder.close();
        const { rows } = await (await currentSession()).query('select 1 as one');
        response.end(JSON.stringify(rows));
      },
      sessionPerRequest(db, { timeoutMs: 1 }),
    );
    expect(await textOf(url)).toBe('[{"one":1}]');
  });

  it('is known to the pool by the line of the handler', async () => {
    const url = await serve(async (_, response) => {
      await currentSession();
      response.end(db.pool.snapshot().holders[0]?.site);
    });
    expect(await textOf(url)).toMatch(/request-session\.test\.ts:\d+:\d+$/);
  });

  it('is refused to work that outlives its request', async () => {
    const gate = newGate();
    let late: Promise<unknown> = Promise.resolve();
    const url = await serve((_, response) => {
      late = gate.opened.then(() => currentSession()).catch((error: unknown) => error);
      response.on('close', () => gate.open());
      response.end();
    });
    await textOf(url);
    await gate.opened;
    expect(await late).toMatchObject({
      code: 'ERR_SESSION_CLOSED',
      hint: expect.stringContaining('db.withSession'),
    });
  });

  it('is refused where the response was over before the handler began', async () => {
    const ended = { destroyed: true, once: () => {} };
    let asked: Promise<Session> | null = null;
    sessionPerRequest(db)({}, ended, () => {
      asked = currentSession();
    });
    await expect(asked).rejects.toMatchObject({ code: 'ERR_SESSION_CLOSED' });
  });
});

describe('a session around a function', () => {
  it('is closed when the function returns, whose result is given', async () => {
    const result = await runWithSession(db, async () => {
      await (await currentSession()).query('select 1');
      expect(db.pool.snapshot().inUse).toBe(1);
      return 'done';
    });
    expect(result).toBe('done');
    expectNoLeaks(db);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('of the work');
      },
    ],
    [
      'rejects',
      async () => {
        await (await currentSession()).exec('begin');
        throw new Error('of the work');
      },
    ],
  ])('is closed when the function %s, and what it threw is thrown', async (_, work) => {
    await expect(runWithSession(db, work)).rejects.toThrow('of the work');
    expectNoLeaks(db);
  });

  it('inside of another is one of its own, and the outer one goes on afterwards', async () => {
    await runWithSession(db, async () => {
      const outer = await currentSession();
      const inner = await runWithSession(db, () => currentSession());
      expect(inner).not.toBe(outer);
      expect(inner.closed).toBe(true);
      expect(await currentSession()).toBe(outer);
      expect((await outer.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    });
    expectNoLeaks(db);
  });

  it('is told from that of another database by naming the database', async () => {
    const other = createDatabase('sqlite::memory:?mode=inline', { name: 'other' });
    await runWithSession(db, () =>
      runWithSession(other, async () => {
        const [innermost, ofOther, ofDb] = await Promise.all([
          currentSession(),
          currentSession(other),
          currentSession(db),
        ]);
        expect(innermost).toBe(ofOther);
        expect(ofDb).not.toBe(ofOther);
      }),
    );
    expectNoLeaks(db, other);
    await other.close();
    await expect(runWithSession(db, () => currentSession(other))).rejects.toMatchObject({
      code: 'ERR_NO_REQUEST_SESSION',
      message: expect.stringContaining("'other'"),
    });
  });

  it('does not exist outside of a request', async () => {
    await expect(currentSession()).rejects.toMatchObject({
      code: 'ERR_NO_REQUEST_SESSION',
      hint: expect.stringContaining('sessionPerRequest'),
    });
    await expect(runWithSession(db, () => 1).then(() => currentSession())).rejects.toThrow(/no request/);
  });
});
