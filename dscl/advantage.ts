import type { ScaleRewards } from '../contracts/config.ts';
import { mean, sampleVariance } from './moments.ts';

export interface AdvantageOptions {
  readonly scaleRewards: ScaleRewards;
  /** Added to the standard deviation, so that nearly equal rewards are not blown up. */
  readonly floor: number;
}

/**
 * Group-relative advantages A = (R − mean of the group)/(standard deviation + floor), in the order of the rewards. [GRPO]
 *
 * The deviation is the sample standard deviation (n − 1), as in TRL and verl: of the group (`group`), or of all rewards
 * given (`batch`); `none` leaves the differences as they are.
 *
 * @param groups weighted rewards of the kept groups.
 */
export function advantages(
  groups: readonly (readonly number[])[],
  { scaleRewards, floor }: AdvantageOptions,
): number[][] {
  const ofBatch = scaleRewards === 'batch' ? Math.sqrt(sampleVariance(groups.flat())) : 0;
  return groups.map((rewards) => {
    const baseline = mean(rewards);
    const deviation = scaleRewards === 'group' ? Math.sqrt(sampleVariance(rewards)) : ofBatch;
    const scale = scaleRewards === 'none' ? 1 : deviation + floor;
    // Nothing to tell apart (floor 0): no advantage, rather than 0/0.
    return rewards.map((reward) => (scale === 0 ? 0 : (reward - baseline) / scale));
  });
}
