import { defineConfig } from 'vitest/config';

const report = process.env.TOOLSAMPLE_TEST_REPORT;

export default defineConfig({
  test: {
    globalSetup: 'test/scratch-folder.ts',
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'system', include: ['test/!(unit)/*.test.ts'] } },
    ],
    // On two cores: what waits for servers, time-outs and killed processes leaves room for a third; more only fight over them.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
