import { defineConfig } from 'vitest/config';

/** The tests of one room, as `scripts/mutation/index.mjs` names them. */
const {
  tests,
  without = [],
  postgres,
} = JSON.parse(process.env.POOLCTL_MUTATION ?? '{}') as {
  readonly tests: readonly string[];
  readonly without?: readonly string[];
  readonly postgres?: boolean;
};

export default defineConfig({
  test: {
    include: tests.map((path) => (path.endsWith('.ts') ? path : `${path}/**/*.test.ts`)),
    exclude: [...without],
    globalSetup: postgres ? ['test/helpers/global-setup.ts'] : [],
    // Instrumented code is slower, most of all while its coverage is measured.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
