/**
 * The smallest and the largest of some values, and of those that are there in any case; without any, from infinity to minus infinity.
 * A loop: as arguments of `Math.min`, a hundred thousand values are more than a stack holds.
 */
export function extent(
  values: Iterable<number>,
  besides: readonly number[] = [],
): readonly [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const some of [besides, values]) {
    for (const value of some) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}
