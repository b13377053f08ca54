import { isObject } from './hooking.js';

/** Ways from what programs have in hand to the pools that do the work. */
const PATHS: readonly (readonly string[])[] = [
  // knex: a function, with its tarn
  ['client', 'pool'],
  // TypeORM, PostgreSQL: master and replicas
  ['driver', 'master'],
  ['driver', 'slaves'],
  // TypeORM, MySQL
  ['driver', 'pool'],
  // Sequelize: a pool, or one for reading and one for writing
  ['connectionManager', 'pool', 'read'],
  ['connectionManager', 'pool', 'write'],
  ['connectionManager', 'pool'],
  // mysql2/promise, and a Database of ours
  ['pool'],
];

/** The value itself, and whatever pools may be within it. */
export function poolsWithin(value: object): readonly object[] {
  const found = new Set<object>([value]);
  for (const path of PATHS) {
    let at: unknown = value;
    for (const name of path) at = isObject(at) ? at[name] : undefined;
    for (const one of Array.isArray(at) ? at : [at]) if (isObject(one)) found.add(one);
  }
  return [...found];
}
