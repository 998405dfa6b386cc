import { hashSeed, seededRandom } from '../../contracts/hash.ts';

/** Random choices of one sample; made anew from a seed for each, so that samples do not depend on each other. */
export interface Draw {
  /** True with probability p. */
  chance(p: number): boolean;
  /** A whole number in [0, n). */
  below(n: number): number;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** The list in a random order. */
  shuffle<T>(list: readonly T[]): T[];
}

/** Starts the choices that belong to these parts; equal parts give equal choices. */
export function drawFor(...parts: readonly (string | number)[]): Draw {
  const unit = seededRandom(hashSeed(...parts));
  const below = (n: number): number => Math.floor(unit() * n);
  return {
    chance: (p) => unit() < p,
    below,
    pick: <T>(list: readonly T[]): T => {
      const chosen = list[below(list.length)];
      if (chosen === undefined) throw new RangeError('nothing to pick from');
      return chosen;
    },
    shuffle: <T>(list: readonly T[]): T[] => {
      const keyed = list.map((item) => ({ item, order: unit() }));
      return keyed.sort((a, b) => a.order - b.order).map(({ item }) => item);
    },
  };
}
