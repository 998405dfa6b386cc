import type { SamplingOptions } from '../contracts/sampling.ts';
import { gumbelNoise, shuffleKey } from './seeded-draw.ts';

/**
 * The reference for picking batches. The product does the same in SQL (db/batch-selection.ts), where a corpus need not be
 * loaded; tests hold the two against each other.
 */

export interface Chances {
  /** Sum to 1; in the order of the importances. */
  readonly probabilities: readonly number[];
  /** No sample has any importance left: every one is equally likely. */
  readonly allMastered: boolean;
}

/** p_i = (1 − ε)·Ĩ_i^{1/τ}/Σ + ε/N; uniform when ΣĨ = 0. [ours] */
export function chances(
  importances: readonly number[],
  { uniformShare, temperature }: Pick<SamplingOptions, 'uniformShare' | 'temperature'>,
): Chances {
  const uniform = 1 / importances.length;
  const masses = importances.map((importance) => importance ** (1 / temperature));
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  if (total === 0) return { probabilities: importances.map(() => uniform), allMastered: true };
  return {
    // The quotient first: tiny masses keep their shares.
    probabilities: masses.map(
      (mass) => (1 - uniformShare) * (mass / total) + uniformShare * uniform,
    ),
    allMastered: false,
  };
}

export interface Candidate {
  readonly id: string;
  readonly probability: number;
}

/**
 * Picks without replacement: the `count` largest ln p + Gumbel noise, best first (the Gumbel top-k trick: the same
 * distribution as drawing one after the other). A retry picks the same; a larger count extends the batch, which is how
 * backfill goes on. [paper: sampling by importance; ours: the draw]
 */
export function pickByImportance(
  candidates: readonly Candidate[],
  { runSeed, step, count }: { runSeed: number; step: number; count: number },
): string[] {
  return candidates
    .map(({ id, probability }) => ({
      id,
      key: Math.log(probability) + gumbelNoise(runSeed, step, id),
    }))
    .sort((a, b) => compare(b.key, a.key) || compare(a.id, b.id))
    .slice(0, count)
    .map(({ id }) => id);
}

/**
 * Picks from the seeded shuffle of an epoch, starting after the `offset` samples that earlier steps of the epoch took, and
 * from its beginning again at the end.
 */
export function pickShuffled(
  ids: readonly string[],
  order: { runSeed: number; epoch: number; offset: number; count: number },
): string[] {
  const shuffled = ids
    .map((id) => ({ id, key: shuffleKey(order.runSeed, order.epoch, id) }))
    .sort((a, b) => compare(a.key, b.key) || compare(a.id, b.id))
    .map(({ id }) => id);
  const start = order.offset % shuffled.length;
  return [...shuffled.slice(start), ...shuffled.slice(0, start)].slice(0, order.count);
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
