import { printable } from '../report/text.js';
import type { Facts, PoolFact } from './facts.js';
import { commonest } from './look.js';
import type { Found, Library, Place, Repair, Step } from './types.js';

/** The name of each driver of a published pool in repairs. */
const LIBRARIES: ReadonlyMap<string, Library> = new Map<string, Library>([
  ['pg', 'pg'],
  ['postgres', 'postgres.js'],
  ['postgres.js', 'postgres.js'],
  ['mysql2', 'mysql2'],
  ['mysqljs', 'mysql2'],
  ['mariadb', 'mariadb client'],
  ['mongodb', 'mongodb'],
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
  'mariadb client': 'mariadb',
  mongodb: 'mongodb',
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
    // Its calls have the names of mysql2's, where it has no words of its own.
    const text = repair[library] ?? (library === 'mariadb client' ? repair.mysql2 : undefined);
    return text === undefined ? [] : [{ kind: 'code', at: null, text: `${NAMES[library]}: ${text}` }];
  });
  const inApp: Step[] =
    inLibraries.length > 0
      ? inLibraries
      : repair.app !== undefined
        ? [{ kind: 'code', at: null, text: `in the application: ${repair.app}` }]
        : drivers.length === 0 && repair.pg !== undefined
          ? [{ kind: 'code', at: null, text: `${NAMES.pg}: ${repair.pg}` }]
          : [];
  const at = (place: Place, label: string | undefined, name: string): Step[] => {
    const text = repair[place] ?? (place === 'mariadb' ? repair.mysql : undefined);
    return text === undefined || label === undefined
      ? []
      : [{ kind: 'code', at: label, text: `${name}: ${text}` }];
  };
  const sqlAt = (place: 'postgres' | 'mysql' | 'mariadb', label: string | undefined): Step[] =>
    label === undefined
      ? []
      : (repair.sql?.[place] ?? []).map((text): Step => ({ kind: 'sql', at: label, text }));
  const servers = facts.servers.filter((one) => one.source === source);
  const server = servers[0] ?? facts.servers[0];
  const failed = facts.failures.find(({ kind }) => kind === 'postgres' || kind === 'mysql');
  const kind = server?.kind ?? failed?.kind;
  const label = server?.source ?? failed?.source;
  const inServer = (): Step[] => {
    if (kind !== 'mysql' && kind !== 'postgres') return [];
    if (kind === 'postgres') return [...sqlAt('postgres', label), ...at('postgres', label, 'PostgreSQL')];
    const place = /mariadb/i.test(server?.server.version ?? '') ? 'mariadb' : 'mysql';
    return [...sqlAt(place, label), ...at(place, label, place === 'mysql' ? 'MySQL' : 'MariaDB')];
  };
  const names = namesOf(pools, source, facts, kind === 'mysql');
  return [
    ...steps,
    ...[...inApp, ...at('pgbouncer', facts.poolers[0]?.source, 'pgbouncer.ini'), ...inServer()].map(
      (step) => ({
        ...step,
        text: withNames(step.text, names),
      }),
    ),
  ];
}

interface Names {
  readonly user: string;
  readonly database: string;
  readonly isMysql: boolean;
}

/** The role and the database of the pools that suffer; without these, those of most backends. */
function namesOf(pools: readonly PoolFact[], source: string, facts: Facts, isMysql: boolean): Names {
  const addresses = pools.flatMap(({ pool }) => pool.observed?.address ?? []);
  const backends = facts.backends.filter((one) => one.source === source || facts.servers.length === 1);
  const most = (ofPools: readonly (string | null)[], ofBackends: readonly (string | null)[], other: string) =>
    commonest(ofPools.flatMap((one) => one ?? [])) ||
    commonest(ofBackends.flatMap((one) => one ?? [])) ||
    other;
  return {
    user: most(
      addresses.map(({ user }) => user),
      backends.map(({ backend }) => backend.user),
      'app',
    ),
    database: most(
      addresses.map(({ database }) => database),
      backends.map(({ backend }) => backend.database),
      'shop',
    ),
    isMysql,
  };
}

/** Names as the server writes them: a name of another form is quoted. */
function withNames(text: string, { user, database, isMysql }: Names): string {
  const sign = isMysql ? '`' : '"';
  const quoted = (name: string): string =>
    /^[a-z_][a-z0-9_]*$/.test(name) ? name : `${sign}${name.replaceAll(sign, sign + sign)}${sign}`;
  const literal = user.replaceAll("'", "''");
  return printable(
    text
      .replaceAll('{role}', () => quoted(user))
      .replaceAll('{account}', () => `'${literal}'@'%'`)
      .replaceAll('{user}', () => literal)
      .replaceAll('{database}', () => quoted(database)),
  );
}
