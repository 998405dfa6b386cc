import { studentHalf95 } from '../../contracts/confidence.ts';

/** A run's curve: values at growing numbers of generated tokens. */
export type Curve = readonly { readonly x: number; readonly y: number }[];

/** The mean of several curves at a place, with its 95% interval over them; the interval is null where only one curve is. */
export interface BandPoint {
  readonly x: number;
  readonly y: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Curves that reach so far. */
  readonly n: number;
}

/**
 * Mean and 95% interval (Student's t) of curves, at `points` equal distances from where all have begun to where the first one
 * ends; between its own points a curve is taken to be straight. Beyond, fewer seeds would look like a change of the mean.
 */
export function seedBand(curves: readonly Curve[], points = 60): readonly BandPoint[] {
  const drawn = curves.filter((curve) => curve.length > 0);
  if (drawn.length === 0) return [];
  const [only] = drawn;
  if (drawn.length === 1 && only !== undefined)
    return only.map(({ x, y }) => ({ x, y, low: null, high: null, n: 1 }));
  const begin = Math.max(...drawn.map((curve) => curve[0]?.x ?? 0));
  const end = Math.min(...drawn.map((curve) => curve.at(-1)?.x ?? 0));
  if (end < begin) return [];
  return Array.from(
    { length: points },
    (_, index) => begin + ((end - begin) * index) / (points - 1),
  ).map((x) =>
    meanAt(
      x,
      drawn.map((curve) => valueAt(curve, x)),
    ),
  );
}

/** Mean and 95% interval of values of independent seeds; no interval for a single one. */
export function meanAt(x: number, values: readonly number[]): BandPoint {
  const n = values.length;
  const y = values.reduce((sum, value) => sum + value, 0) / n;
  const errors = studentHalf95(n);
  if (errors === null) return { x, y, low: null, high: null, n };
  const variance = values.reduce((sum, value) => sum + (value - y) ** 2, 0) / (n - 1);
  const half = errors * Math.sqrt(variance / n);
  return { x, y, low: y - half, high: y + half, n };
}

function valueAt(curve: Curve, x: number): number {
  const after = curve.findIndex((point) => point.x >= x);
  const right = curve[after] ?? curve.at(-1);
  const left = curve[after - 1];
  if (right === undefined) return Number.NaN;
  if (left === undefined || right.x === left.x) return right.y;
  return left.y + ((right.y - left.y) * (x - left.x)) / (right.x - left.x);
}
