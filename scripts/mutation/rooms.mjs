/**
 * What gets mutants, and which tests must kill them. Tests that start a process of ours are left out: they run the
 * build, which has no mutants.
 *
 * @typedef {object} Room
 * @property {readonly string[]} mutate files or folders
 * @property {readonly string[]} tests files or folders
 * @property {boolean} [postgres] its tests need the PostgreSQL server of test/helpers/global-setup.ts
 * @property {boolean} [slow] skips mutants of code that runs at import time, as each of them takes all tests
 */

/** @type {Readonly<Record<string, Room>>} */
export const ROOMS = {
  'src/pgbouncer': { mutate: ['src/pgbouncer'], tests: ['test/pgbouncer'], postgres: true },
  'src/doctor/checks': { mutate: ['src/doctor/checks'], tests: ['test/doctor'], postgres: true, slow: true },
  'src/loadtest': {
    mutate: ['src/loadtest/verdict.ts', 'src/loadtest/aggregate.ts', 'src/loadtest/thresholds.ts'],
    tests: [
      'test/loadtest/verdict.test.ts',
      'test/loadtest/aggregate.test.ts',
      'test/loadtest/thresholds.test.ts',
    ],
  },
  'src/top': { mutate: ['src/top/diagnose.ts'], tests: ['test/top'] },
  'src/health': { mutate: ['src/health'], tests: ['test/health'] },
  'src/watch': { mutate: ['src/watch'], tests: ['test/watch'], postgres: true },
};
