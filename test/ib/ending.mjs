/**
 * A program that uses an IB pool in one of several ways, and then has nothing more to do. It prints what it has seen.
 * Arguments: the folder of the build, the port of a gateway, and the way.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist = '', port = '', way = ''] = process.argv.slice(2);
/** @type {typeof import('../../src/ib/index.js')} */
const { createIbPool } = await import(pathToFileURL(join(dist, 'src/ib/index.js')).href);

const topology = way.startsWith('worker') ? 'worker' : 'shared';
const pool = createIbPool({ port: Number(port), topology, workers: 2 });
const contract = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };

/** @param {unknown} text */
const print = (text) => void process.stdout.write(`${text}\n`);
/** @param {{ code: string }} error */
const codeOf = ({ code }) => code;

switch (way) {
  case 'shared, refused':
  case 'worker, refused':
    print(await pool.acquire().catch(codeOf));
    break;
  case 'shared, closed under load':
  case 'worker, closed under load': {
    const leases = [await pool.acquire(), await pool.acquire()];
    // Its heartbeat, reconnects and deadlines would keep it alive for ten seconds and more.
    const asked = leases.map(({ connection }) => connection.contractDetails(contract).catch(codeOf));
    await pool.close({ graceMs: 0 });
    print(await Promise.all(asked));
    break;
  }
  default:
    throw new Error(`no such way: ${way}`);
}
