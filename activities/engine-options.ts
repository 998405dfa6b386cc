import type { RunConfig } from '../contracts/config.ts';
import type { AdamWOptions, ObjectiveOptions, TrainableOptions } from '../contracts/policy.ts';
import {
  forPartialBatch,
  runProgress,
  scheduled,
  warmedUp,
} from '../policy/training/learning-rate.ts';

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

/** A step that trains, and where its run stands. */
export interface OptimizedStep {
  /** From 1. */
  readonly step: number;
  /** Steps of the run in all. */
  readonly totalSteps: number;
  /** Completion tokens that the run generated before it. */
  readonly generatedTokens: number;
  /** Groups that it trains on. */
  readonly groups: number;
  readonly corpusSamples: number;
}

/** The optimiser of a step: its rate is warmed up, follows the schedule, and is smaller where the batch could not be filled. */
export function stepOptimizer(config: RunConfig, on: OptimizedStep): AdamWOptions {
  const { learningRate, warmupSteps, lrSchedulerType, maxGeneratedTokens } = config;
  const step = on.step - 1;
  const progress = runProgress({ ...on, step, warmupSteps, tokenBudget: maxGeneratedTokens });
  const rate = warmedUp(learningRate, step, warmupSteps) * scheduled(lrSchedulerType, progress);
  const wanted = Math.min(config.trainBatchSize, on.corpusSamples);
  return adamW(config, forPartialBatch(rate, on.groups, wanted));
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
