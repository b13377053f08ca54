// The same as an ES module.
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });

async function leakOrders() {
  const client = await pool.connect();
  await client.query('select 1 as orders');
}

await leakOrders();
await leakOrders();
process.stderr.write('ready\n');
process.stdin.on('end', () => process.exit(5)).resume();
