import { describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import { createHttpPool } from '../../src/http/http-pool.js';
import { createIbPool } from '../../src/ib/pool.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { FakeDriver } from '../helpers/fake-driver.js';
import { newPool } from '../helpers/pools.js';

type Make = (options: never) => unknown;

function thrownBy(make: () => unknown): Error & { code?: string; kind?: string } {
  try {
    make();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

const driver = new FakeDriver();
const pool: Make = (options) =>
  new QueuePool(options === undefined ? options : { driver, ...(options as object) });
const database: Make = (options) => createDatabase('sqlite::memory:', options);
const http: Make = (options) => createHttpPool(options);
const feed: Make = (options) => new SubscriptionPool({ url: 'ws://localhost', ...(options as object) });
const ib: Make = (options) => createIbPool(options);

describe('an unknown option', () => {
  it.each([
    // pg.Pool
    [pool, { max: 5 }, "unknown option 'max'; did you mean 'size'?"],
    [pool, { min: 1 }, "did you mean 'minIdle'?"],
    [pool, { idleTimeoutMillis: 5 }, "did you mean 'maxIdleMs'?"],
    [pool, { connectionTimeoutMillis: 5 }, "did you mean 'timeoutMs'?"],
    [pool, { maxUses: 5 }, "unknown option 'maxUses': connections are replaced by age"],
    // tarn, knex, generic-pool
    [pool, { acquireTimeoutMillis: 5 }, "did you mean 'timeoutMs'?"],
    [pool, { createTimeoutMillis: 5 }, "did you mean 'createTimeoutMs'?"],
    [pool, { reapIntervalMillis: 5 }, 'poolctl needs no such option'],
    [pool, { maxWaitingClients: 5 }, "did you mean 'maxWaiting'?"],
    [pool, { testOnBorrow: true }, "did you mean 'prePing'?"],
    [pool, { create() {} }, 'it belongs to the driver'],
    // HikariCP
    [pool, { maximumPoolSize: 5 }, "did you mean 'size'?"],
    [pool, { maxLifetime: 5 }, "did you mean 'recycleMs'?"],
    [pool, { leakDetectionThreshold: 5 }, 'pass leakWatch: { thresholdMs }'],
    // SQLAlchemy
    [pool, { pool_size: 5 }, "did you mean 'size'?"],
    [pool, { pool_pre_ping: true }, "did you mean 'prePing'?"],
    // typing errors
    [pool, { maxOverflw: 5 }, "did you mean 'maxOverflow'?"],
    [
      pool,
      { leakWatch: { treshold: 5 } },
      "unknown option 'leakWatch.treshold'; did you mean 'leakWatch.thresholdMs'?",
    ],
    [pool, { constructor: 5 }, "unknown option 'constructor'; there are driver, name, size"],
    [
      database,
      { max: 3, idleTimeoutMillis: 1000 },
      "unknown option 'max'; did you mean 'size'?; unknown option 'idle",
    ],
    [database, { host: 'x' }, "unknown option 'host': put it into the URL"],
    [database, { ssl: true }, 'put sslmode=require'],
    [database, { driver }, 'the scheme of the URL chooses the driver'],
    [http, { maxConnection: 5 }, "did you mean 'maxConnections'?"],
    [http, { retries: 1 }, 'pass retry: { total }'],
    [http, { timeouts: { connect: 1 } }, "did you mean 'timeouts.connectMs'?"],
    [http, { retry: { attempts: 1 } }, "unknown option 'retry.attempts'"],
    [feed, { maxPayload: 5 }, "did you mean 'maxMessageBytes'?"],
    [feed, { backoff: { base: 5 } }, "did you mean 'backoff.baseMs'?"],
    [ib, { size: 5 }, "did you mean 'workers'?"],
    [ib, { pacing: { perSecond: 5 } }, "unknown option 'pacing.perSecond'"],
  ])('of %o %o is refused with the name that is meant', (make, options, text) => {
    const error = thrownBy(() => make(options as never));
    expect(error).toMatchObject({ kind: 'usage', code: expect.stringMatching(/^ERR_.*_OPTION$/) });
    expect(error.message).toContain(text);
  });

  it('is not one that is undefined', () => {
    expect(pool({ max: undefined } as never)).toBeInstanceOf(QueuePool);
  });
});

describe('a wrong value', () => {
  it.each([
    [pool, undefined, 'the options must be an object, got undefined'],
    [pool, { driver: undefined }, 'driver must be an object with name, create and destroy, got undefined'],
    [pool, { driver: { name: 'x', create() {} } }, 'driver.destroy must be a function, got undefined'],
    [
      pool,
      { driver: { name: 'x', create() {}, destroy() {}, ping: true } },
      'driver.ping must be a function, got true',
    ],
    [pool, { prePing: 'false' }, "prePing must be true or false, got the text 'false'"],
    [pool, { size: '5' }, "size must be a whole number from 0, got the text '5'"],
    [pool, { recycleJitter: 2 }, 'recycleJitter must be a number from 0 to 1, got 2'],
    [pool, { name: 5 }, 'name must be a text, got 5'],
    [pool, { leakWatch: 'yes' }, "leakWatch must be an object, got the text 'yes'"],
    [
      pool,
      { leakWatch: { thresholdMs: '5' } },
      "leakWatch.thresholdMs must be a number or null, got the text '5'",
    ],
    [pool, { collected: 'keep' }, "collected must be 'destroy' or 'reset', got the text 'keep'"],
    [pool, { clock: 5 }, 'clock must be a Clock, got 5'],
    [pool, { random: 5 }, 'random must be a function, got 5'],
    [database, null, 'the options must be an object, got null'],
    [database, 'x', "the options must be an object, got the text 'x'"],
    [database, { readOnly: 'no' }, 'readOnly must be true or false'],
    [database, { reset: 'full' }, "reset 'full' is not supported by sqlite"],
    [http, null, 'the options must be an object, got null'],
    [http, { maxConnections: '5' }, "maxConnections must be a number, got the text '5'"],
    [http, { keepaliveExpiryMs: '5' }, 'keepaliveExpiryMs must be a number'],
    [http, { retry: true }, 'retry must be an object, got true'],
    [feed, { url: 5 }, 'url must be a text, got 5'],
    [feed, { url: undefined }, 'the URL of the feed is missing'],
    [feed, { lingerMs: '5' }, 'lingerMs must be a number'],
    [ib, null, 'the options must be an object, got null'],
    [ib, { workers: 0 }, 'workers must be a whole number from 1'],
    [ib, { port: '7497' }, "port must be a number, got the text '7497'"],
  ])('of %o %o throws a typed error', (make, options, text) => {
    const error = thrownBy(() => make(options as never));
    expect(error).toMatchObject({ kind: 'usage', code: expect.stringMatching(/^ERR_.*_OPTION$/) });
    expect(error.message).toContain(text);
  });

  it.each([
    [{ timeoutMs: '5' }, "timeoutMs must be a number from 0 or null, got the text '5'"],
    [{ timeoutMs: -1 }, 'got -1'],
    [{ timeoutMs: Number.NaN }, 'got NaN'],
    [{ timeout: 5 }, "unknown option 'timeout'; did you mean 'timeoutMs'?"],
    [{ max: 5 }, "unknown option 'max'; there are timeoutMs, signal"],
    [{ signal: {} }, 'signal must be an AbortSignal, got an object'],
    [{ signal: null }, 'signal must be an AbortSignal, got null'],
    [null, 'acquire takes an object, got null'],
    [5, 'acquire takes an object, got 5'],
  ])('%o rejects an acquire, also where one could be lent at once', async (options, text) => {
    const { pool } = newPool();
    (await pool.acquire()).release();
    await expect(pool.acquire(options as never)).rejects.toMatchObject({
      code: 'ERR_POOL_OPTION',
      kind: 'usage',
      message: expect.stringContaining(text),
    });
  });
});
