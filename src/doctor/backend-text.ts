import type { Backend } from '../snapshot/server.js';

const MOST_SQL = 200;

/** The last statement of a backend, cut to a readable length. */
export function queryText({ query }: Backend): string {
  if (query === null) return '?';
  const line = query.replace(/\s+/g, ' ');
  return line.length <= MOST_SQL ? line : `${line.slice(0, MOST_SQL)}...`;
}

/** The statement that ends sessions. */
export function endSessions(pids: readonly number[]): string {
  const [first] = pids;
  if (pids.length === 1) return `SELECT pg_terminate_backend(${first})`;
  return `SELECT pid, pg_terminate_backend(pid) FROM unnest(ARRAY[${pids.join(', ')}]) AS pid`;
}

/** Names the backend: `pid 4711, app@shop, 'web' from 10.0.0.5:40312`. */
export function backendText({
  pid,
  user,
  database,
  application,
  clientAddress,
  clientPort,
}: Backend): string {
  const who = `${user ?? '?'}@${database ?? '?'}`;
  const what = application === null ? '' : `, '${application}'`;
  const port = clientPort === null ? '' : `:${clientPort}`;
  return `pid ${pid}, ${who}${what}${clientAddress === null ? '' : ` from ${clientAddress}${port}`}`;
}
