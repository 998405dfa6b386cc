import { defineConfig } from 'vitest/config';

const report = process.env.TOOLSAMPLE_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/scratch-folder.ts',
    pool: 'forks',
    // On two cores: what waits for servers, time-outs and killed processes leaves room for a third; more only fight over them.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
