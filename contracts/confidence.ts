/** The two-sided 95% quantile of the normal distribution: all intervals that are reported are of this level. */
export const Z_95 = 1.959963984540054;

/** Two-sided 95% quantiles of Student's t by degrees of freedom, from 1. */
const STUDENT_95 = [
  12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157,
  2.228139,
] as const;

/**
 * Half of the 95% interval of a mean, in standard errors estimated from its own values (Student's t): near 2 for many values, much
 * more for few. Null for fewer than two values: their spread is unknown.
 *
 * @param n - Independent values that the mean is of.
 */
export function studentHalf95(n: number): number | null {
  const freedom = n - 1;
  return freedom < 1 ? null : (STUDENT_95[freedom - 1] ?? manyDegrees(freedom));
}

/** Fisher's expansion around the normal quantile (Abramowitz & Stegun 26.7.5), to 1e-5 from 10 degrees of freedom on. */
function manyDegrees(freedom: number): number {
  const z = Z_95;
  return (
    z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3) +
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / (92160 * freedom ** 4)
  );
}
