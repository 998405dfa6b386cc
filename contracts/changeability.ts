import type { RunConfig } from './config.ts';

/**
 * Whether `set` may change a setting while its run is under way: `live`, from the next step on; `shape` not, because the length and
 * the shape of the run follow from it; `stored` not, because what the run has stored was made with it.
 */
export type Changeability = 'live' | 'shape' | 'stored';

type SettingPath =
  | Exclude<keyof RunConfig, 'sampling' | 'randomPolicy' | 'warmStart'>
  | `sampling.${keyof RunConfig['sampling']}`;

/** By canonical path; those of `randomPolicy` and `warmStart`, which are not listed, are stored. */
export const CHANGEABILITY: { readonly [path in SettingPath]: Changeability } = {
  seed: 'stored',
  policy: 'stored',
  trainMode: 'stored',
  loraRank: 'stored',
  loraAlpha: 'stored',
  data: 'stored',
  evalData: 'stored',
  corpusSize: 'stored',
  levelMix: 'stored',
  evalSize: 'stored',
  maxBadRows: 'stored',
  maxPromptLength: 'stored',
  maxCompletionLength: 'stored',
  valueMatch: 'stored',
  numTrainEpochs: 'shape',
  maxSteps: 'shape',
  trainBatchSize: 'stored',
  numGenerations: 'shape',
  evalSchedule: 'live',
  temperature: 'live',
  topP: 'live',
  rolloutShardSize: 'live',
  sampler: 'shape',
  'sampling.ablate': 'shape',
  'sampling.activationReward': 'live',
  'sampling.activationPatience': 'live',
  'sampling.hardThreshold': 'live',
  'sampling.varianceThreshold': 'live',
  'sampling.uniformShare': 'live',
  'sampling.temperature': 'live',
  'sampling.halfLifeEpochs': 'live',
  curriculum: 'shape',
  masteryRate: 'live',
  filterGroups: 'shape',
  oversample: 'shape',
  maxBackfillRounds: 'shape',
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
  warmupSteps: 'live',
  adamBeta1: 'live',
  adamBeta2: 'live',
  adamEpsilon: 'live',
  weightDecay: 'live',
  maxGradNorm: 'live',
  microBatchTokens: 'live',
  device: 'shape',
  threads: 'shape',
  memoryLimit: 'live',
  saveTotalLimit: 'live',
  saveBest: 'live',
  saveEpochs: 'live',
};
