import type { ActivationState, SamplerName, SamplingOptions } from '../contracts/sampling.ts';

export const INITIAL_ACTIVATION: ActivationState = { active: false, streak: 0 };

/** Samplers that pick by importance once active; the others always shuffle. */
const BY_IMPORTANCE: ReadonlySet<SamplerName> = new Set(['dscl', 'vcrl', 'difficulty']);

/**
 * Counts one batch: dynamic sampling switches on once the mean reward exceeded `activationReward` in
 * `activationPatience` consecutive batches, and stays on. [paper: 1.0 and 7]
 *
 * @param batchReward mean unweighted reward of all rollouts of the step.
 */
export function nextActivation(
  state: ActivationState,
  batchReward: number,
  options: Pick<SamplingOptions, 'activationReward' | 'activationPatience'>,
): ActivationState {
  const streak = batchReward > options.activationReward ? state.streak + 1 : 0;
  return { active: state.active || streak >= options.activationPatience, streak };
}

/** Whether the next batch is picked by importance; the ablation `activation` does so from the first step. */
export function picksDynamically(
  state: ActivationState,
  options: Pick<SamplingOptions, 'sampler' | 'ablate' | 'activationPatience'>,
): boolean {
  const waits = options.activationPatience > 0 && !options.ablate.includes('activation');
  return BY_IMPORTANCE.has(options.sampler) && (state.active || !waits);
}
