/** Arithmetic mean; exactly the common value when all are equal. NaN for no values. */
export function mean(values: readonly number[]): number {
  const origin = values[0] ?? Number.NaN;
  return origin + values.reduce((sum, value) => sum + (value - origin), 0) / values.length;
}

/** Unbiased variance (divided by n − 1); exactly 0 when all are equal. 0 for fewer than two values. */
export function sampleVariance(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
}
