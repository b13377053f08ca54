/**
 * A program that uses a pool in one of several ways, and then has nothing more to do. It prints what it has seen.
 * Arguments: the folder of the build, and the way.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist = '', way = ''] = process.argv.slice(2);
/** @type {typeof import('../../src/index.js')} */
const { QueuePool } = await import(pathToFileURL(join(dist, 'src/index.js')).href);

const pool = new QueuePool({
  ...{ size: 2, maxOverflow: 0, minIdle: 2, maxIdleMs: 600_000, keepaliveMs: 300_000, timeoutMs: 600_000 },
  driver: { name: 'things', create: async () => ({}), destroy: () => {}, ping: async () => true },
});

/** @param {string} text */
const print = (text) => void process.stdout.write(`${text}\n`);

switch (way) {
  case 'nothing lent':
    await pool.fill();
    (await pool.acquire()).release();
    print(`idle ${pool.snapshot().idle}`);
    break;
  case 'a lease out':
    print(`lease ${(await pool.acquire()).id}`);
    break;
  case 'waiters served': {
    const lease = await pool.acquire();
    await pool.acquire();
    const waiting = pool.acquire();
    lease.release();
    print(`lease ${(await waiting).id}`);
    break;
  }
  case 'somebody waiting':
    await pool.acquire();
    await pool.acquire();
    print(await pool.acquire({ timeoutMs: 150 }).catch((error) => error.code));
    break;
  default:
    throw new Error(`no such way: ${way}`);
}
