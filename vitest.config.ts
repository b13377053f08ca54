import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/helpers/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers than that only makes process-spawning tests slower.
    maxWorkers: 2,
    // Real servers on a machine that others use as well: what passes only on the second try is shown as such.
    retry: process.env.CI ? 1 : 0,
  },
});
