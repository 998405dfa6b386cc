import { expect, it } from 'vitest';
import { growthTable, verdicts } from '../../bench/growth-report.ts';
import type { GrowthSample } from '../../bench/growth-samples.ts';

const MEGABYTE = 1_000_000;

/** Twenty samples of a run, 100 steps apart. */
function run(of: (step: number) => Partial<GrowthSample>): GrowthSample[] {
  return Array.from({ length: 20 }, (_, index) => {
    const step = 100 * (index + 1);
    return {
      step,
      seconds: step / 2,
      workerMemory: 400 * MEGABYTE,
      workerAllocated: 300 * MEGABYTE,
      longestHistory: 4100,
      largestHistory: 900_000,
      executions: 5,
      temporal: 1000 * step,
      postgres: 9 * MEGABYTE + 6000 * step,
      tables: { rollouts: 2400 * step },
      artifacts: 500 * step,
      artifactFiles: step,
      ...of(step),
    };
  });
}

const failures = (samples: GrowthSample[]): string[] =>
  verdicts(samples).flatMap(({ ok, text }) => (ok ? [] : [text]));

it('finds a bounded run in order, however it began, and tells what a step adds', () => {
  // A first half that is still warming up does not count.
  const samples = run((step) => ({ workerMemory: (step < 900 ? 700 : 400) * MEGABYTE }));
  expect(failures(samples)).toEqual([]);
  const told = verdicts(samples).map(({ text }) => text);
  expect(told).toContain(
    "a step takes 0.50 s and adds: worker 0 B, Postgres 6.0 kB, artifacts 500 B, Temporal's database 1.0 kB",
  );
  expect(told.at(-1)).toBe('tables and their indexes, a step: rollouts 2.4 kB');
  expect(growthTable(samples)).toHaveLength(22);
});

it('finds memory that grows', () => {
  const samples = run((step) => ({ workerMemory: 400 * MEGABYTE + 200_000 * step }));
  expect(failures(samples)).toEqual([expect.stringMatching(/^worker memory .* \(limit 10%\)$/)]);
});

it('finds a history that nobody cut', () => {
  expect(failures(run((step) => ({ longestHistory: 38 * step })))).toEqual([
    expect.stringMatching(/^histories: at most 76000 events/),
  ]);
  expect(failures(run((step) => ({ largestHistory: 10_000 * step })))).toHaveLength(1);
});

it('does not judge by too few samples', () => {
  expect(failures(run(() => ({})).slice(0, 3))).toEqual(['too few samples']);
});
