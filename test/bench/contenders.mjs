import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DequePool } from './deque-full.mjs';

/**
 * @typedef {object} OpenPool
 * @property {() => Promise<any>} acquire resolves to whatever `release` takes
 * @property {(held: any) => void} release
 */
/**
 * @typedef {{ readonly size: number, readonly timeoutMs: number, readonly build: string }} Setup
 * `build` is the folder of the compiled project.
 */
/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {'ours' | 'peer' | 'limit'} side
 * @property {boolean} timed whether an acquire that waits is given up after `timeoutMs`
 * @property {(setup: Setup) => Promise<OpenPool>} open
 */

/**
 * Every peer comes in the configuration that costs it least: nothing validated, nothing evicted, no housekeeping.
 * Where the time-out of an acquire can be switched off, the peer comes with and without, and the faster one counts.
 * @type {readonly Contender[]}
 */
export const contenders = [
  { name: 'poolctl', side: 'ours', timed: true, open: queuePool({}) },
  {
    name: 'poolctl lean',
    side: 'ours',
    timed: true,
    open: queuePool({ histograms: false, leakWatch: false }),
  },
  { name: 'deque-full', side: 'limit', timed: true, open: dequePool(false) },
  { name: 'deque-full lazy', side: 'limit', timed: true, open: dequePool(true) },
  { name: 'lightning-pool', side: 'peer', timed: false, open: lightningPool(false) },
  { name: 'lightning-pool timed', side: 'peer', timed: true, open: lightningPool(true) },
  { name: 'generic-pool', side: 'peer', timed: false, open: genericPool(false) },
  { name: 'generic-pool timed', side: 'peer', timed: true, open: genericPool(true) },
  {
    name: 'sequelize-pool',
    side: 'peer',
    timed: true,
    async open({ size, timeoutMs }) {
      const { Pool } = await import('sequelize-pool');
      const pool = new Pool({
        ...{ create: async () => makeResource(), destroy() {}, validate: () => true },
        ...{ min: 0, max: size, acquireTimeoutMillis: timeoutMs },
      });
      return {
        acquire: () => pool.acquire(),
        release: (resource) => pool.release(resource),
      };
    },
  },
  { name: 'pg-pool', side: 'peer', timed: false, open: pgPool(false) },
  { name: 'pg-pool timed', side: 'peer', timed: true, open: pgPool(true) },
  {
    name: 'tarn',
    side: 'peer',
    timed: true,
    async open({ size, timeoutMs }) {
      const { Pool } = await import('tarn');
      const pool = new Pool({
        ...{ create: async () => makeResource(), destroy() {} },
        ...{ min: 0, max: size, acquireTimeoutMillis: timeoutMs },
      });
      return {
        acquire: () => pool.acquire().promise,
        release: (resource) => pool.release(resource),
      };
    },
  },
];

const makeResource = () => ({});

/**
 * @param {string} build
 * @returns {Promise<typeof import('../../src/pool/queue-pool.js')>}
 */
export function importQueuePool(build) {
  return import(pathToFileURL(join(build, 'src/pool/queue-pool.js')).href);
}

/**
 * @param {Partial<import('../../src/pool/options.js').PoolOptions<object>>} options
 * @returns {Contender['open']}
 */
function queuePool(options) {
  return async ({ size, timeoutMs, build }) => {
    const { QueuePool } = await importQueuePool(build);
    const driver = { name: 'bench', create: async () => makeResource(), destroy() {} };
    const pool = new QueuePool({ driver, size, maxOverflow: 0, timeoutMs, ...options });
    return {
      acquire: () => pool.acquire(),
      release: (lease) => lease.release(),
    };
  };
}

/**
 * @param {boolean} lazy
 * @returns {Contender['open']}
 */
function dequePool(lazy) {
  return async ({ size, timeoutMs }) => {
    const pool = new DequePool(Array.from({ length: size }, makeResource), timeoutMs, lazy);
    return {
      acquire: () => pool.acquire(),
      release: (lease) => lease.release(),
    };
  };
}

/**
 * @param {boolean} timed
 * @returns {Contender['open']}
 */
function lightningPool(timed) {
  return async ({ size, timeoutMs }) => {
    const { Pool } = await import('lightning-pool');
    const pool = new Pool(
      { create: async () => makeResource(), destroy: async () => {} },
      {
        ...{ max: size, maxQueue: 1e6, houseKeepInterval: 0, validation: false },
        acquireTimeoutMillis: timed ? timeoutMs : 0,
      },
    );
    return {
      acquire: () => pool.acquire(),
      release: (resource) => pool.release(resource),
    };
  };
}

/**
 * @param {boolean} timed
 * @returns {Contender['open']}
 */
function genericPool(timed) {
  return async ({ size, timeoutMs }) => {
    const { createPool } = (await import('generic-pool')).default;
    const pool = createPool(
      { create: async () => makeResource(), destroy: async () => {} },
      { max: size, ...(timed ? { acquireTimeoutMillis: timeoutMs } : {}) },
    );
    return {
      acquire: () => pool.acquire(),
      release: (resource) => pool.release(resource),
    };
  };
}

/** As much of a `pg` client as pg-pool touches. */
class StubClient extends EventEmitter {
  _queryable = true;
  _ending = false;
  /** @param {() => void} done */
  connect(done) {
    setImmediate(done);
  }
  /** @param {() => void} done */
  end(done) {
    setImmediate(done);
  }
  isConnected() {
    return true;
  }
}

/**
 * @param {boolean} timed
 * @returns {Contender['open']}
 */
function pgPool(timed) {
  return async ({ size, timeoutMs }) => {
    const PgPool = createRequire(import.meta.url)('pg-pool');
    const pool = new PgPool({
      ...{ max: size, Client: StubClient, idleTimeoutMillis: 0 },
      ...(timed ? { connectionTimeoutMillis: timeoutMs } : {}),
    });
    return {
      acquire: () => pool.connect(),
      release: (client) => client.release(),
    };
  };
}
