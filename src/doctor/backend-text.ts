import type { Backend } from '../sources/types.js';

/** Who that is: `pid 4711, app@shop, 'web' from 10.0.0.5:40312`. */
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
