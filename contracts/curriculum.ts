import type { PerSubTask } from './reward.ts';

/** One version of the curriculum; version n is what step n left behind, and weights the rewards of step n + 1. */
export interface CurriculumState {
  readonly version: number;
  /** Exponential moving average of conditional success rates; null before the first evidence. */
  readonly mastery: PerSubTask<number | null>;
  /** Weights, mean 1, each in [0.5, 2]. */
  readonly weights: PerSubTask;
}

/** Weights of the unweighted reward. */
export const UNIT_WEIGHTS: PerSubTask = { format: 1, name: 1, key: 1, value: 1 };

/** The curriculum before any step. */
export const INITIAL_CURRICULUM: CurriculumState = {
  version: 0,
  mastery: { format: null, name: null, key: null, value: null },
  weights: UNIT_WEIGHTS,
};
