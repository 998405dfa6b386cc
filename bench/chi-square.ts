/** How far counts are from what was expected. */
export interface ChiSquare {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  /** Probability of a statistic at least as large, if the counts come from the distribution (Wilson and Hilferty's approximation). */
  readonly probability: number;
}

/** Draws expected in a bin at least, for the statistic to be chi-square distributed. */
const LEAST_EXPECTED = 5;

/**
 * Pearson's test of counts against a distribution. Bins in which fewer than five draws are expected are taken together.
 *
 * @param probabilities of the bins; they sum to 1
 */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): ChiSquare {
  const draws = counts.reduce((sum, count) => sum + count, 0);
  const rest = { count: 0, expected: 0 };
  const bins = [];
  for (const [bin, probability] of probabilities.entries()) {
    const count = counts[bin] ?? 0;
    const expected = draws * probability;
    if (expected >= LEAST_EXPECTED) {
      bins.push({ count, expected });
    } else {
      rest.count += count;
      rest.expected += expected;
    }
  }
  // What can't be drawn must not be: an infinite statistic.
  if (rest.expected > 0 || rest.count > 0) bins.push(rest);
  const statistic = bins.reduce(
    (sum, { count, expected }) => sum + (count - expected) ** 2 / expected,
    0,
  );
  const degreesOfFreedom = bins.length - 1;
  return { statistic, degreesOfFreedom, probability: upperTail(statistic, degreesOfFreedom) };
}

function upperTail(statistic: number, degreesOfFreedom: number): number {
  const variance = 2 / (9 * degreesOfFreedom);
  const z = (Math.cbrt(statistic / degreesOfFreedom) - (1 - variance)) / Math.sqrt(variance);
  return normalUpperTail(z);
}

/** Of the standard normal distribution; by Abramowitz and Stegun's 26.2.17, to 1e-7. */
function normalUpperTail(z: number): number {
  if (z < 0) return 1 - normalUpperTail(-z);
  if (z === Infinity) return 0;
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}
