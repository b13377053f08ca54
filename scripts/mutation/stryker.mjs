import { join } from 'node:path';
import { Stryker } from '@stryker-mutator/core';
import { EXCLUDED_MUTATORS, placeOfResult } from './mutants.mjs';

/**
 * `static`: in code that only runs when its module is loaded. Stryker starts a process for each such mutant and runs
 * all tests of the room, which takes longer than all other mutants together; so they are left out.
 *
 * @typedef {'killed' | 'survived' | 'static'} Status
 */

/**
 * Runs the covering tests of a room against each mutant.
 *
 * @param {import('./rooms.mjs').Room} room
 * @param {readonly import('./mutants.mjs').Mutant[]} mutants
 * @param {string} report the path of the HTML report, without its suffix
 * @returns {Promise<Map<string, Status>>} by the place of the mutant
 */
export async function runStryker(room, mutants, report) {
  if (mutants.length === 0) return new Map();
  process.env.POOLCTL_MUTATION = JSON.stringify(room);
  // A property test runs for each mutant of its room.
  process.env.POOLCTL_PROPERTY_RUNS ??= '20';
  const results = await new Stryker({
    testRunner: 'vitest',
    vitest: { configFile: 'scripts/mutation/vitest.config.ts' },
    plugins: [
      '@stryker-mutator/vitest-runner',
      ...['sample-checker.mjs', 'survivor-reporter.mjs'].map((file) => join(import.meta.dirname, file)),
    ],
    checkers: ['sample'],
    .../** @type {object} */ ({ sample: mutants.map(({ place }) => place) }),
    mutate: [...new Set(mutants.map(({ file }) => file))],
    mutator: { plugins: null, excludedMutations: EXCLUDED_MUTATORS },
    // Stryker would rewrite the sandbox's tsconfig with an API that TypeScript 7 does not have.
    tsconfigFile: 'none',
    coverageAnalysis: 'perTest',
    ignoreStatic: true,
    ignorePatterns: ['/coverage', '/.ci'],
    concurrency: 1,
    timeoutMS: 30_000,
    dryRunTimeoutMinutes: 15,
    tempDirName: 'coverage/mutation/sandbox',
    cleanTempDir: 'always',
    reporters: ['progress-append-only', 'survivors', 'html'],
    htmlReporter: { fileName: `${report}.html` },
    warnings: { unknownOptions: false, slow: false, preprocessorErrors: true, unserializableOptions: true },
  }).runMutationTest();
  return new Map(results.map((result) => [placeOfResult(result), statusOf(result.status)]));
}

/**
 * A time-out, or an error outside of any test, fails the tests as well.
 *
 * @param {import('@stryker-mutator/api/core').MutantStatus} status
 * @returns {Status}
 */
function statusOf(status) {
  if (status === 'Survived' || status === 'NoCoverage') return 'survived';
  return status === 'Ignored' ? 'static' : 'killed';
}
