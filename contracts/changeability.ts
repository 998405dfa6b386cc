import type { RunConfig } from './config.ts';

/**
 * When a setting may change. `live`: in a run under way (`set`), from its next step on, and in a fork. `fork`: only in a fork, because the
 * length, the shape or the arithmetic of a run follow from it. The rest never, because what a run has stored, and a fork takes over, was
 * made with it: its `weights`, its `samples`, its `rewards`, or the count of its `steps`.
 */
export type Changeability = 'live' | 'fork' | 'weights' | 'samples' | 'rewards' | 'steps';

type SettingPath =
  | Exclude<keyof RunConfig, 'sampling' | 'randomPolicy' | 'warmStart'>
  | `sampling.${keyof RunConfig['sampling']}`;

/** By canonical path; those of `randomPolicy` and `warmStart`, which are not listed, made the `weights`. */
export const CHANGEABILITY: { readonly [path in SettingPath]: Changeability } = {
  // The corpus, what is held out of it, the shuffle of every epoch, and adapters that no step has trained yet.
  seed: 'samples',
  policy: 'weights',
  trainMode: 'weights',
  loraRank: 'weights',
  loraAlpha: 'weights',
  backend: 'weights',
  // The same service may answer elsewhere; what it saved must be there.
  tinkerBaseUrl: 'live',
  baseModel: 'weights',
  tinkerReduction: 'live',
  data: 'samples',
  evalData: 'samples',
  evalSuite: 'samples',
  corpusSize: 'samples',
  levelMix: 'samples',
  wrongLabels: 'samples',
  evalSize: 'samples',
  maxBadRows: 'samples',
  maxPromptLength: 'samples',
  // A completion that was cut off had its reward for that.
  maxCompletionLength: 'rewards',
  valueMatch: 'rewards',
  numTrainEpochs: 'fork',
  maxSteps: 'fork',
  maxGeneratedTokens: 'fork',
  trainBatchSize: 'steps',
  numGenerations: 'fork',
  evalSchedule: 'live',
  evalTokens: 'live',
  temperature: 'live',
  topP: 'live',
  rolloutPrecision: 'live',
  rolloutShardSize: 'live',
  sampler: 'fork',
  'sampling.ablate': 'fork',
  'sampling.activationReward': 'live',
  'sampling.activationPatience': 'live',
  'sampling.hardThreshold': 'live',
  'sampling.varianceThreshold': 'live',
  'sampling.uniformShare': 'live',
  'sampling.temperature': 'live',
  'sampling.halfLifeEpochs': 'live',
  curriculum: 'fork',
  masteryRate: 'live',
  filterGroups: 'fork',
  oversample: 'fork',
  maxBackfillRounds: 'fork',
  scaleRewards: 'live',
  advantageFloor: 'live',
  lossType: 'live',
  epsilon: 'live',
  epsilonHigh: 'live',
  beta: 'live',
  numIterations: 'live',
  maskTruncatedCompletions: 'live',
  importanceSamplingCap: 'live',
  learningRate: 'live',
  lrSchedulerType: 'live',
  warmupSteps: 'live',
  adamBeta1: 'live',
  adamBeta2: 'live',
  adamEpsilon: 'live',
  weightDecay: 'live',
  maxGradNorm: 'live',
  microBatchTokens: 'live',
  // Workflows have planned with it.
  gradientShards: 'fork',
  device: 'fork',
  threads: 'fork',
  memoryLimit: 'live',
  saveTotalLimit: 'live',
  saveBest: 'live',
  bestMetric: 'fork',
  saveEpochs: 'live',
};

/**
 * Of those that are `live`, what holds at once, also for the step under way: where a service answers is no part of what a step computes,
 * and a step whose service has moved comes to no end at its old place.
 */
export const AT_ONCE: readonly string[] = ['tinkerBaseUrl'] satisfies SettingPath[];
