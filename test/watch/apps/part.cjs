const { parentPort } = require('node:worker_threads');
const { Pool } = require('pg');

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 1 });
pool.connect().then(() => {
  if (parentPort === null) process.send?.('ready');
  else parentPort.postMessage('ready');
});
const end = () => process.exit(0);
if (parentPort === null) process.once('disconnect', end);
else parentPort.once('message', end);
