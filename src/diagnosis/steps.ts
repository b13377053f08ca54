import type { Facts } from './facts.js';
import type { Found, Library, Place, Repair, Step } from './types.js';

/** What each driver of a published pool is called in repairs. */
const LIBRARIES: ReadonlyMap<string, Library> = new Map<string, Library>([
  ['pg', 'pg'],
  ['postgres', 'postgres.js'],
  ['postgres.js', 'postgres.js'],
  ['mysql2', 'mysql2'],
  ['mariadb', 'mysql2'],
  ['tarn', 'knex'],
  ['knex', 'knex'],
  ['sequelize-pool', 'sequelize'],
  ['sequelize', 'sequelize'],
  ['typeorm', 'typeorm'],
  ['prisma', 'prisma'],
  ['generic-pool', 'generic-pool'],
  ['postgresql', 'poolctl'],
  ['mysql', 'poolctl'],
  ['sqlite', 'poolctl'],
]);

/** How each place is introduced in a step. */
const NAMES: Readonly<Record<Library, string>> = {
  pg: 'pg.Pool',
  'postgres.js': 'postgres.js',
  mysql2: 'mysql2',
  knex: 'knex',
  sequelize: 'Sequelize',
  typeorm: 'TypeORM',
  prisma: 'Prisma',
  'generic-pool': 'generic-pool',
  poolctl: "poolctl's pool",
};

/**
 * The steps of a repair: what ends it now, then what keeps it from coming back, in the words of the libraries and
 * servers that are there.
 */
export function stepsOf(
  { steps = [], subject, driver, source }: Found & { readonly source: string },
  repair: Repair,
  facts: Facts,
): readonly Step[] {
  const pools = facts.pools.filter(({ key, source: of }) => key === subject.key || of === subject.source);
  const drivers =
    driver != null
      ? [driver]
      : pools.length > 0
        ? pools.map(({ pool }) => pool.driver)
        : facts.pools.map(({ pool }) => pool.driver);
  const libraries = [...new Set(drivers.flatMap((one) => LIBRARIES.get(one) ?? []))];
  const inLibraries = libraries.flatMap((library): Step[] => {
    const text = repair[library];
    return text === undefined ? [] : [{ kind: 'code', at: null, text: `${NAMES[library]}: ${text}` }];
  });
  const inApp: Step[] =
    inLibraries.length > 0
      ? inLibraries
      : repair.app !== undefined
        ? [{ kind: 'code', at: null, text: `in the application: ${repair.app}` }]
        : libraries.length === 0 && repair.pg !== undefined
          ? [{ kind: 'code', at: null, text: `${NAMES.pg}: ${repair.pg}` }]
          : [];
  const at = (place: Place, label: string | undefined, name: string): Step[] => {
    const text = repair[place];
    return text === undefined || label === undefined
      ? []
      : [{ kind: 'code', at: label, text: `${name}: ${text}` }];
  };
  const servers = facts.servers.filter((one) => one.source === source);
  const server = servers[0] ?? facts.servers[0];
  const failed = facts.failures.find(({ kind }) => kind === 'postgres' || kind === 'mysql');
  const kind = server?.kind ?? failed?.kind;
  const label = server?.source ?? failed?.source;
  return [
    ...steps,
    ...inApp,
    ...at('pgbouncer', facts.poolers[0]?.source, 'pgbouncer.ini'),
    ...(kind === 'mysql'
      ? at('mysql', label, 'MySQL')
      : kind === 'postgres'
        ? at('postgres', label, 'PostgreSQL')
        : []),
  ];
}
