import { expect, test } from 'vitest';
import { chiSquare } from '../../bench/chi-square.ts';

test.each([
  // Statistic, degrees of freedom and probability as tables have them.
  { counts: [90, 110], probabilities: [0.5, 0.5], statistic: 2, probability: 0.157 },
  { counts: [60, 20, 20], probabilities: [0.5, 0.25, 0.25], statistic: 4, probability: 0.135 },
  { counts: [10, 90], probabilities: [0.5, 0.5], statistic: 64, probability: 0 },
])('$counts of $probabilities', ({ counts, probabilities, statistic, probability }) => {
  const found = chiSquare(counts, probabilities);
  expect(found.statistic).toBeCloseTo(statistic, 9);
  expect(Math.abs(found.probability - probability)).toBeLessThan(0.005);
});

test('bins of few draws count as one; what cannot be drawn must not be', () => {
  const small = chiSquare([96, 1, 3], [0.96, 0.03, 0.01]);
  expect(small).toMatchObject({ statistic: 0, degreesOfFreedom: 1 });
  expect(chiSquare([99, 0, 1], [0.5, 0.5, 0]).probability).toBe(0);
});
