/**
 * How a run picks its batches. `scan` puts the whole corpus in order for each of them. `sums` keeps sums of importance of parts of it, and
 * a permutation instead of a shuffle: the same distribution by other draws, at a cost that hardly grows with the corpus.
 */
export const SELECTIONS = ['scan', 'sums'] as const;
export type Selection = (typeof SELECTIONS)[number];

/** Samples from which on a new run picks by `sums`. A run keeps what it was prepared with, and so do its forks. */
export const LARGE_CORPUS = 10_000;

/** A sample that is asked for before it is known which it is. */
export interface Proposal {
  /** Its place in the corpus; null: by importance. */
  readonly ordinal: number | null;
  /** Where it falls in the sum of all importances, as a share of it in [0, 1). */
  readonly position: number;
}
