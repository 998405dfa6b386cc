import type { RunConfig } from '../contracts/config.ts';
import type { AdamWOptions, ObjectiveOptions, TrainableOptions } from '../contracts/policy.ts';
import { forPartialBatch, warmedUp } from '../policy/training/learning-rate.ts';

/** What of the policy trains, from the run's configuration. */
export function trainableOptions(config: RunConfig): TrainableOptions {
  return {
    mode: config.trainMode,
    loraRank: config.loraRank,
    loraAlpha: config.loraAlpha,
    seed: config.seed,
  };
}

/** The optimiser at one learning rate, from the run's configuration. */
export function adamW(config: RunConfig, learningRate: number): AdamWOptions {
  return {
    learningRate,
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    epsilon: config.adamEpsilon,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
  };
}

/** The optimiser of a step on some kept groups: its rate is warmed up, and smaller where the batch could not be filled. */
export function stepOptimizer(
  config: RunConfig,
  on: { readonly step: number; readonly groups: number; readonly corpusSamples: number },
): AdamWOptions {
  const peak = warmedUp(config.learningRate, on.step - 1, config.warmupSteps);
  const wanted = Math.min(config.trainBatchSize, on.corpusSamples);
  return adamW(config, forPartialBatch(peak, on.groups, wanted));
}

/** The GRPO loss, from the run's configuration. */
export function objectiveOptions(config: RunConfig): ObjectiveOptions {
  const { lossType, epsilon, epsilonHigh, beta, numIterations, importanceSamplingCap } = config;
  const { temperature, maxCompletionLength } = config;
  return {
    lossType,
    epsilon,
    epsilonHigh,
    beta,
    numIterations,
    importanceSamplingCap,
    temperature,
    maxCompletionLength,
  };
}
