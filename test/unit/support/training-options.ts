import type {
  AdamWOptions,
  ObjectiveOptions,
  TrainableOptions,
} from '../../../contracts/policy.ts';

/** All weights of a tiny policy train … */
export const FULL: TrainableOptions = { mode: 'full', loraRank: 4, loraAlpha: 8, seed: 1 };
/** … or adapters. */
export const LORA: TrainableOptions = { ...FULL, mode: 'lora' };

/** Large steps: a few of them show. */
export const OPTIMIZER: AdamWOptions = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
};

export const OBJECTIVE: ObjectiveOptions = {
  lossType: 'dapo',
  epsilon: 0.2,
  epsilonHigh: 0.28,
  beta: 0,
  numIterations: 1,
  importanceSamplingCap: 2,
  temperature: 1,
  maxCompletionLength: 40,
};
