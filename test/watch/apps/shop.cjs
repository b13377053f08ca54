// An application that knows nothing of poolctl: it leaks two connections, from two places, and asks queries of all kinds.
const { Pool } = require('pg');

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 4 });

async function leakOrders() {
  const client = await pool.connect();
  await client.query('begin');
  await client.query('select 1 as orders');
}

function leakUsers(/** @type {() => void} */ done) {
  pool.connect((_error, client) => {
    client?.query('select 2 as users', () => done());
  });
}

void leakOrders().then(() =>
  leakUsers(async () => {
    const { rows } = await pool.query('select $1::int as n', [3]);
    process.stdout.write(
      `${JSON.stringify(rows)} ${process.execArgv.length} ${process.argv.slice(2).join()}\n`,
    );
    process.stderr.write('ready\n');
  }),
);

process.on('SIGTERM', () => process.exit(7));
process.stdin.on('end', () => process.exit(5)).resume();
