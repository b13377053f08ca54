// Asks a simulated broker gateway for bars, loses the connection on the way, and continues.
import { createIbPool } from 'poolctl/ib';
import { startGateway } from 'poolctl/ib/gateway';

const SYMBOLS = ['AAPL', 'MSFT', 'NVDA', 'AMZN'];

const gateway = await startGateway({ seed: 7 });
const pool = createIbPool({ topology: 'shared', host: gateway.host, port: gateway.port, clientId: 1 });
try {
  for (const symbol of SYMBOLS) {
    // The gateway hangs up in the middle. The pool reconnects.
    if (symbol === 'NVDA') await gateway.inject({ kind: 'drop' });
    const stock = { symbol, secType: 'STK', exchange: 'SMART', currency: 'USD' };
    const bars = await pool.withIb((ib) =>
      ib.historicalData({ contract: stock, duration: '1 D', barSize: '5 mins' }),
    );
    process.stdout.write(`${symbol}: ${bars.length} bars\n`);
  }
  process.stdout.write(`connections that the gateway accepted: ${gateway.counts().connections.accepted}\n`);
} finally {
  await pool.close();
  await gateway.close();
}
