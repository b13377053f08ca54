// A small application with a pool that it publishes. Each line on stdin is a statement, which takes a lease and never
// gives it back; stdout has a line of JSON for each: the backend that the lease has, or what its statement ended with.
import { createInterface } from 'node:readline';
import pg from 'pg';

const [, , watchModule = '', name = '', connectionString, max = '5'] = process.argv;
const { publish, watch } = await import(watchModule);

const pool = new pg.Pool({ connectionString, max: Number(max) });
watch(pool, { name });
const { address } = await publish({ name });
/** @param {object} what */
const tell = (what) => void process.stdout.write(`${JSON.stringify(what)}\n`);
tell({ address, pid: process.pid });

/** @param {string} sql */
async function transfer(sql) {
  const client = await pool.connect();
  await client.query('begin');
  const { rows } = await client.query('select pg_backend_pid() as pid');
  tell({ began: rows[0].pid });
  await client.query(sql);
  tell({ done: rows[0].pid });
}

const input = createInterface({ input: process.stdin });
input.on('line', (sql) => void transfer(sql).catch((error) => tell({ failed: error.message })));
input.on('close', () => process.exit());
