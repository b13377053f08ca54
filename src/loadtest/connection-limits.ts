import { formatCount } from '../base/units.js';
import type { PoolInfo, ServerFigures } from './result.js';

/** Why a pool of that size is more than the server can serve, as a clause with the figures; null if it is not. */
export function tooManyConnections(
  { size, maxOverflow }: Pick<PoolInfo, 'size' | 'maxOverflow'>,
  { connections, pgbouncer }: Pick<ServerFigures, 'connections' | 'pgbouncer'>,
): string | null {
  const wanted = size === 0 || maxOverflow < 0 ? Number.POSITIVE_INFINITY : size + maxOverflow;
  const what = Number.isFinite(wanted)
    ? `the pool may open ${formatCount(wanted)} connections`
    : 'the pool may open any number of connections';
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
