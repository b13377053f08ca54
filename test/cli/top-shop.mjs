// A small shop, as applications are: a pool, a server, and no word of poolctl. Two of its routes forget a connection.
import { createServer } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.argv[2], max: 3 });

async function refund() {
  const client = await pool.connect();
  await client.query('begin');
  await client.query('update accounts set balance = balance - 1 where id = 1');
}

async function report() {
  const client = await pool.connect();
  await client.query('select count(*) from accounts');
}

async function pay() {
  const client = await pool.connect();
  try {
    await client.query('update accounts set balance = balance + 1 where id = 1');
  } finally {
    client.release();
  }
}

/** @type {Readonly<Record<string, () => Promise<void>>>} */
const routes = { '/refund': refund, '/report': report, '/pay': pay };

const server = createServer((request, response) => {
  const route = routes[request.url ?? ''];
  if (route === undefined) response.writeHead(404).end();
  else
    route().then(
      () => response.end('done'),
      (error) => response.writeHead(500).end(String(error)),
    );
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stderr.write(`listening on ${typeof address === 'object' ? address?.port : ''}.\n`);
});
