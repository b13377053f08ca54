import { defineConfig } from 'vitest/config';

/** `npm run incidents`: recreates incidents on real servers, which takes minutes. */
export default defineConfig({
  test: {
    include: ['test/incidents/*.incident.ts'],
    globalSetup: ['test/helpers/global-setup.ts'],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
    reporters: ['dot'],
  },
});
