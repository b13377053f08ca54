/** The probe of an orchestrator, which needs a connection of the pool. @param {import('pg').Pool} pool */
export async function ready(pool) {
  await pool.query('select 1');
}
