import type { ObjectiveOptions } from '../contracts/policy.ts';
import type { ActiveSequence } from './training-data.ts';

/** As our own engine has it: log-ratios are limited to ± this before they are exponentiated. */
const LOG_RATIO_LIMIT = 20;

/** Sums over the tokens of some sequences. */
export interface StepNumbers {
  /** Our loss, whichever the service was given. */
  readonly loss: number;
  /** Of −log-probability: an estimate of the entropy, as tokens were sampled from the policy. */
  readonly entropy: number;
  readonly clippedLow: number;
  readonly clippedHigh: number;
  /** Of |log-probability before the step − that of the rollout|. */
  readonly samplingDifference: number;
}

export const NO_NUMBERS: StepNumbers = {
  loss: 0,
  entropy: 0,
  clippedLow: 0,
  clippedHigh: 0,
  samplingDifference: 0,
};

/** The truncated importance weight of each token between rollout and trainer; 1 where it is off. */
export function importanceWeights(
  old: readonly number[],
  rollout: readonly number[],
  cap: number,
): number[] {
  return old.map((logprob, t) => (cap > 0 ? Math.min(ratio(logprob, rollout[t] ?? 0), cap) : 1));
}

/**
 * What a step comes to on one sequence, by the formulas of docs/algorithm.md: the service tells log-probabilities, the rest follows.
 *
 * @param current - Log-probabilities before this optimiser step.
 * @param old - Those before the first one on this batch; the same in the first.
 */
export function sequenceNumbers(
  sequence: ActiveSequence,
  current: readonly number[],
  old: readonly number[],
  { epsilon, epsilonHigh, importanceSamplingCap }: ObjectiveOptions,
): StepNumbers {
  const { advantage, weight, rolloutLogprobs } = sequence;
  const importance = importanceWeights(old, rolloutLogprobs, importanceSamplingCap);
  const [low, high] = [1 - epsilon, 1 + epsilonHigh];
  let { loss, entropy, clippedLow, clippedHigh, samplingDifference } = NO_NUMBERS;
  for (const [t, logprob] of current.entries()) {
    const r = ratio(logprob, old[t] ?? 0);
    const clipped = Math.min(high, Math.max(low, r));
    loss -= weight * Math.min(r * advantage, clipped * advantage) * (importance[t] ?? 1);
    entropy -= logprob;
    samplingDifference += Math.abs((old[t] ?? 0) - (rolloutLogprobs[t] ?? 0));
    if (r < low && advantage < 0) clippedLow++;
    if (r > high && advantage > 0) clippedHigh++;
  }
  return { loss, entropy, clippedLow, clippedHigh, samplingDifference };
}

export function addNumbers(a: StepNumbers, b: StepNumbers): StepNumbers {
  return {
    loss: a.loss + b.loss,
    entropy: a.entropy + b.entropy,
    clippedLow: a.clippedLow + b.clippedLow,
    clippedHigh: a.clippedHigh + b.clippedHigh,
    samplingDifference: a.samplingDifference + b.samplingDifference,
  };
}

function ratio(a: number, b: number): number {
  return Math.exp(Math.min(LOG_RATIO_LIMIT, Math.max(-LOG_RATIO_LIMIT, a - b)));
}
