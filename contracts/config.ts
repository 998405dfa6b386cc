import type { ValueMatch } from './reward.ts';
import type { CurriculumName, SamplerName, SamplingOptions } from './sampling.ts';

export const LOSS_TYPES = ['dapo', 'grpo', 'dr_grpo', 'bnpo'] as const;
/** How the token losses are averaged; names as in TRL. */
export type LossType = (typeof LOSS_TYPES)[number];

export const SCALE_REWARDS = ['group', 'batch', 'none'] as const;
/** What an advantage is divided by; names as in TRL. */
export type ScaleRewards = (typeof SCALE_REWARDS)[number];

export const LR_SCHEDULER_TYPES = ['constant', 'linear', 'cosine'] as const;
/** How the learning rate falls to 0 over a run, after its warm-up; names as in TRL. */
export type LrSchedulerType = (typeof LR_SCHEDULER_TYPES)[number];

export const PRECISIONS = ['float32', 'int8'] as const;
/** Of the matrices that completions are computed with; the policy itself is fp32. */
export type Precision = (typeof PRECISIONS)[number];

export const DEVICES = ['cpu', 'cuda', 'webgpu', 'auto'] as const;
/** Where tensors are computed, as it is asked for. */
export type DeviceChoice = (typeof DEVICES)[number];
/** Where tensors are computed. */
export type Device = Exclude<DeviceChoice, 'auto'>;

export const BACKENDS = ['onnx', 'tinker'] as const;
/** What computes with the policy: our own engine, or a training service that speaks the Tinker API. */
export type Backend = (typeof BACKENDS)[number];

export const TINKER_REDUCTIONS = ['sequence-mean', 'sum'] as const;
/** How a training service makes one loss of many tokens: mean of each sequence, then over sequences; or the plain sum. */
export type TinkerReduction = (typeof TINKER_REDUCTIONS)[number];

export const TRAIN_MODES = ['full', 'lora'] as const;
export type TrainMode = (typeof TRAIN_MODES)[number];

export const BEST_METRICS = ['reward', 'exact_match', 'suite'] as const;
/** Mean reward or share of exact matches on the first held-out split, or of exact matches on the suite. */
export type BestMetric = (typeof BEST_METRICS)[number];

/** Shape of a Llama policy that starts from random weights. */
export interface RandomPolicy {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
}

/** Independent probabilities with which the built-in generator spoils a demonstration, per slot or call. */
export interface DemonstrationNoise {
  /** A value is left as the user wrote it instead of normalised. */
  readonly rawValue: number;
  /** Each call after the first is dropped. */
  readonly droppedCall: number;
  /** One parameter is missing. */
  readonly missingParameter: number;
  /** The distractor's name is called. */
  readonly wrongTool: number;
  /** Tags or JSON are broken. */
  readonly brokenFormat: number;
}

/** One phase of supervised cold start. */
export interface WarmStartPhase {
  /** `builtin` (an endless seeded stream of demonstrations) or a file of samples. */
  readonly data: string;
  /** Optimiser steps. */
  readonly steps: number;
  /** Learning rate at the first and the last step of the phase; linear between. */
  readonly learningRate: number;
  readonly finalLearningRate: number;
  /** Tokens (prompt and completion) of one batch, at most. */
  readonly batchTokens: number;
  /** Levels of the built-in generator that are drawn, evenly. */
  readonly levels: readonly number[];
  readonly noise: DemonstrationNoise;
}

/** How often the policy is evaluated between the start and the end: every n steps, at epoch ends, or at halvings of the run (…, ¼, ½, 1). */
export type EvaluationSchedule = number | 'epoch' | 'halving' | 'none';

/**
 * Everything that decides a run, with all defaults filled in; stored with the run.
 * Files and flags may write any key in snake_case, kebab-case or camelCase; names follow TRL and verl where they have one.
 */
export interface RunConfig {
  /** Seed of everything random in the run. */
  readonly seed: number;

  // — policy
  /**
   * `builtin`, a Hugging Face folder, or `random` (see {@link RunConfig.randomPolicy}). With the backend `tinker` a folder of the base
   * model's tokenizer and `config.json`; weights in it are not looked at.
   */
  readonly policy: string;
  readonly randomPolicy: RandomPolicy;
  readonly trainMode: TrainMode;
  readonly loraRank: number;
  readonly loraAlpha: number;

  // — training service
  readonly backend: Backend;
  /** Where the service answers, without `/api/v1`. */
  readonly tinkerBaseUrl: string;
  /** The service's name for the model that is trained; `auto`: the only one it has. */
  readonly baseModel: string;
  readonly tinkerReduction: TinkerReduction;

