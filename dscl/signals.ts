import type { RewardBreakdown } from '../contracts/reward.ts';
import type { SampleStatistics } from '../contracts/sampling.ts';

/** The rewards that a sample can give: [−3, 4], or [0, 1] where the ground truth has no call. */
export type RewardRange = Pick<RewardBreakdown, 'min' | 'max'>;

/** A sample's statistics on a scale of 0 to 1, whatever its range of rewards. */
export interface Signals {
  /** u: how far it is solved. */
  readonly solved: number;
  /** v: variance within the last group, as a share of the largest possible. */
  readonly within: number;
  /** e: spread of the visits' means, as a share of the largest possible. */
  readonly across: number;
}

/**
 * u = (M − min)/range; v = min(1, Vsample/Vmax), Vmax = (range²/4)·G/(G − 1), reached when half of a group gets min and half
 * max; e = min(1, √Vepoch/(range/2)). [ours]
 */
export function signals(statistics: SampleStatistics, { min, max }: RewardRange): Signals {
  const range = max - min;
  const { mean, withinVariance, epochVariance, groupSize } = statistics;
  const largestVariance = ((range * range) / 4) * (groupSize / (groupSize - 1));
  return {
    solved: (mean - min) / range,
    within: Math.min(1, withinVariance / largestVariance),
    across: Math.min(1, Math.sqrt(epochVariance) / (range / 2)),
  };
}
