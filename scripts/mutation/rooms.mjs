/**
 * What gets mutants, and which tests must kill them. Tests that start a process of ours are left out: they run the
 * build, which has no mutants.
 *
 * @typedef {object} Room
 * @property {readonly string[]} mutate files or folders
 * @property {readonly string[]} tests files or folders
 * @property {readonly string[]} [without] tests among them that take too long for each mutant, or copy the code
 * @property {boolean} [postgres] its tests need the PostgreSQL server of test/helpers/global-setup.ts
 */

/** @type {Readonly<Record<string, Room>>} */
export const ROOMS = {
  'src/pgbouncer': { mutate: ['src/pgbouncer'], tests: ['test/pgbouncer'], postgres: true },
  'src/doctor/checks': {
    mutate: ['src/doctor/checks'],
    tests: ['test/doctor/rows', 'test/doctor/sqlite.test.ts'],
  },
  'src/loadtest': {
    mutate: ['src/loadtest/verdict.ts', 'src/loadtest/aggregate.ts', 'src/loadtest/thresholds.ts'],
    tests: [
      'test/loadtest/verdict.test.ts',
      'test/loadtest/aggregate.test.ts',
      'test/loadtest/thresholds.test.ts',
    ],
  },
  'src/audit/flow': {
    mutate: ['src/audit/flow'],
    tests: ['test/audit/flow.test.ts', 'test/audit/flow-parts.test.ts', 'test/audit/differential.test.ts'],
  },
  'src/diagnosis': {
    mutate: ['src/diagnosis'],
    tests: ['test/diagnosis'],
    without: ['test/diagnosis/live.test.ts'],
  },
  'src/health': { mutate: ['src/health'], tests: ['test/health'] },
  'src/pool': {
    mutate: ['src/pool'],
    tests: ['test/pool'],
    without: [
      'test/pool/planted-defects.test.ts',
      'test/pool/property.test.ts',
      'test/pool/ending.test.ts',
      'test/pool/collected.test.ts',
    ],
  },
  'src/snapshot': {
    mutate: ['src/snapshot'],
    tests: ['test/snapshot'],
    without: ['test/snapshot/drift.test.ts'],
  },
  'src/http': {
    mutate: ['src/http/call.ts', 'src/http/retry.ts', 'src/http/breaker.ts', 'src/http/connections.ts'],
    tests: ['test/http'],
    without: ['test/http/planted-defects.test.ts'],
  },
  'src/ws': { mutate: ['src/ws'], tests: ['test/ws'], without: ['test/ws/planted-defects.test.ts'] },
  'src/ib': {
    mutate: ['src/ib/pool.ts', 'src/ib/requests.ts', 'src/ib/pacing.ts', 'src/ib/supervisor.ts'],
    tests: ['test/ib', 'test/lab/ib-stress/replay.test.ts'],
    without: ['test/ib/connection.test.ts', 'test/ib/ending.test.ts', 'test/ib/planted-defects.test.ts'],
  },
  'src/watch': { mutate: ['src/watch'], tests: ['test/watch'], postgres: true },
};