  // — data
  /** `builtin` or a file of samples, parquet or JSON, of any of the {@link DATA_FORMATS}. */
  readonly data: string;
  /** Held-out samples: `auto` (built-in splits, or a seeded part of the data) or a file. */
  readonly evalData: string;
  /**
   * Further samples on which the policy is evaluated whenever it is on the held-out ones: a file, a folder of BFCL's files (of
   * each at most {@link RunConfig.evalSize}), or `none`.
   */
  readonly evalSuite: string;
  /** Samples of the built-in corpus. */
  readonly corpusSize: number;
  /** Shares of the built-in corpus's levels 0, 1, 2, 3 (and 4). */
  readonly levelMix: readonly number[];
  /** Share of the built-in corpus whose ground truth is made wrong: what such a sample asks for cannot be known. */
  readonly wrongLabels: number;
  /** Held-out samples of each split. */
  readonly evalSize: number;
  /** Rows of a file that may be unusable: they are left out and reported; one more, and the run is refused. */
  readonly maxBadRows: number;
  /** Samples whose prompt is longer (tokens) are left out and counted. */
  readonly maxPromptLength: number;
  readonly maxCompletionLength: number;

  // — cold start
  readonly warmStart: readonly WarmStartPhase[];

  // — schedule
  readonly numTrainEpochs: number;
  /** Stops after so many steps; −1: no limit (TRL); 0: the warm start alone. */
  readonly maxSteps: number;
  /** The step that brings the completion tokens generated in training to this is the last; −1: no limit. */
  readonly maxGeneratedTokens: number;
  /** Prompts (groups) of one step (verl: train_batch_size). */
  readonly trainBatchSize: number;
  /** Completions of one prompt, G (TRL: num_generations; verl: rollout.n). At least 2. */
  readonly numGenerations: number;
  readonly evalSchedule: EvaluationSchedule;
  /** Evaluations beside the schedule: whenever so many more completion tokens were generated in training; 0: none. */
  readonly evalTokens: number;

  // — rollout
  readonly temperature: number;
  readonly topP: number;
  readonly rolloutPrecision: Precision;
  /** Groups of one rollout activity at most: the most that a crash can lose. */
  readonly rolloutShardSize: number;

  // — DSCL
  readonly sampler: SamplerName;
  readonly sampling: Omit<SamplingOptions, 'sampler'>;
  readonly curriculum: CurriculumName;
  /** Rate of mastery's moving average. */
  readonly masteryRate: number;
  readonly valueMatch: ValueMatch;
  /** Drop groups whose rewards are all equal (verl: algorithm.filter_groups.enable). */
  readonly filterGroups: boolean;
  /** Groups rolled out at first, as a multiple of trainBatchSize. */
  readonly oversample: number;
  /** Further rounds of rollout until trainBatchSize groups are kept (verl: max_num_gen_batches). */
  readonly maxBackfillRounds: number;

  // — objective
  readonly scaleRewards: ScaleRewards;
  /** Added to the standard deviation. */
  readonly advantageFloor: number;
  readonly lossType: LossType;
  /** Lower clip range ε. */
  readonly epsilon: number;
  /** Upper clip range ε_high. */
  readonly epsilonHigh: number;
  /** Weight of the KL term to the policy at the start. */
  readonly beta: number;
  /** Optimiser steps on each batch, µ. */
  readonly numIterations: number;
  readonly maskTruncatedCompletions: boolean;
  /** Cap of the truncated importance weight between rollout and trainer; 0 switches it off. */
  readonly importanceSamplingCap: number;

  // — optimiser
  readonly learningRate: number;
  readonly lrSchedulerType: LrSchedulerType;
  readonly warmupSteps: number;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  /** Tokens of one micro-batch at most, padding included. */
  readonly microBatchTokens: number;
  /** Parts in which several workers compute a gradient step; adapters only. 1: one worker computes it. Does not change the result. */
  readonly gradientShards: number;

  // — machine
  /**
   * ONNX Runtime's execution provider. `auto`: CUDA where it opens, else the CPU. WebGPU has to be asked for: a software adapter
   * looks like a real one, and weights go from the host's memory to the device at each run.
   */
  readonly device: DeviceChoice;
  /** Threads of ONNX Runtime; 0: all cores. */
  readonly threads: number;
  /** Memory of the worker while it trains: a size such as `8GB`, `auto` or `none`. */
  readonly memoryLimit: string;
  /** The newest checkpoints kept besides those of the two settings below (TRL: save_total_limit). */
  readonly saveTotalLimit: number;
  /** Checkpoints kept because no other one that was evaluated did better, by {@link RunConfig.bestMetric}. */
  readonly saveBest: number;
  /** What makes a checkpoint the best. */
  readonly bestMetric: BestMetric;
  /** Checkpoints kept of those at epoch ends, the newest; −1: all. */
  readonly saveEpochs: number;
}

/** Settings that came later, as the runs that were prepared before them have them. */
export const LATER_SETTINGS = {
  memoryLimit: 'auto',
  device: 'cpu',
  saveBest: 1,
  saveEpochs: -1,
  maxBadRows: 0,
  backend: 'onnx',
  tinkerBaseUrl: 'http://127.0.0.1:8000',
  baseModel: 'auto',
  tinkerReduction: 'sequence-mean',
  wrongLabels: 0,
  maxGeneratedTokens: -1,
  evalSuite: 'none',
  bestMetric: 'reward',
  gradientShards: 1,
  evalTokens: 0,
  lrSchedulerType: 'constant',
  rolloutPrecision: 'float32',
} as const satisfies Partial<RunConfig>;

/** What a user writes: any part of the configuration. */
export type RunConfigInput = { readonly [key: string]: unknown };
