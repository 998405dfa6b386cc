interface Point {
  readonly x: number;
  readonly y: number;
  readonly low?: number | null;
  readonly high?: number | null;
}

/** Points of a line at most: more than a screen has room for. */
const MOST_POINTS = 600;

/** Points of a long line averaged in equal parts, so that as many are left as a screen has room for; a short one as it is. */
export function thinned(points: readonly Point[], most = MOST_POINTS): readonly Point[] {
  if (points.length <= most) return points;
  const size = Math.ceil(points.length / most);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, part) =>
    average(points.slice(part * size, (part + 1) * size)),
  );
}

function average(points: readonly Point[]): Point {
  const mean = (value: (point: Point) => number | null | undefined): number | null => {
    const known = points.map(value).filter((each) => typeof each === 'number');
    return known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0) / known.length;
  };
  return {
    x: mean(({ x }) => x) ?? 0,
    y: mean(({ y }) => y) ?? 0,
    low: mean(({ low }) => low),
    high: mean(({ high }) => high),
  };
}
