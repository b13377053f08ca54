import type { ViewName } from '../place.js';

export const VIEW_TITLES: Readonly<Record<ViewName, string>> = {
  pools: 'Pools',
  holders: 'Holders',
  backends: 'Backends',
  blocking: 'Blocking',
  pgbouncer: 'PgBouncer',
  events: 'Events',
  servers: 'Servers',
  sizes: 'Sizes',
  help: 'Help',
};
