// An application with a pool of broker connections: node trader.mjs IB-MODULE PORT. Ends when its input does.
const [ibModule = '', port = ''] = process.argv.slice(2);
/** @type {typeof import('../../../src/ib/index.js')} */
const { createIbPool } = await import(ibModule);

const pool = createIbPool({
  port: Number(port),
  topology: 'worker',
  workers: 2,
  clientId: 5,
  name: 'broker',
});
const contract = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
await pool.warm();
await pool.withIb((ib) => ib.contractDetails(contract));
const lease = await pool.acquire();
process.stdout.write('ready\n');
process.stdin.resume().on('end', async () => {
  lease.release();
  await pool.close();
});
