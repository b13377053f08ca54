import { formatCount } from '../base/units.js';
import type { PoolInfo, ServerFigures } from './result.js';

/**
 * Why so many pools of that size, one by default, are more than the server can serve, as a clause with the figures; null
 * if they are not.
 */
export function tooManyConnections(
  { size, maxOverflow }: Pick<PoolInfo, 'size' | 'maxOverflow'>,
  { connections, pgbouncer }: Pick<ServerFigures, 'connections' | 'pgbouncer'>,
  pools = 1,
): string | null {
  const wanted = size === 0 || maxOverflow < 0 ? Number.POSITIVE_INFINITY : pools * (size + maxOverflow);
  const which = pools === 1 ? 'the pool' : `the pools of ${formatCount(pools)} segments together`;
  const what = Number.isFinite(wanted)
    ? `${which} may open ${formatCount(wanted)} connections`
    : `${which} may open any number of connections`;
  if (pgbouncer !== null) {
    const { clients } = pgbouncer;
    const left = clients === null ? Number.POSITIVE_INFINITY : Math.max(0, clients.most - clients.used);
    if (clients === null || wanted <= left) return null;
    return (
      `${what}, and PgBouncer takes ${formatCount(left)} more: ` +
      `max_client_conn is ${formatCount(clients.most)}, ${formatCount(clients.used)} are connected`
    );
  }
  if (connections === null || wanted <= connections.left) return null;
  const { most, reserved, used, left, narrowest } = connections;
  switch (narrowest) {
    case 'server':
      return (
        `${what}, and the server has ${formatCount(left)} left: max_connections is ${formatCount(most)}, ` +
        `${formatCount(reserved)} reserved, ${formatCount(used)} in use`
      );
    case 'role':
    case 'database':
      return `${what}, and ${formatCount(left)} are left by the connection limit of its ${narrowest}`;
  }
}
