// An orders API on Express and pg, behind PgBouncer. One route leaks a client when its query fails.
import express from 'express';
import pg from 'pg';

export const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: 5,
  connectionTimeoutMillis: 2000,
});
export const app = express();

app.get('/orders', async (_request, response) => {
  const { rows } = await pool.query('select id, day, amount from orders order by id');
  response.json(rows);
});

app.get('/revenue/:day', async (request, response) => {
  const client = await pool.connect();
  const { rows } = await client.query('select sum(amount) from orders where day = $1', [request.params.day]);
  client.release();
  response.json(rows[0]);
});
