import { defineConfig } from 'vitest/config';

/** `npm run prove:agents`: breaks machines, clocks and queues under distributed loads, which takes minutes. */
export default defineConfig({
  test: {
    include: ['test/prove/*.prove.ts'],
    globalSetup: ['test/helpers/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
