import pg from 'pg';

export const pool = new pg.Pool({ connectionString: process.argv[2], max: 10 });
