import type { ResourceSpec } from '../types.js';

export const pg: ResourceSpec = {
  id: 'pg-pool',
  title: 'a client of a node-postgres pool',
  acquire: [
    {
      kind: 'method',
      name: 'connect',
      on: [
        'pg#Pool',
        'pg-pool#',
        '@neondatabase/serverless#Pool',
        '@vercel/postgres#createPool()',
        '@vercel/postgres#db',
      ],
      named: /pool$/i,
      usedBy: /release\b/,
      callback: { lease: 1, release: 2 },
    },
  ],
  pools: [{ kind: 'new', name: 'Pool', from: ['pg', 'pg-pool'] }],
  isPersonal: true,
  repair: {
    acquire: ['connect'],
    release: 'release',
    awaits: false,
    rollback: "await $.query('ROLLBACK');",
  },
  release: {
    methods: ['release', 'end'],
    takes: ['release', 'releaseClient'],
    ofParent: ['end'],
    twice: { methods: ['release'], does: 'the second release throws' },
    usedAfter: 'the client may already be in use by somebody else',
  },
  protocol: [],
  docs: {
    why: 'A client that is not released stays out of the pool. When all are out, every connect() waits for ever.',
    leaks: `import { Pool } from 'pg';
const pool = new Pool();
export async function total(day: string) {
  const client = await pool.connect();
  const { rows } = await client.query('select sum(amount) from orders where day = $1', [day]);
  client.release();
  return rows[0];
}`,
    fixed: `import { Pool } from 'pg';
const pool = new Pool();
export async function total(day: string) {
  const client = await pool.connect();
  try {
    const { rows } = await client.query('select sum(amount) from orders where day = $1', [day]);
    return rows[0];
  } finally {
    client.release();
  }
}`,
    exceptions:
      'COMMIT and ROLLBACK do not release a client. A single query needs none: pool.query() borrows and releases by itself. A client that listens (LISTEN) is kept on purpose.',
  },
};

export const pgClient: ResourceSpec = {
  id: 'pg-client',
  title: 'a node-postgres connection of its own',
  acquire: [{ kind: 'new', name: 'Client', from: ['pg', '@neondatabase/serverless'], armedBy: ['connect'] }],
  repair: { acquire: ['Client'], release: 'end', awaits: true, endsTransaction: true },
  release: {
    methods: ['end', 'release'],
    takes: [],
    ofParent: [],
    usedAfter: 'a client that has ended cannot query',
  },
  protocol: ['connect'],
  docs: {
    why: 'A connected client holds a server connection until end() is called or the process ends.',
    leaks: `import { Client } from 'pg';
export async function exists(name: string) {
  const client = new Client();
  await client.connect();
  const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
  await client.end();
  return rowCount === 1;
}`,
    fixed: `import { Client } from 'pg';
export async function exists(name: string) {
  const client = new Client();
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    return rowCount === 1;
  } finally {
    await client.end();
  }
}`,
    exceptions: 'A client that failed to connect holds nothing.',
  },
};
